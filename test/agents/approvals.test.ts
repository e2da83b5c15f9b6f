import { beforeAll, describe, expect, inject, it } from "vitest";
import { approvals, waiting } from "../support/asking.ts";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { stage, TOOLS } from "./stage.ts";

const gateway = { origin: inject("origin"), adminKey: inject("adminKey") };
const PROFILE = "agents-approved";
const { sh, write } = TOOLS["claude-code"];

beforeAll(async () => {
  const rest = { tools: ["Write", "Bash"], approve_tools: ["Bash(touch *)"], memory_mb: 1024, cpu_cores: 2, disk_mb: 256 };
  await new Admin(gateway).call("POST", "/profiles", { name: PROFILE, engines: ["claude-code"], ...rest });
});

describe.skipIf(UNABLE)("A24: what waits for a person's word in Claude Code", () => {
  const script = [write("a.txt", "1\n"), sh("touch released.txt"), "Gone on."];

  it("is shown, asks the model nothing meanwhile, and is done once it is approved", async () => {
    const { upstream, tasks, begin } = await stage(gateway, { engine: "claude-code", script, profile: PROFILE });
    const { id } = await begin({ prompt: "Release." });
    const { approvals: asked, status } = await waiting(tasks, id);
    expect([status, asked.map(({ tool, input }) => [tool, input])]).toEqual([
      "waiting_approval",
      [["Bash", expect.objectContaining({ command: "touch released.txt" })]],
    ]);
    expect([upstream.heard.length, (await tasks.get(id)).exit_reason]).toEqual([2, null]);
    await tasks.call("POST", `/v1/task/${id}/approve`, { id: asked[0]!.id, decision: "approve", reason: "seen by Ada" });
    const ended = await tasks.end(id);
    expect(ended).toMatchObject({ status: "completed", exit_reason: "ok", result: { text: "Gone on." } });
    expect(ended.result?.files.map(({ path }) => path)).toEqual(["a.txt", "released.txt"]);
    expect(approvals(await tasks.events(id)).map(({ decision }) => decision)).toEqual([undefined, "approve"]);
    expect(upstream.heard.length).toBe(3);
  });

  it("is told no where it is denied, with the reason, does nothing, and goes on", async () => {
    const { upstream, tasks, begin } = await stage(gateway, { engine: "claude-code", script, profile: PROFILE });
    const { id } = await begin({ prompt: "Release." });
    const { approvals: asked } = await waiting(tasks, id);
    await tasks.call("POST", `/v1/task/${id}/approve`, { id: asked[0]!.id, decision: "deny", reason: "not on a Friday" });
    const ended = await tasks.end(id);
    expect(ended).toMatchObject({ status: "completed", exit_reason: "ok", result: { text: "Gone on." } });
    expect(ended.result?.files.map(({ path }) => path)).toEqual(["a.txt"]);
    expect(upstream.heard.at(-1)!.results[1]).toContain("not on a Friday");
  });
});
