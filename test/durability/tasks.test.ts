import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { NOT_INSTALLED } from "../../scripts/runner.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient, type TaskTold } from "../support/tasks.ts";

const LINES = 40;
const COUNT = `for i in $(seq ${LINES}); do echo line $i; sleep 0.2; done; echo done > out.txt`;

const BODY = JSON.stringify({ model: "tollgate/echo", messages: [{ role: "user", content: "hi" }] });
/** Calls a model some forty times, whether it answers or not. */
const CALLS = `for i in $(seq 40); do
  { exec 3<>/dev/tcp/127.0.0.1/8787 &&
    printf 'POST /v1/chat/completions HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\ncontent-type: application/json\\r\\ncontent-length: ${BODY.length}\\r\\n\\r\\n%s' '${BODY}' >&3 &&
    head -1 <&3; } 2>&1; sleep 0.1; done; true`;

interface Money {
  readonly spent: string;
  readonly reserved: string;
}

const costOf = (task: TaskTold) => (task as TaskTold & { cost: { spent_usd: string; reserved_usd: string } }).cost;

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

it.skipIf(UNABLE)(
  "A3: kill -9 of the gateway amid a task's calls: nothing stays reserved, and what is spent is the sum of its records",
  async () => {
    const state = mkdtempSync(join(tmpdir(), "tollgate-task-money-"));
    const PORT = String(await freePort());
    // A hold of a call that was cut expires soon.
    const env = { PORT, TOLLGATE_TIMEOUT_TOTAL_S: "5", TOLLGATE_HOLD_GRACE_S: "1" };
    try {
      let gateway = await startGateway(state, env);
      const { secret } = await new Admin(gateway).key({ profile: "default", budgets: [{ window: "total", limit_usd: "1" }] });
      const tasks = new TaskClient(gateway.origin, secret);
      const { id } = await tasks.begin({ engine: "command", argv: ["bash", "-c", CALLS], max_cost_usd: "0.4" });
      await tasks.until(id, (task) => costOf(task).spent_usd !== "0");
      await end(gateway.child, "SIGKILL");
      gateway = await startGateway(state, env);
      expect((await tasks.end(id)).exit_reason).toBe("ok");
      const budget = async () => (await tasks.call<{ budgets: { status: Money }[] }>("GET", "/v1/key")).budgets[0]!.status;
      await expect.poll(async () => (await budget()).reserved, { timeout: 60_000, interval: 200 }).toBe("0");
      const { spent } = await budget();
      await expect
        .poll(async () => costOf(await tasks.get(id)), { timeout: 10_000 })
        .toMatchObject({ spent_usd: spent, reserved_usd: "0" });
      const summary = () => new Admin(gateway).call<{ data: { usd: string }[] }>("GET", `/costs/summary?group_by=task&task=${id}`);
      await expect.poll(async () => (await summary()).data.map(({ usd }) => usd), { timeout: 60_000, interval: 200 }).toEqual([spent]);
      await end(gateway.child, "SIGTERM");
    } finally {
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
    }
  },
);
