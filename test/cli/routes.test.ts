import { describe, expect, it } from "vitest";
import { rows, tollgate } from "./run.ts";

interface Route {
  readonly id: string;
  readonly name: string;
  readonly targets: readonly Record<string, unknown>[];
}

describe("tollgate routes", () => {
  it("set makes a route and changes the one of its name, list and show tell of it, delete takes it away", async () => {
    const made = await rows<Route>([
      "routes",
      "set",
      "cli-route",
      "--target",
      "tollgate/echo",
      "--target",
      "tollgate/slow",
      "--weight",
      "tollgate/slow=3",
    ]);
    expect(made).toMatchObject([
      {
        name: "cli-route",
        targets: [
          { model: "echo", weight: 1 },
          { model: "slow", weight: 3 },
        ],
        retries: 1,
      },
    ]);
    const [changed] = await rows<Route>(["routes", "set", "cli-route", "--strategy", "weighted", "--retries", "0", "--sticky", "no"]);
    expect(changed).toMatchObject({ id: made[0]!.id, targets: made[0]!.targets, strategy: "weighted", retries: 0, sticky: false });
    expect(await rows(["routes", "show", "cli-route"])).toEqual([changed]);
    expect((await rows<Route>(["routes", "list"])).map(({ name }) => name)).toContain("cli-route");
    const inner = await rows<Route>(["routes", "set", "cli-outer", "--target", "route:cli-route"]);
    expect(inner[0]!.targets).toMatchObject([{ route: "cli-route" }]);
    expect((await tollgate(["routes", "delete", "cli-outer"])).code).toBe(2);
    for (const name of ["cli-outer", "cli-route"]) expect((await tollgate(["routes", "delete", name, "--yes"])).code).toBe(0);
    const gone = await tollgate(["routes", "show", "cli-route"]);
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining("There is no route cli-route")]);
  });

  it("says what is wrong before anything is sent, and names the option where the gateway refuses", async () => {
    for (const line of [
      ["--retries", "1"],
      ["--target", "echo"],
      ["--weight", "a/b=1"],
    ])
      expect((await tollgate(["routes", "set", "cli-new", ...line])).code).toBe(2);
    const refused = await tollgate(["routes", "set", "cli-new", "--target", "nobody/m"]);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('there is no provider "nobody"')]);
  });
});
