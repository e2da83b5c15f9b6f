import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { approvals, asking, call, decided, waiting } from "../support/asking.ts";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const PROFILE = { name: "approvals", tools: ["Bash"], approve_tools: ["Bash(git push *)"] };

it.skipIf(UNABLE)("kill -9 of the gateway while a call waits: asked again it is the same question, and the word still comes", async () => {
  const state = mkdtempSync(join(tmpdir(), "tollgate-approvals-"));
  const PORT = String(await freePort());
  try {
    let gateway = await startGateway(state, { PORT });
    const own = new Admin(gateway);
    await own.call("POST", "/profiles", PROFILE);
    const client = new TaskClient(gateway.origin, (await own.key({ profile: "approvals" })).secret);
    const { id } = await asking(client, [call("Bash", { command: "git push" })]);
    const before = await waiting(client, id);
    const dead = new Promise((resolve) => gateway.child.once("exit", resolve));
    process.kill(-gateway.child.pid!, "SIGKILL");
    await dead;
    gateway = await startGateway(state, { PORT });
    const after = await waiting(client, id);
    expect(after.approvals).toEqual(before.approvals);
    await client.call("POST", `/v1/task/${id}/approve`, { id: after.approvals[0]!.id, decision: "approve" });
    expect(decided(await client.end(id)).map(({ permissionDecision }) => permissionDecision)).toEqual(["allow"]);
    expect(approvals(await client.events(id))).toHaveLength(2);
    const stopped = new Promise((resolve) => gateway.child.once("exit", resolve));
    process.kill(gateway.child.pid!, "SIGTERM");
    await stopped;
  } finally {
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
});
