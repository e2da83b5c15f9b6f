import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { isSigned, Receiver } from "../support/receiver.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

it.skipIf(UNABLE)("kill -9 of the gateway between two attempts: the callback comes all the same, by the id that it had", async () => {
  const state = mkdtempSync(join(tmpdir(), "tollgate-callback-"));
  const PORT = String(await freePort());
  let takes = false;
  const to = await Receiver.start(() => ({ status: takes ? 200 : 503 }));
  try {
    let gateway = await startGateway(state, { PORT });
    const { secret: key } = await new Admin(gateway).key({ profile: "default" });
    const tasks = new TaskClient(gateway.origin, key);
    const { id } = await tasks.begin({ engine: "command", argv: ["true"], callback_url: to.url });
    await vi.waitFor(() => expect(to.received.length).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
    const ended = new Promise<void>((resolve) => gateway.child.once("exit", () => resolve()));
    process.kill(-gateway.child.pid!, "SIGKILL");
    await ended;
    const before = to.received.length;
    takes = true;
    gateway = await startGateway(state, { PORT });
    const told = async () => (await tasks.call<{ callback: { status: string; attempts: number } }>("GET", `/v1/task/${id}`)).callback;
    await vi.waitFor(async () => expect((await told()).status).toBe("delivered"), { timeout: 30_000, interval: 200 });
    expect(to.received.length).toBe(before + 1);
    expect(new Set(to.received.map((each) => each.id)).size).toBe(1);
    const { secret } = await tasks.call<{ secret: string }>("GET", "/v1/task/callback_secret");
    expect(to.received.every((each) => isSigned(secret, each))).toBe(true);
    expect((await told()).attempts).toBe(to.received.length);
    process.kill(gateway.child.pid!, "SIGTERM");
    await new Promise<void>((resolve) => gateway.child.once("exit", () => resolve()));
  } finally {
    await to.stop();
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
});
