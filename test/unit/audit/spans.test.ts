import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { levelOf } from "../../../src/audit/dimensions.ts";
import { cover, FOREVER, GRAINS } from "../../../src/audit/spans.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const moments = fc.oneof(
  fc.integer({ min: 0, max: Date.UTC(2100, 0) }),
  fc.integer({ min: 0, max: 840_000 }).map((hours) => hours * HOUR_MS),
  fc.integer({ min: 0, max: 35_000 }).map((days) => days * DAY_MS),
  fc.integer({ min: 0, max: 1_200 }).map((months) => Date.UTC(1970, months)),
);
const grains = fc.subarray([...GRAINS]);

describe("cover", () => {
  it("covers a range without gap or overlap, each span of whole grains", () => {
    fc.assert(
      fc.property(moments, fc.oneof(moments, fc.constant(FOREVER)), grains, (from, to, allowed) => {
        const spans = cover(from, to, allowed);
        if (from >= to) {
          expect(spans).toEqual([]);
          return;
        }
        expect([spans[0]!.from, spans.at(-1)!.to]).toEqual([from, to]);
        for (const [at, span] of spans.entries()) {
          expect(span.from).toBeLessThan(span.to);
          if (at > 0) expect(span.from).toBe(spans[at - 1]!.to);
          for (const end of [span.from, span.to]) {
            if (end === FOREVER || span.grain === null) continue;
            const iso = new Date(end).toISOString();
            expect(iso.endsWith({ hour: ":00:00.000Z", day: "T00:00:00.000Z", month: "-01T00:00:00.000Z" }[span.grain])).toBe(true);
          }
        }
      }),
    );
  });

  it("reads less than an hour of records at either end, and never a fine grain where a coarse one fits", () => {
    fc.assert(
      fc.property(moments, moments, (from, to) => {
        const spans = cover(from, to, GRAINS);
        const length = { null: HOUR_MS, hour: DAY_MS, day: 31 * DAY_MS, month: Infinity };
        if (to - from < 2 * HOUR_MS) return;
        expect(spans.length).toBeLessThanOrEqual(7);
        for (const grain of [null, "hour", "day"] as const) {
          const fine = spans.filter((span) => span.grain === grain);
          expect(fine.length).toBeLessThanOrEqual(2);
          const total = fine.reduce((sum, span) => sum + span.to - span.from, 0);
          expect(total).toBeLessThan(2 * length[`${grain}`]);
        }
      }),
    );
  });
});

describe("levelOf", () => {
  it.each([
    [{}, [], "all"],
    [{}, ["model", "day"], "all"],
    [{ provider: "p", model: "m" }, ["capability", "hour"], "all"],
    [{}, ["team", "month"], "team"],
    [{ team: "t" }, ["tag"], "tag"],
    [{ tag: "x" }, ["team", "model"], "tag"],
    [{ key: "k" }, ["model", "day"], "key"],
    [{ user: "u" }, ["key"], "key"],
    [{}, ["end_user"], "end_user"],
    [{ endUser: "e" }, ["team", "month"], "end_user"],
    [{ endUser: "e" }, ["model"], null],
    [{}, ["end_user", "day"], null],
    [{ key: "k" }, ["capability", "month"], "key"],
    [{ key: "k" }, ["capability", "day"], null],
    [{ key: "k" }, ["tag"], null],
    [{ tag: "x" }, ["tag"], null],
    [{ session: "s" }, ["model"], null],
    [{ task: "t" }, [], null],
    [{ metadata: { a: "b" } }, ["model"], null],
    [{}, ["metadata.a"], null],
  ] as const)("%j by %j is answered by %s", (filter, groupBy, name) => {
    expect(levelOf(filter, groupBy)?.name ?? null).toBe(name);
  });

  it("grains are none coarser than the finest bucket", () => {
    expect(levelOf({}, ["month"])?.grains).toEqual(["month", "day", "hour"]);
    expect(levelOf({}, ["day", "month"])?.grains).toEqual(["day", "hour"]);
    expect(levelOf({}, ["hour"])?.grains).toEqual(["hour"]);
    expect(levelOf({}, ["team", "day"])?.grains).toEqual(["day"]);
    expect(levelOf({}, ["team", "hour"])?.grains).toEqual([]);
    expect(levelOf({}, ["end_user"])?.grains).toEqual(["month"]);
  });
});
