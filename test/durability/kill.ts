import { type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { FakeUpstream } from "../support/upstream/server.ts";

/** What a run found. Every list must be empty, both differences zero. */
export interface Findings {
  readonly rounds: number;
  readonly settled: number;
  readonly answered: number;
  readonly dispatched: number;
  readonly estimated: number;
  /** Answered more than 250 ms before the kill, and without a record. */
  readonly lost: readonly string[];
  /**
   * Seen by the upstream, and without a record after every hold has expired. What was admitted from a float less than 250 ms before
   * the kill may have died untold.
   */
  readonly unbilled: readonly string[];
  /** With more than one record that counts. */
  readonly doubled: readonly string[];
  /** Nano-USD by which the database's sum differs from the ledger's, and what is still reserved. */
  readonly difference: number;
  readonly reserved: number;
  /** Requests that the keys' limits still take for running. */
  readonly inFlight: number;
}

interface Sent {
  readonly session: string;
  /** Held by the ledger before it was sent, or admitted from an isolate's float. */
  readonly held: boolean;
  readonly sentAt: number;
  answeredAt: number | null;
}

/** The keys of a run: half of the load is under a strict budget, half under a tight one. */
interface Keys {
  readonly held: string;
  readonly float: string;
}

interface Stored {
  readonly id: string;
  readonly session: string | null;
  readonly nano_usd: number;
  readonly status: string;
  readonly reprices: string | null;
}

const WORKERS = 24;
const ACKNOWLEDGED_MS = 250;
const ENV = { TOLLGATE_TIMEOUT_TOTAL_S: "4", TOLLGATE_HOLD_GRACE_S: "1" };
const nano = (usd: string) => Math.round(Number(usd) * 1e9);

/** Ends processes at once, as a power cut would: the whole tree, or node alone with workerd left behind. */
function kill(child: ChildProcess, whole: boolean): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  process.kill(whole ? -child.pid! : child.pid!, "SIGKILL");
  return ended;
}

/** Sends requests until told to stop; what was answered is noted by the clock. */
async function load(origin: string, keys: Keys, round: number, sent: Sent[], signal: AbortSignal): Promise<void> {
  let next = 0;
  const worker = async (lane: number) => {
    while (!signal.aborted) {
      const held = lane % 2 === 0;
      const request: Sent = { session: `r${round}-l${lane}-${next++}`, held, sentAt: performance.now(), answeredAt: null };
      sent.push(request);
      const stream = next % 3 === 0;
      try {
        const answer = await fetch(`${origin}/v1/chat/completions`, {
          method: "POST",
          signal,
          headers: {
            authorization: `Bearer ${held ? keys.held : keys.float}`,
            "content-type": "application/json",
            "x-tollgate-session-id": request.session,
            "x-case": request.session,
            "x-scenario": "slow-3",
          },
          body: JSON.stringify({ model: "dur/gpt-4o-mini", max_tokens: 10, stream, messages: [] }),
        });
        await answer.text();
        if (answer.ok) request.answeredAt = performance.now();
      } catch {
        // The gateway was killed under this request; what became of it is what the run finds out.
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, lane) => worker(lane)));
}

async function everyRecord(admin: Admin): Promise<Stored[]> {
  const records: Stored[] = [];
  for (let cursor = ""; ;) {
    const page = await admin.call<{ data: Stored[]; next_cursor: string | null }>("GET", `/costs/records?limit=1000${cursor}`);
    records.push(...page.data);
    if (page.next_cursor === null) return records;
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}

/** Kills the gateway under load, again and again, on one state, and then counts. Every other round leaves workerd behind. */
export async function killRepeatedly(rounds: number, loadMs: number, tell: (line: string) => void = () => undefined): Promise<Findings> {
  const state = mkdtempSync(join(tmpdir(), "tollgate-kill-"));
  const upstream = await FakeUpstream.start();
  const port = String(await freePort());
  const sent: Sent[] = [];
  const early = new Set<string>();
  const untold = new Set<string>();
  const keys = { held: "", float: "" };
  try {
    for (let round = 0; round < rounds; round++) {
      const gateway = await startGateway(state, { ...ENV, PORT: port });
      const admin = new Admin(gateway);
      if (round === 0) {
        await admin.upstream("dur", "openai", upstream.origin, ["gpt-4o-mini"]);
        // Wide enough that none is met: what is counted of them must outlive every kill all the same.
        const limits = { rpm: 1_000_000, tpm: 100_000_000, concurrency: 1_000 };
        const under = (mode: string) => admin.key({ limits, budgets: [{ window: "total", limit_usd: "1000", mode }] });
        keys.held = (await under("strict")).secret;
        keys.float = (await under("tight")).secret;
      }
      const stop = new AbortController();
      const from = sent.length;
      const loading = load(gateway.origin, keys, round, sent, stop.signal);
      await wait(loadMs + Math.random() * 500);
      const killedAt = performance.now();
      await kill(gateway.child, round % 2 === 0);
      stop.abort();
      await loading;
      const answered = sent.slice(from).filter(({ answeredAt }) => answeredAt !== null);
      for (const { session, held, sentAt } of sent.slice(from)) if (!held && killedAt - sentAt <= ACKNOWLEDGED_MS) untold.add(session);
      for (const { session } of answered.filter(({ answeredAt }) => killedAt - answeredAt! > ACKNOWLEDGED_MS)) early.add(session);
      tell(`round ${round + 1}: ${answered.length} answered, killed ${round % 2 === 0 ? "the whole tree" : "node alone"}`);
    }
    return await count(await startGateway(state, { ...ENV, PORT: port }), { rounds, keys, sent, early, untold, upstream });
  } finally {
    await upstream.stop();
    for (const pid of readFileSync(join(state, "workerd.pid"), "utf8").split("\n").filter(Boolean)) end(Number(pid));
    rmSync(state, { recursive: true, force: true });
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

interface Played {
  readonly rounds: number;
  readonly keys: Keys;
  readonly sent: readonly Sent[];
  readonly early: ReadonlySet<string>;
  readonly untold: ReadonlySet<string>;
  readonly upstream: FakeUpstream;
}

/** A key, as it sees itself. */
interface Standing {
  readonly spent_usd: string;
  readonly reserved_usd: string;
  readonly limits: { readonly concurrency: { readonly in_use: number } };
  readonly budgets: readonly { readonly status: { readonly reserved: string } }[];
}

async function count(gateway: Awaited<ReturnType<typeof startGateway>>, played: Played): Promise<Findings> {
  const admin = new Admin(gateway);
  const standing = async () => {
    const answers = [played.keys.held, played.keys.float].map(async (secret) => {
      const answer = await fetch(`${gateway.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
      return (await answer.json()) as Standing;
    });
    const [held, float] = (await Promise.all(answers)) as [Standing, Standing];
    return {
      spent: nano(held.spent_usd) + nano(float.spent_usd),
      reserved: [held, float]
        .flatMap((each) => each.budgets.map(({ status }) => nano(status.reserved)))
        .reduce((sum, each) => sum + each, 0),
      inFlight: held.limits.concurrency.in_use + float.limits.concurrency.in_use,
    };
  };
  for (let tries = 0; tries < 60 && (await standing()).reserved !== 0; tries++) await wait(250);
  const { spent, reserved, inFlight } = await standing();
  let records = await everyRecord(admin);
  const total = () => current(records).reduce((sum, { nano_usd }) => sum + nano_usd, 0);
  for (let tries = 0; tries < 60 && total() !== spent; tries++) {
    await wait(500);
    records = await everyRecord(admin);
  }
  const bySession = Map.groupBy(current(records), ({ session }) => session ?? "");
  const dispatched = new Set(played.upstream.seen.map(({ headers }) => String(headers["x-case"])));
  const findings = {
    rounds: played.rounds,
    settled: records.length,
    answered: played.sent.filter(({ answeredAt }) => answeredAt !== null).length,
    dispatched: dispatched.size,
    estimated: records.filter(({ status }) => status === "estimated").length,
    lost: [...played.early].filter((session) => !bySession.has(session)),
    unbilled: [...dispatched].filter((session) => !bySession.has(session) && !played.untold.has(session)),
    doubled: [...bySession].filter(([, its]) => its.length > 1).map(([session]) => session),
    difference: total() - spent,
    reserved,
    inFlight,
  };
  await kill(gateway.child, true);
  return findings;
}

/** Records that count: one that a later record reprices does not. */
function current(records: readonly Stored[]): Stored[] {
  const replaced = new Set(records.map(({ reprices }) => reprices));
  return records.filter(({ id }) => !replaced.has(id));
}
