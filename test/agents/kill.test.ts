import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { approvals, waiting } from "../support/asking.ts";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import type { EventTold, TaskTold } from "../support/tasks.ts";
import { installsIn } from "./installs.ts";
import type { Scripted } from "./scripted.ts";
import { ENGINES, stage, TOOLS } from "./stage.ts";

// Each starts the gateway twice, and waits until what died with it is booked.
vi.setConfig({ testTimeout: 300_000 });

const PROFILE = "agents-killed";
const NUMBER = [{ path: "in.txt", text: "the number is 42\n" }];

let state: string;
let env: Record<string, string>;
let gateway: Awaited<ReturnType<typeof startGateway>>;

beforeEach(async () => {
  if (UNABLE !== null) return;
  state = mkdtempSync(join(tmpdir(), "tollgate-agents-kill-"));
  // What was reserved for an answer that died with the gateway is booked soon.
  env = { PORT: String(await freePort()), RUNNER_AGENTS: installsIn(state), TOLLGATE_TIMEOUT_TOTAL_S: "15", TOLLGATE_HOLD_GRACE_S: "1" };
  gateway = await startGateway(state, env);
  const rest = { tools: ["Read", "Write", "Bash"], approve_tools: ["Bash(touch *)"], memory_mb: 1024, cpu_cores: 2, disk_mb: 256 };
  await new Admin(gateway).call("POST", "/profiles", { name: PROFILE, engines: ENGINES, ...rest });
});
afterEach(async () => {
  if (UNABLE !== null) return;
  const gone = new Promise((resolve) => gateway.child.once("exit", resolve));
  gateway.child.kill("SIGTERM");
  await gone;
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
});

/** Ends the gateway's whole tree as a power cut would, and starts it on what is left. */
async function killAndRestart(): Promise<void> {
  const dead = new Promise((resolve) => gateway.child.once("exit", resolve));
  process.kill(-gateway.child.pid!, "SIGKILL");
  await dead;
  gateway = await startGateway(state, env);
}

/** Whether a process of this machine has this command line. */
function runs(line: string): boolean {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") === line;
      } catch {
        return false;
      }
    });
}

/** How often each step of the script was asked for; errands of an agent, which offer no tools, are none. */
function asked({ heard }: Scripted): number[] {
  const steps = heard.filter(({ tools }) => tools.length > 0).map(({ results }) => results.length);
  return [...Map.groupBy(steps, (step) => step).values()].map((each) => each.length);
}

const numbers = (events: readonly EventTold[]) => events.map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

/** The cost records of a task's calls. */
async function records(id: string): Promise<{ actual_usd: string; status: string }[]> {
  const path = `/costs/records?task=${id}&limit=100`;
  return (await new Admin(gateway).call<{ data: { actual_usd: string; status: string }[] }>("GET", path)).data;
}

/** Waits for what was answered: of the last 250 ms before a kill it may be booked as estimated, and an agent may go on sooner. */
async function recorded(id: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect(await records(id)).toHaveLength(count), { timeout: 7_000, interval: 50 });
}

/** A task's cost records once there are as many as its model was asked, and its money once nothing of it is reserved. */
async function booked(id: string, upstream: Scripted): Promise<{ spent: number; statuses: string[]; task: TaskTold }> {
  const admin = new Admin(gateway);
  return vi.waitFor(
    async () => {
      const data = await records(id);
      expect(data.length).toBe(upstream.heard.length);
      const task = await admin.call<TaskTold>("GET", `/tasks/${id}`);
      expect(task.cost.reserved_usd).toBe("0");
      return { spent: data.reduce((sum, { actual_usd }) => sum + Number(actual_usd), 0), statuses: data.map(({ status }) => status), task };
    },
    { timeout: 60_000, interval: 500 },
  );
}

describe.skipIf(UNABLE).each(ENGINES)("kill -9 of the gateway under %s", (engine) => {
  const { read, write, sh } = TOOLS[engine];

  it("A18, A22: while a tool runs: the task goes on to its end, no event is lost or doubled, and every answer is paid once", async () => {
    const nap = engine === "codex" ? "8.217" : "8.218";
    const script = [read("in.txt"), sh(`sleep ${nap}; echo slept`), write("out.txt", "42\n"), "The number is 42."];
    const { upstream, tasks, begin, artifact } = await stage(gateway, { engine, script, profile: PROFILE });
    const { id } = await begin({ prompt: "Write the number down.", files: NUMBER });
    await vi.waitFor(() => expect(runs(`sleep\0${nap}\0`)).toBe(true), { timeout: 60_000, interval: 20 });
    await recorded(id, upstream.heard.length);
    await killAndRestart();
    const events = await tasks.events(id);
    expect(numbers(events)).toEqual(upTo(events.length));
    expect(await tasks.get(id)).toMatchObject({
      status: "completed",
      exit_reason: "ok",
      error: null,
      result: { text: "The number is 42." },
    });
    expect(await artifact(id, "out.txt")).toBe("42\n");
    expect(upstream.heard.at(-1)!.results[1]).toContain("slept");
    expect(asked(upstream)).toEqual([1, 1, 1, 1]);
    const { spent, statuses, task } = await booked(id, upstream);
    expect(new Set(statuses)).toEqual(new Set(["actual"]));
    expect(Number(task.cost.spent_usd)).toBeCloseTo(spent, 9);
  });

  it("A22: amid an answer: the task ends as what it is, what was answered whole is paid once, and what broke off is booked as estimated", async () => {
    const script = [read("in.txt"), write("out.txt", "42\n"), "The number is 42."];
    const { upstream, tasks, begin } = await stage(gateway, { engine, script, profile: PROFILE });
    const stalled = upstream.stall(1);
    const { id } = await begin({ prompt: "Write the number down.", files: NUMBER });
    await stalled;
    await recorded(id, upstream.heard.length - 1);
    await killAndRestart();
    const events = await tasks.events(id);
    expect(numbers(events)).toEqual(upTo(events.length));
    const ended = await tasks.end(id);
    // What broke off is asked for again once; not by Codex where it had heard the beginning, which then fails of it and says so.
    const again = asked(upstream)[1] === 2;
    if (engine === "claude-code") expect(again).toBe(true);
    expect([ended.status, ended.exit_reason, asked(upstream)]).toEqual(
      again ? ["completed", "ok", [1, 2, 1]] : ["failed", "error", [1, 1]],
    );
    expect(ended.result?.files.map(({ path }) => path)).toEqual(again ? ["out.txt"] : []);
    const { spent, statuses, task } = await booked(id, upstream);
    expect(statuses.filter((status) => status === "estimated")).toHaveLength(1);
    expect(Number(task.cost.spent_usd)).toBeCloseTo(spent, 9);
  });
});

it.skipIf(UNABLE)(
  "A24: kill -9 of the gateway while Claude Code waits for a word: it is the same question, and the word still comes",
  async () => {
    const script = [TOOLS["claude-code"].sh("touch released.txt"), "Released."];
    const { upstream, tasks, begin } = await stage(gateway, { engine: "claude-code", script, profile: PROFILE });
    const { id } = await begin({ prompt: "Release." });
    const before = await waiting(tasks, id);
    await killAndRestart();
    const after = await waiting(tasks, id);
    expect(after.approvals).toEqual(before.approvals);
    await tasks.call("POST", `/v1/task/${id}/approve`, { id: after.approvals[0]!.id, decision: "approve" });
    expect(await tasks.end(id)).toMatchObject({ status: "completed", exit_reason: "ok", result: { files: [{ path: "released.txt" }] } });
    expect(approvals(await tasks.events(id))).toHaveLength(2);
    expect(asked(upstream)).toEqual([1, 1]);
  },
);
