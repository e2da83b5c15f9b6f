import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { NOT_INSTALLED } from "../../scripts/runner.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const LINES = 40;
const COUNT = `for i in $(seq ${LINES}); do echo line $i; sleep 0.2; done; echo done > out.txt`;

async function end(child: { readonly pid?: number | undefined; once(event: "exit", done: () => void): unknown }, signal: NodeJS.Signals) {
  const ended = new Promise<void>((resolve) => child.once("exit", resolve));
  process.kill(signal === "SIGKILL" ? -child.pid! : child.pid!, signal);
  await ended;
}

it("a machine that cannot make sandboxes is none of CI's", () => {
  if (UNABLE !== null) console.warn(`Tasks are not tried on this machine: ${UNABLE}`);
  expect(process.env["CI"] ? UNABLE : null).not.toBe(NOT_INSTALLED);
});

it.skipIf(UNABLE)(
  "kill -9 of the gateway amid a task: no event is lost or doubled, it ends as what it came to, and no runner stays behind",
  async () => {
    const state = mkdtempSync(join(tmpdir(), "tollgate-tasks-"));
    const PORT = String(await freePort());
    try {
      let gateway = await startGateway(state, { PORT });
      const { secret } = await new Admin(gateway).key({ profile: "default" });
      const tasks = new TaskClient(gateway.origin, secret);
      const { id } = await tasks.begin({ engine: "command", argv: ["bash", "-c", COUNT] });
      await tasks.until(id, ({ last_seq }) => last_seq > 5);
      await end(gateway.child, "SIGKILL");
      gateway = await startGateway(state, { PORT });
      const middle = await tasks.get(id);
      expect(middle.last_seq).toBeGreaterThan(5);
      const events = await tasks.events(id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
      const said = events.flatMap(({ type, data }) => (type === "stdout" ? [data["text"]] : [])).join("");
      expect(said).toBe(Array.from({ length: LINES }, (_, at) => `line ${at + 1}\n`).join(""));
      expect(await tasks.end(id)).toMatchObject({ status: "completed", exit_reason: "ok", result: { files: [{ path: "out.txt" }] } });

      const lost = await tasks.begin({ engine: "command", argv: ["sleep", "60"] });
      await tasks.until(lost.id, ({ status }) => status === "running");
      const { pid } = JSON.parse(readFileSync(join(state, "runner.json"), "utf8")) as { pid: number };
      await end(gateway.child, "SIGKILL");
      process.kill(pid, "SIGKILL");
      gateway = await startGateway(state, { PORT });
      expect(await tasks.end(lost.id)).toMatchObject({ status: "failed", exit_reason: "runner_lost" });
      const { pid: last } = JSON.parse(readFileSync(join(state, "runner.json"), "utf8")) as { pid: number };
      await end(gateway.child, "SIGTERM");
      await expect.poll(() => existsSync(`/proc/${last}`), { timeout: 10_000 }).toBe(false);
    } finally {
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
    }
  },
);
