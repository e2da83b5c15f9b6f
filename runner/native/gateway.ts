import { type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";

/** What became of a call that got no answer to go by. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  /** `refused`: answered, and not to be asked again; `interrupted`: sent, and perhaps paid for, but not answered whole. */
  readonly kind: "refused" | "interrupted";
  readonly status: number | null;
  readonly code: string | null;
  /** The gateway's id of the call, where it said one. */
  readonly request: string | null;

  constructor(kind: CallFailure["kind"], message: string, of: { status?: number; code?: string | null; request?: string | null } = {}) {
    super(message);
    this.kind = kind;
    this.status = of.status ?? null;
    this.code = of.code ?? null;
    this.request = of.request ?? null;
  }
}

type Headers = Readonly<Record<string, string>>;

const TRIES = 6;
const WAIT_MS_MAX = 8_000;
/** A provider's `retry-after` beyond this is not waited for. */
const AFTER_MS_MAX = 60_000;
const RETRIED = new Set([408, 409, 429, 500, 502, 503, 504, 529]);

/** The gateway as it is seen from inside the sandbox. The task's own time is what bounds how long it is waited for. */
export class Gateway {
  readonly #origin: string;
  readonly #notice: (text: string) => void;

  constructor(origin: string, notice: (text: string) => void) {
    this.#origin = origin;
    this.#notice = notice;
  }

  /**
   * Sends JSON, and again while the gateway cannot be reached at all or says that it makes sense. The answer is one of success, its body
   * unread. @throws CallFailure
   */
  async post(path: string, body: unknown, headers: Headers = {}): Promise<IncomingMessage> {
    const bytes = Buffer.from(JSON.stringify(body));
    for (let tries = 1, unreached = 0; ;) {
      const answer = await this.#send(path, bytes, headers);
      if (answer === null || isUnreached(answer)) {
        answer?.resume();
        if (unreached++ === 0) this.#notice("the gateway cannot be reached; waiting for it");
        await wait(pauseMs(unreached));
        continue;
      }
      if (answer.statusCode === 200) return answer;
      const failure = await failureOf(answer);
      const afterMs = retryAfterMs(answer);
      const again = failure.kind === "refused" && isRetried(answer) && tries < TRIES && afterMs <= AFTER_MS_MAX;
      if (!again) throw failure;
      this.#notice(`${failure.message}; trying again`);
      await wait(Math.max(afterMs, pauseMs(tries++)));
    }
  }

  /** The head of an answer; null where nobody listens. Nothing here ends a call that takes long: an approval may take a person's time. */
  #send(path: string, bytes: Buffer, headers: Headers): Promise<IncomingMessage | null> {
    return new Promise((resolve, reject) => {
      const call = request(`${this.#origin}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-length": bytes.length, ...headers },
      });
      call.once("response", resolve);
      call.once("error", (error) => {
        if ("code" in error && error.code === "ECONNREFUSED") resolve(null);
        else reject(new CallFailure("interrupted", `the connection broke: ${error.message}`));
      });
      call.end(bytes);
    });
  }
}

/** The gateway puts an id on all that it answers; what has none was said on the way to it. */
function idOf({ headers }: IncomingMessage): string | null {
  const id = headers["x-request-id"];
  return typeof id === "string" ? id : null;
}

function isUnreached(answer: IncomingMessage): boolean {
  return answer.statusCode === 503 && idOf(answer) === null;
}

function isRetried({ statusCode = 0, headers }: IncomingMessage): boolean {
  const told = headers["x-should-retry"];
  return told === undefined ? RETRIED.has(statusCode) : told === "true";
}

function retryAfterMs({ headers }: IncomingMessage): number {
  const seconds = Number(headers["retry-after"] ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

function pauseMs(tries: number): number {
  return Math.min(WAIT_MS_MAX, 100 * 2 ** tries);
}

async function failureOf(answer: IncomingMessage): Promise<CallFailure> {
  const [status, request] = [answer.statusCode ?? 0, idOf(answer)];
  const { message, code } = errorIn(await textOf(answer));
  // Whatever stands between may have sent it on before it failed.
  const kind = status >= 500 && request === null ? "interrupted" : "refused";
  return new CallFailure(kind, message ?? `the gateway answered ${status}`, { status, code, request });
}

/** The whole of an answer as text. @throws CallFailure where it breaks off. */
export async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of answer) parts.push(part as Buffer);
  } catch (error) {
    throw brokenOff(error, idOf(answer));
  }
  return Buffer.concat(parts).toString("utf8");
}

/** A failure for an answer that broke off. */
export function brokenOff(error: unknown, request: string | null): CallFailure {
  return new CallFailure("interrupted", `the answer broke off: ${error instanceof Error ? error.message : "for no reason told"}`, {
    request,
  });
}

/** The message and the code of an error's envelope, of either vendor's form. */
export function errorIn(text: string): { readonly message: string | null; readonly code: string | null } {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; code?: unknown; type?: unknown } | null };
    const code = error?.code ?? error?.type;
    return { message: typeof error?.message === "string" ? error.message : null, code: typeof code === "string" ? code : null };
  } catch {
    return { message: null, code: null };
  }
}
