import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Fault, faultOfStatus, FAULTS, type Route, RouteBook } from "#routes";
import { cycleOf } from "../../../src/routes/book.ts";

const CASES: readonly (readonly [number, Fault | null])[] = [
  [200, null],
  [400, "refused"],
  [401, "not_admitted"],
  [402, "not_admitted"],
  [403, "forbidden"],
  [404, "refused"],
  [408, "failing"],
  [413, "refused"],
  [422, "refused"],
  [429, "rate_limited"],
  [500, "failing"],
  [502, "failing"],
  [503, "failing"],
  [504, "failing"],
  [529, "failing"],
];

it.each(CASES)("a status of %i is %s", (status, fault) => {
  expect(faultOfStatus(status, [])).toBe(fault);
});

it("a route may go on from what nobody else does, and from nothing that is an answer", () => {
  expect([faultOfStatus(404, [404]), faultOfStatus(400, [404]), faultOfStatus(200, [200])]).toEqual(["listed", "refused", null]);
});

it("the guide prints the table as it is", () => {
  const guide = readFileSync("docs/guides/routes.md", "utf8");
  for (const { what, next, again } of Object.values(FAULTS)) {
    const where = {
      credential: "another credential, then the next target",
      target: "the next target",
      nowhere: "nowhere: the caller is told",
    }[next];
    expect(guide).toContain(`| ${what} | ${where} | ${again ? "yes" : "no"} |`);
  }
});

it("finds the way by which a route leads back to itself, and none where there is none", () => {
  const leading = (name: string, ...to: string[]) =>
    ({
      name,
      targets: to.map((route) => ({ route, priority: 0, weight: 1, when: { models: [], tags: [], metadata: {} } })),
    }) as unknown as Route;
  const others = new RouteBook([leading("b", "c", "d"), leading("c", "d"), leading("d"), leading("e", "a")]);
  expect(cycleOf(leading("a", "b"), others)).toBeNull();
  expect(cycleOf(leading("a", "a"), others)).toEqual(["a", "a"]);
  expect(cycleOf(leading("a", "b", "e"), others)).toEqual(["a", "e", "a"]);
  expect(cycleOf(leading("a", "b"), new RouteBook([leading("b", "c"), leading("c", "b", "a")]))).toEqual(["a", "b", "c", "a"]);
});
