import { readdirSync, readFileSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Between, HELD } from "../support/between.ts";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { SECRET, TestRunner, UNABLE } from "../support/runner.ts";
import { type EventTold, TaskClient, type TaskTold } from "../support/tasks.ts";

/** Where a task stands when something is killed: held between gateway and runner, or by what it does. */
const STEPS = [...HELD, "streaming", "waiting"] as const;
type Step = (typeof STEPS)[number];

const LINES = 30;
/** Names what is left of a task among the machine's processes. */
const MARK = `sleep\0${7_000 + (process.pid % 900)}`;

function commandOf(step: Step): string {
  const hold = `: hold=${step};`;
  const daemon = `setsid ${MARK.replace("\0", " ")} >/dev/null 2>&1 &`;
  if (step === "streaming") return `${hold} ${daemon} for i in $(seq ${LINES}); do echo line $i; sleep 0.2; done; echo all > out.txt`;
  if (step === "waiting") return `${hold} ${daemon} read word; echo got $word; echo $word > out.txt`;
  return `${hold} ${daemon} echo one; echo two >&2; head -c 3000 /dev/zero > out.txt`;
}

type Gateway = Awaited<ReturnType<typeof startGateway>>;

let runner: TestRunner;
let between: Between;
let gateway: Gateway;
let tasks: TaskClient;
/** What each task comes to where nobody disturbs it; the first test finds it out. */
let undisturbed = new Map<Step, Told>();
const state = mkdtempSync(join(tmpdir(), "tollgate-steps-"));
const env: Record<string, string> = {};

/** A task's end, and its events as far as they are the same in each run: without times, and texts whole instead of as they came. */
interface Told {
  readonly end: readonly unknown[];
  readonly events: readonly (readonly [type: string, said: string])[];
}

function merged(events: readonly EventTold[]): [type: string, said: string][] {
  const told: [string, string][] = [];
  for (const { type, data } of events) {
    const { text, status, reason } = data as Record<string, string | undefined>;
    const said = text ?? status ?? reason ?? "";
    const before = told.findLast(([each]) => each === type && (type === "stdout" || type === "stderr"));
    if (before) before[1] += said;
    else told.push([type, said]);
  }
  // What a command says to two places has no order between them.
  return told.toSorted(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
}
const ORDER = ["status", "stdout", "stderr", "exit"];

async function told(id: string): Promise<Told> {
  const [task, events] = [await tasks.end(id), await tasks.events(id)];
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
  return { end: endOf(task), events: merged(events) };
}

function endOf({ status, exit_reason, result }: TaskTold): unknown[] {
  return [status, exit_reason, result?.exit_code ?? null, result?.files.map(({ path }) => path) ?? []];
}

function begin(step: Step): Promise<TaskTold> {
  return tasks.begin({ engine: "command", argv: ["bash", "-c", commandOf(step)] });
}

async function answerTo(id: string): Promise<void> {
  // Refused, and so not read, until there is a command to read it.
  await expect.poll(async () => (await tasks.raw("POST", `/v1/task/${id}/input`, { text: "yes\n" })).status, { timeout: 15_000 }).toBe(204);
}

/** Begins a task for each step, and waits until each stands there. */
async function everywhere(): Promise<Map<Step, string>> {
  between.hold();
  const ids = new Map(await Promise.all(STEPS.map(async (step) => [step, (await begin(step)).id] as const)));
  await tasks.until(ids.get("streaming")!, ({ last_seq }) => last_seq > 4);
  await tasks.until(ids.get("waiting")!, ({ status }) => status === "running");
  await expect.poll(() => between.reached, { timeout: 15_000 }).toEqual(HELD);
  // Each has leased what it may spend, and is killed with that in hand; the one that has ended has given it back.
  expect((await reserved())[0]).toBeGreaterThan(0);
  return ids;
}

function processes(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(MARK) ? [pid] : [];
    } catch {
      return [];
    }
  });
}

function mounts(): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${runner.state}/jobs/`));
}

/** The cgroups of these tasks, wherever the machine keeps them. */
function cgroups(ids: Iterable<string>): string[] {
  const mine = [...ids];
  return ["/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory"].flatMap((root) => {
    const families = entries(root).filter((name) => name.startsWith("tollgate-"));
    return families.flatMap((family) => entries(`${root}/${family}`).filter((name) => mine.some((id) => name.startsWith(id))));
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What the ledger holds for the key: in all, and of its budget. */
async function reserved(): Promise<number[]> {
  const key = await tasks.call<{ reserved_usd: string; budgets: { status: { reserved: string } }[] }>("GET", "/v1/key");
  return [Number(key.reserved_usd), ...key.budgets.map(({ status }) => Number(status.reserved))];
}

/** Nothing of any task is left: not at the runner, not on the machine, and no place or money of the key. */
async function nothingLeft(ids: Iterable<string>): Promise<void> {
  const mine = [...ids];
  const left = () => [...processes(), ...mounts(), ...cgroups(mine), ...entries(`${runner.state}/jobs`)];
  await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  await expect.poll(reserved, { timeout: 20_000 }).toEqual([0, 0]);
  const next = await Promise.all(STEPS.map(() => tasks.begin({ engine: "command", argv: ["true"] })));
  expect((await Promise.all(next.map(({ id }) => tasks.end(id)))).map(({ exit_reason }) => exit_reason)).toEqual(STEPS.map(() => "ok"));
}

async function kill(child: Gateway["child"], pid: number): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.kill(pid, "SIGKILL");
  await ended;
}

beforeAll(async () => {
  if (UNABLE !== null) return;
  runner = await TestRunner.start();
  between = await Between.start(runner.url);
  const port = String(await freePort());
  Object.assign(env, { PORT: port, TOLLGATE_URL: `http://127.0.0.1:${port}`, RUNNER_URL: between.url, RUNNER_SECRET: SECRET });
  gateway = await startGateway(state, env);
  const admin = new Admin(gateway);
  await admin.call("POST", "/profiles", { name: "steps", max_concurrent_tasks: STEPS.length });
  const { secret } = await admin.key({ profile: "steps", budgets: [{ window: "total", limit_usd: "1000", mode: "strict" }] });
  tasks = new TaskClient(gateway.origin, secret);
}, 120_000);

afterAll(async () => {
  if (UNABLE !== null) return;
  between.stop();
  await kill(gateway.child, -gateway.child.pid!);
  await runner.stop();
  for (const pid of readFileSync(join(state, "workerd.pid"), "utf8").split("\n").filter(Boolean)) end(Number(pid));
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
}, 30_000);

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

describe.skipIf(UNABLE)("kill -9 at each step of a task", () => {
  it("is held against runs that nobody disturbs", async () => {
    const ids = await Promise.all(STEPS.map(async (step) => [step, (await begin(step)).id] as const));
    await answerTo(new Map(ids).get("waiting")!);
    undisturbed = new Map(await Promise.all(ids.map(async ([step, id]) => [step, await told(id)] as const)));
    expect([...undisturbed].map(([step, { end }]) => [step, end])).toEqual(
      STEPS.map((step) => [step, ["completed", "ok", 0, ["out.txt"]]]),
    );
    expect(
      undisturbed
        .get("streaming")!
        .events.find(([type]) => type === "stdout")![1]
        .split("\n"),
    ).toHaveLength(LINES + 1);
  });

  it.each<[string, () => Promise<void>]>([
    ["workerd alone", killWorkerd],
    ["the gateway with all its processes", killTree],
  ])(
    "A18, A42: of %s: each task goes on from where it was and comes to what it would have, no event lost or told twice",
    async (_, strike) => {
      const ids = await everywhere();
      await strike();
      between.release();
      await answerTo(ids.get("waiting")!);
      for (const step of STEPS) expect([step, await told(ids.get(step)!)]).toEqual([step, undisturbed.get(step)]);
      await nothingLeft(ids.values());
    },
    120_000,
  );

  it("A18, A42: of the runner: what nobody has heard of is made anew, what had ended stands, and all else is lost and says so", async () => {
    const ids = await everywhere();
    await runner.kill();
    runner = await TestRunner.start(runner.state);
    between.runner = runner.url;
    between.release();
    const all = new Map(await Promise.all([...ids].map(async ([step, id]) => [step, await told(id)] as const)));
    const lost = ["failed", "runner_lost", null, []];
    const done = ["completed", "ok", 0, ["out.txt"]];
    expect([...all].map(([step, { end }]) => [step, end])).toEqual([
      ["asked", done],
      ["made", done],
      ["unheard", lost],
      ["left", done],
      ["fetching", done],
      ["ended", done],
      ["streaming", lost],
      ["waiting", lost],
    ]);
    // What was heard before stays heard, as far as it went, and the end is told behind it.
    for (const step of ["asked", "made", "left", "fetching", "ended"] as const)
      expect(all.get(step)!.events).toEqual(undisturbed.get(step)!.events);
    const said = (of: Told | undefined) => of!.events.find(([type]) => type === "stdout")?.[1] ?? "";
    expect(said(undisturbed.get("streaming")).startsWith(said(all.get("streaming")))).toBe(true);
    expect(said(all.get("streaming"))).toContain("line 1\n");
    for (const step of ["left", "fetching"] as const) {
      const { result } = (await tasks.get(ids.get(step)!)) as TaskTold & { result: { message: string | null } };
      expect(result.message).toContain("what it left could not be");
      expect((await tasks.raw("GET", `/v1/task/${ids.get(step)!}/artifacts`)).status).toBe(404);
    }
    await nothingLeft(ids.values());
  }, 120_000);
});

/** The runtime starts it again by itself. */
async function killWorkerd(): Promise<void> {
  const killed = workerds();
  expect(killed).not.toEqual([]);
  for (const pid of killed) end(pid);
  const back = () => workerds().some((pid) => !killed.includes(pid)) && fetch(`${gateway.origin}/healthz`).then(({ ok }) => ok);
  await expect.poll(() => Promise.resolve(back()).catch(() => false), { timeout: 30_000 }).toBe(true);
}

async function killTree(): Promise<void> {
  await kill(gateway.child, -gateway.child.pid!);
  gateway = await startGateway(state, env);
}

/** The gateway's own workerd, whichever it is by now. */
function workerds(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        const [, , parent] = /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        return Number(parent) === gateway.child.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("workerd");
      } catch {
        return false;
      }
    });
}
