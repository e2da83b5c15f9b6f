import { describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";
import { rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });

async function client() {
  const { id, secret } = await admin().key({ name: "cli-tasks", profile: "default" });
  return { key: id, tasks: new TaskClient(inject("origin"), secret) };
}

describe("tollgate tasks", () => {
  it("says whose tasks it ends, once, and only if it is meant", async () => {
    const { key } = await client();
    for (const [words, param] of [
      [["--yes"], "--key"],
      [["--key", key, "--all", "--yes"], "--all"],
      [["--key", key], "--yes"],
    ] as const) {
      const { code, err } = await tollgate(["tasks", "cancel-all", ...words, "--json"]);
      expect([code, err]).toEqual([2, expect.stringContaining(param)]);
    }
    expect(await rows(["tasks", "cancel-all", "--key", key, "--yes"])).toEqual([{ cancelled: 0 }]);
  });

  it.skipIf(UNABLE)("A46: lists a key's tasks with what they cost, shows one, and ends one or all", async () => {
    const { key, tasks } = await client();
    const body = { engine: "command", argv: ["sleep", "60"], max_cost_usd: "0.25" };
    const ids = [(await tasks.begin(body)).id, (await tasks.begin(body)).id, (await tasks.begin(body)).id];
    const listed = await rows<{ id: string; cost: object; result?: unknown }>(["tasks", "list", "--key", key]);
    expect(listed.map(({ id }) => id)).toEqual(ids.toReversed());
    for (const { cost, result } of listed) {
      expect(cost).toEqual({ cap_usd: "0.25", spent_usd: "0", reserved_usd: "0.25" });
      expect(result).toBeUndefined();
    }
    const [shown] = await rows<{ cost: object }>(["tasks", "cancel", ids[0]!]);
    expect(shown!.cost).toEqual({ cap_usd: "0.25", spent_usd: "0", reserved_usd: "0" });
    expect(await rows(["tasks", "cancel-all", "--key", key, "--yes"])).toContainEqual({ cancelled: expect.any(Number) });
    for (const id of ids) {
      await tasks.end(id);
      expect(await rows(["tasks", "show", id])).toMatchObject([{ id, status: "cancelled", exit_reason: "cancelled" }]);
    }
    expect(await rows(["tasks", "list", "--key", key, "--status", "running"])).toEqual([]);
  });
});
