import type { RequestEvent } from "#audit";
import { TollgateError } from "#core";
import type { TaskNote, TaskView } from "./contract.ts";
import { ASKING } from "./engines/contract.ts";
import { Judge, type Verdict } from "./permissions/verdict.ts";
import type { TaskObject } from "./task.do.ts";

/** A call of a tool in an answer that the gateway passes on. */
interface Called {
  readonly id: string;
  readonly name: string;
  /** The text of a JSON value, or a text in the tool's own form. */
  readonly input: string;
}

/** Characters of a tool's input that stand in the log. */
const INPUT_CHARACTERS = 4_096;
const CAPACITY = 2_000;

interface Tasks {
  readonly objects: DurableObjectNamespace<TaskObject>;
  readonly now: () => number;
}

/** What governs tasks at the wire, read once for each task: what one may does not change while it runs. */
export class Governors {
  readonly #platform: Tasks;
  readonly #known = new Map<string, Promise<Governor>>();

  constructor(platform: Tasks) {
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
      const task = await (this.#platform.objects.getByName(id).view() as Promise<TaskView | null>);
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
  readonly #task: TaskView;
  readonly #platform: Tasks;
  readonly #judge: Judge;
  readonly #asks: boolean;

  constructor(task: TaskView, platform: Tasks) {
    this.#task = task;
    this.#platform = platform;
    this.#judge = new Judge(task.effective);
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
    const notes = calls.map((call, index): TaskNote => {
      const order = before + index;
      return { origin: `tool:${request}:${order}`, at, type: "tool_call", data: { ...callShape(call, told[index]!), request } };
    });
    await this.#object.note(notes, reason);
    return reason;
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

/** Of an answer that ends, every call is one that nobody makes. */
function withheld(verdict: Verdict, reason: string): Verdict {
  return verdict.outcome === "allowed" ? { ...verdict, outcome: "denied", reason: `it stands in an answer that ends: ${reason}` } : verdict;
}

function callShape({ id, name, input }: Called, { tool, outcome, reason }: Verdict) {
  const cut = input.length > INPUT_CHARACTERS;
  return {
    id,
    name,
    tool,
    input: cut ? input.slice(0, INPUT_CHARACTERS).toWellFormed() : read(input),
    ...(cut ? { input_cut: true } : {}),
    verdict: outcome,
    ...(reason === null ? {} : { reason }),
  };
}

/** What is no JSON is a text in the tool's own form. */
function read(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
