import { digestOf, signClaim } from "#runner-claim";
import { type JobEvent, jobEvent, type JobSpec, type Operation } from "#runner-protocol";

/** A runner: where it is, how it is called, and what claims upon it are signed with. */
export interface RunnerAt {
  readonly url: string;
  readonly secret: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** A runner's answer that is no success. */
export class RunnerRefusal extends Error {
  override readonly name = "RunnerRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path?: string;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
}

const CALL_MS = 20_000;
/** Longer than a runner packs at most. */
const PACK_MS = 120_000;

/** One job of a runner, over protocol version 1. What a runner does not answer at all is thrown as it comes. */
export class RunnerJob {
  readonly #runner: RunnerAt;
  readonly #id: string;

  constructor(runner: RunnerAt, id: string) {
    this.#runner = runner;
    this.#id = id;
  }

  /** Makes the job; one that is there already stays what it is. @throws RunnerRefusal */
  async create(spec: JobSpec): Promise<void> {
    await this.#done("create", { method: "PUT", body: new TextEncoder().encode(JSON.stringify(spec)) });
  }

  /** The job's events after one, until its exit or until `signal`. The runner forgets those up to `after`. @throws RunnerRefusal */
  async *events(after: number, signal: AbortSignal): AsyncGenerator<JobEvent> {
    const answer = await this.#call("events", { method: "GET", path: `/events?after=${after}`, signal });
    let rest = "";
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield jobEvent.parse(JSON.parse(line));
    }
  }

  /** Gives the command something to read; nothing more to come where it is empty. @throws RunnerRefusal */
  async write(body: Uint8Array): Promise<void> {
    await this.#done("stdin", { method: "POST", path: "/stdin", body });
  }

  async cancel(): Promise<void> {
    await this.#done("cancel", { method: "DELETE" });
  }

  /** What the job left, as a tar. @throws RunnerRefusal */
  async artifacts(): Promise<ReadableStream<Uint8Array>> {
    return (await this.#call("artifacts", { method: "GET", path: "/artifacts.tar", signal: AbortSignal.timeout(PACK_MS) })).body!;
  }

  /** Leaves nothing of the job at the runner. */
  async forget(): Promise<void> {
    await this.#done("delete", { method: "DELETE", path: "/data" }).catch((error: unknown) => {
      if (!(error instanceof RunnerRefusal && error.status === 404)) throw error;
    });
  }

  async #done(op: Operation, call: Call): Promise<void> {
    const answer = await this.#call(op, { ...call, signal: AbortSignal.timeout(CALL_MS) });
    await answer.body?.cancel();
  }

  async #call(op: Operation, { method, path = "", body, signal }: Call): Promise<Response> {
    const spec = op === "create" && body ? { spec: await digestOf(body) } : {};
    const authorization = `Bearer ${await signClaim(this.#runner.secret, { job: this.#id, op, ...spec })}`;
    const answer = await this.#runner.fetch(`${this.#runner.url}/v1/jobs/${this.#id}${path}`, {
      method,
      headers: { authorization },
      ...(body ? { body } : {}),
      ...(signal ? { signal } : {}),
    });
    if (answer.ok) return answer;
    const told = (await answer.json().catch(() => null)) as { readonly error?: { readonly message?: string } } | null;
    throw new RunnerRefusal(answer.status, told?.error?.message ?? `the runner answered ${answer.status}`);
  }
}
