import { type AuditEvent, type RequestEvent, toolCallEntries } from "#audit";
import { TollgateError } from "#core";
import type { Taken, TaskNote, TaskState } from "./contract.ts";
import { ASKING } from "./engines/contract.ts";
import { inputOf, type ToolCall } from "./permissions/tools.ts";
import { Judge, type Verdict } from "./permissions/verdict.ts";
import type { TaskPlatform } from "./platform.ts";

/** A call of a tool in an answer that the gateway passes on. */
interface Called extends ToolCall {
  readonly id: string;
}

/** Characters of a tool's input that stand in the log. */
const INPUT_CHARACTERS = 4_096;
const CAPACITY = 2_000;

/** What a task may that began before there were permissions. */
const UNBOUND = { tools: ["*"], agents: ["*"], skills: ["*"], deniedCommands: [], approveTools: [] };

type Platform = Pick<TaskPlatform, "objects" | "events" | "now">;

/** What governs tasks at the wire, read once for each task: what one may does not change while it runs. */
export class Governors {
  readonly #platform: Platform;
  readonly #known = new Map<string, Promise<Governor>>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** The governor of a task. @throws TollgateError `permission_denied` where there is none. */
  of(id: string): Promise<Governor> {
    const governor = this.#known.get(id) ?? this.#read(id);
    this.#known.delete(id);
    this.#known.set(id, governor);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > CAPACITY && oldest !== undefined) this.#known.delete(oldest);
    return governor;
  }

  async #read(id: string): Promise<Governor> {
    try {
      const task = await (this.#platform.objects.getByName(id).view() as Promise<TaskState | null>);
      if (!task) throw new TollgateError("permission_denied", "The task of this credential is not there any more");
      return new Governor(task, this.#platform);
    } catch (thrown) {
      this.#known.delete(id);
      throw thrown;
    }
  }
}

/** Governs one task's calls: strips, judges, takes down. */
class Governor {
  readonly #task: TaskState;
  readonly #platform: Platform;
  readonly #judge: Judge;
  readonly #asks: boolean;

  constructor(task: TaskState, platform: Platform) {
    this.#task = task;
    this.#platform = platform;
    this.#judge = new Judge({ ...UNBOUND, ...task.effective });
    this.#asks = ASKING.has(task.effective.engine);
  }

  /** Whether the model may be told of a tool. Who asks the hook is told of what a dry run does not execute. */
  offers(tool: string): boolean {
    return this.#judge.offers(tool, { dry: this.#asks });
  }

  /**
   * Takes down the calls of an answer in its task's log. Null where they may pass; else why the answer ends here: whoever asks the hook is
   * told there, and to whoever asks nobody a call that may not be does not come.
   */
  async called(
    calls: readonly Called[],
    { request, before }: { readonly request: string; readonly before: number },
  ): Promise<string | null> {
    const verdicts = calls.map((call) => this.#judge.judge(call));
    const cut = this.#asks ? undefined : verdicts.find(({ outcome }) => outcome !== "allowed");
    const reason = cut ? (cut.reason ?? `${cut.tool} waits for a person's word, and this engine cannot wait`) : null;
    const told = verdicts.map((verdict) => (reason === null ? verdict : withheld(verdict, reason)));
    const at = this.#platform.now();
    const taken = calls.map((call, index): Call => ({ call, verdict: told[index]!, order: before + index }));
    const notes = taken.map(({ call, verdict, order }) => noteOf(call, verdict, { origin: `tool:${request}:${order}`, at, request }));
    await Promise.all([this.#object.note(notes, reason), this.#audit(taken, request, at)]);
    return reason;
  }

  /** What becomes of a call that an agent asks about. The wire has taken it down; one that did not come over the wire is taken down here. */
  async asked(call: Called, request: string): Promise<Verdict> {
    const verdict = this.#judge.judge(call);
    const at = this.#platform.now();
    const note = noteOf(call, verdict, { origin: `hook:${request}`, at, request });
    const taken = await (this.#object.noteUnseen(call, note) as Promise<Taken>);
    if (taken === "taken") await this.#audit([{ call, verdict, order: 0 }], request, at);
    if (taken !== "full") return verdict;
    await this.#object.incident({ event: "question_refused", reason: "uncounted" });
    return { ...verdict, outcome: "denied", reason: "this task has asked about more calls than are taken down" };
  }

  async #audit(taken: readonly Call[], request: string, at: number): Promise<void> {
    const { id: task, key, team, effective } = this.#task;
    const entries = await Promise.all(
      taken.map(({ call: { name, input }, verdict: { outcome, reason }, order }) =>
        toolCallEntries(
          { agent: effective.engine, tool: name, input, verdict: outcome, ...(reason === null ? {} : { reason }) },
          { task, key, team, request, at, order },
        ),
      ),
    );
    await sendAll(this.#platform.events, entries.flat());
  }

  /** Takes down what became of a call to a model. */
  async settled({ invocation, cost, log }: RequestEvent): Promise<void> {
    const { request, provider, model, requested, outcome } = invocation;
    const data = {
      request,
      model: provider === null ? requested : `${provider}/${model}`,
      requested,
      outcome,
      code: log.code,
      ms: log.latencyMs,
      usage: cost && { input: cost.usage.input, output: cost.usage.output, cache_read: cost.usage.cacheRead },
      cost_usd: cost?.actualUsd ?? "0",
      status: cost?.status ?? null,
      cache: cost?.cache ?? null,
    };
    await this.#object.note([{ origin: `model:${request}`, at: this.#platform.now(), type: "model_call", data }], null);
  }

  get #object() {
    return this.#platform.objects.getByName(this.#task.id);
  }
}

/** A call, what became of it, and its place in its answer. */
interface Call {
  readonly call: Called;
  readonly verdict: Verdict;
  readonly order: number;
}

/** So many messages, and so many characters of them, a queue takes at once. */
const BATCH = { messages: 50, characters: 100_000 };

async function sendAll(queue: Queue, entries: readonly AuditEvent[]): Promise<void> {
  let batch: AuditEvent[] = [];
  let characters = 0;
  for (const entry of entries) {
    const size = JSON.stringify(entry).length;
    if (batch.length === BATCH.messages || (batch.length > 0 && characters + size > BATCH.characters)) {
      await queue.sendBatch(batch.map((body) => ({ body })));
      [batch, characters] = [[], 0];
    }
    batch.push(entry);
    characters += size;
  }
  if (batch.length > 0) await queue.sendBatch(batch.map((body) => ({ body })));
}

/** Of an answer that ends, every call is one that nobody makes. */
function withheld(verdict: Verdict, reason: string): Verdict {
  return verdict.outcome === "allowed" ? { ...verdict, outcome: "denied", reason: `it stands in an answer that ends: ${reason}` } : verdict;
}

function noteOf(
  { id, name, input }: Called,
  { tool, outcome, reason }: Verdict,
  { origin, at, request }: { readonly origin: string; readonly at: number; readonly request: string },
): TaskNote {
  const cut = input.length > INPUT_CHARACTERS;
  const data = {
    id,
    name,
    tool,
    input: cut ? input.slice(0, INPUT_CHARACTERS).toWellFormed() : inputOf(input),
    ...(cut ? { input_cut: true } : {}),
    verdict: outcome,
    ...(reason === null ? {} : { reason }),
    request,
  };
  return { origin, at, type: "tool_call", data };
}
