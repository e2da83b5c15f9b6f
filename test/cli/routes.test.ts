import { describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
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

  it("explain says where a request would go, and what stands against the others; ends with 4 where nothing can take it", async () => {
    const admin = new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
    const env = { TOLLGATE_KEY: (await admin.key({ name: "cli-explain", models: { allow: ["tollgate/*"], deny: [] } })).secret };
    const words = ["routes", "explain", "--model", "auto", "--prompt", "Why is the sky blue?"];
    const [told] = await rows<{ model: string; auto: boolean; candidates: { model: string }[] }>(words, { env });
    const asked = {
      operation: "chat.completions",
      request: { model: "auto", messages: [{ role: "user", content: "Why is the sky blue?" }] },
    };
    const direct = await fetch(`${inject("origin")}/v1/route/explain`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.TOLLGATE_KEY}`, "content-type": "application/json" },
      body: JSON.stringify(asked),
    });
    expect(told).toEqual(await direct.json());
    expect([told!.model, told!.auto]).toEqual([expect.stringMatching(/^tollgate\//), true]);
    const shown = await tollgate(words, { env });
    expect([shown.code, shown.out]).toEqual([0, expect.stringMatching(/^MODEL +TIER +CHOSEN +OUT +WHY$/m)]);
    const refused = await tollgate(["routes", "explain", "--model", "openai/gpt-5", "--prompt", "hi", "--json"], { env });
    expect([refused.code, (JSON.parse(refused.out) as { model: unknown }).model]).toEqual([4, null]);
  });
});
