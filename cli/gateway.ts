import { setTimeout as wait } from "node:timers/promises";
import packageJson from "#package" with { type: "json" };
import { Failure, misuse } from "./failure.ts";

/** A JSON object as the API answers it. */
export type Row = Readonly<Record<string, unknown>>;

/** Which credential a request goes out with: the operator's, a key's own, whichever is set (the operator's first), or none. */
type Credential = "admin" | "key" | "either" | "none";

/** Where the gateway is and who asks. */
export interface Connection {
  readonly origin: string;
  readonly adminKey: string | null;
  readonly apiKey: string | null;
  readonly timeoutMs: number;
  /** Aborted when the person at the terminal has had enough. */
  readonly signal: AbortSignal;
}

/** One request beside its method and path. */
export interface Ask {
  readonly query?: Readonly<Record<string, unknown>>;
  /** Sent as JSON; a text is JSON already. */
  readonly body?: unknown;
  readonly as?: Credential;
  /** A status that is an answer here, though it is no success. */
  readonly also?: number;
  /** Only the beginning of its answer has to come in time; what follows may take as long as it does. */
  readonly lasting?: true;
}

/** One page of a list. `answer` is the API's object; `more` tells that there is something after the last row asked for. */
export interface Page {
  readonly answer: Row;
  readonly rows: readonly Row[];
  readonly more: boolean;
}

const PAGE_ROWS_MAX = 200;
const TRIES = 3;
/** Longer waits are told to the caller instead: a terminal that is silent for a minute looks dead. */
const WAIT_MS_MAX = 5_000;
const AGENT = `tollgate-cli/${packageJson.version}`;

/** The public API of one gateway. Nothing here knows more than any other client could. */
export class Gateway {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Aborted when the person at the terminal has had enough. */
  get signal(): AbortSignal {
    return this.#connection.signal;
  }

  get origin(): string {
    return this.#connection.origin;
  }

  /** Whether a credential of this kind is set. */
  holds(credential: "admin" | "key"): boolean {
    return this.#connection[credential === "admin" ? "adminKey" : "apiKey"] !== null;
  }

  /** Reads one object. */
  async get(path: string, ask: Ask = {}): Promise<Row> {
    return this.#json(await this.#read(path, ask));
  }

  /** Changes something; null where the answer has no body. */
  async write(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, ask: Ask = {}): Promise<Row | null> {
    const answer = await this.#send(method, path, ask);
    return answer.status === 204 ? null : this.#json(answer);
  }

  /** Reads a list to its end by its cursors, or to `most` rows. */
  async *pages(path: string, { query = {}, ...ask }: Ask, most = Number.POSITIVE_INFINITY): AsyncGenerator<Page> {
    let left = most;
    let cursor: unknown = undefined;
    do {
      const limit = Math.min(left, PAGE_ROWS_MAX);
      const answer = await this.get(path, { ...ask, query: { ...query, limit, cursor } });
      const rows = answer["data"] as readonly Row[] | undefined;
      if (!Array.isArray(rows)) throw stranger(this.origin);
      left -= rows.length;
      cursor = answer["next_cursor"] ?? undefined;
      yield { answer, rows, more: cursor !== undefined };
    } while (cursor !== undefined && left > 0);
  }

  /** Reads a page of a list as a file's text, with the cursor of the next page. */
  async file(path: string, ask: Ask): Promise<{ readonly text: string; readonly next: string | null }> {
    const answer = await this.#read(path, ask);
    return { text: await this.#heard(answer.text()), next: answer.headers.get("x-next-cursor") };
  }

  /** Reads an answer as it comes, for as long as it comes. */
  async stream(path: string, ask: Ask): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.#read(path, { ...ask, lasting: true });
    if (!body) throw stranger(this.origin);
    return body;
  }

  /** A request that may be repeated: the gateway says when, and a short wait is waited. */
  async #read(path: string, ask: Ask): Promise<Response> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#send("GET", path, ask);
      } catch (error) {
        const waitMs = error instanceof Refusal ? error.waitMs : null;
        if (waitMs === null || waitMs > WAIT_MS_MAX || tries === TRIES) throw error;
        await wait(waitMs, undefined, { signal: this.#connection.signal });
      }
    }
  }

  async #send(method: string, path: string, { query = {}, body, as = "admin", also, lasting }: Ask): Promise<Response> {
    const { origin, timeoutMs, signal } = this.#connection;
    const headers = new Headers({ accept: "application/json", "user-agent": AGENT });
    const credential = this.#credential(as);
    if (credential !== null) headers.set("authorization", `Bearer ${credential}`);
    if (body !== undefined) headers.set("content-type", "application/json");
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new DOMException("too late", "TimeoutError")), timeoutMs).unref();
    const answer = await this.#heard(
      fetch(`${origin}${path}${search(query)}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        // A credential follows no redirect: the address it is meant for is the one that was given.
        redirect: "manual",
        signal: AbortSignal.any([signal, late.signal]),
      }).finally(() => lasting && clearTimeout(timer)),
    );
    if (answer.status >= 300 && answer.status < 400) throw redirected(origin, answer);
    if (!answer.ok && answer.status !== also) throw await refusal(answer, origin);
    return answer;
  }

  async #json(answer: Response): Promise<Row> {
    const body = parsed(await this.#heard(answer.text()));
    if (typeof body !== "object" || body === null) throw stranger(this.origin, answer.status);
    return body as Row;
  }

  /** Waits for the network, and gives its failures their meaning. */
  async #heard<Heard>(awaited: Promise<Heard>): Promise<Heard> {
    try {
      return await awaited;
    } catch (error) {
      const { origin, timeoutMs, signal } = this.#connection;
      signal.throwIfAborted();
      const late = error instanceof Error && error.name === "TimeoutError";
      const why = late ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
      const remedy = late ? "" : "; npm start starts one on this machine, TOLLGATE_URL names another";
      throw new Failure("unreachable", `There is no gateway to be reached at ${origin}: ${why}${remedy}`, {
        code: "unreachable",
        cause: error,
      });
    }
  }

  #credential(as: Credential): string | null {
    const { adminKey, apiKey } = this.#connection;
    if (as === "none") return null;
    const found = { admin: adminKey, key: apiKey, either: adminKey ?? apiKey }[as];
    if (found !== null) return found;
    const names = { admin: "TOLLGATE_ADMIN_KEY", key: "TOLLGATE_KEY", either: "TOLLGATE_ADMIN_KEY or TOLLGATE_KEY" }[as];
    const where = as === "key" ? "npm start prints one" : "after npm start the admin key is in .dev.vars";
    throw misuse(`No credential: set ${names}; ${where}`, names);
  }
}

/** The gateway's own no, with the wait after which it might be a yes. */
class Refusal extends Failure {
  readonly waitMs: number | null;

  constructor(message: string, answer: Response, error: ErrorBody) {
    super(error.code === "budget_exceeded" ? "no" : "failed", message, {
      code: error.code,
      param: error.param ?? null,
      status: answer.status,
      request: answer.headers.get("x-request-id"),
      details: error.details,
    });
    const after = Number(answer.headers.get("retry-after-ms") ?? Number.NaN);
    this.waitMs = answer.headers.get("x-should-retry") === "true" && Number.isFinite(after) ? after : null;
  }
}

interface ErrorBody {
  readonly message: string;
  readonly code: string;
  readonly param?: string | null;
  readonly details?: unknown;
}

/** The refusal in the gateway's envelope, or the failure that no gateway of ours answered. */
async function refusal(answer: Response, origin: string): Promise<Failure> {
  const body = (await answer.json().catch(() => null)) as { readonly error?: Partial<ErrorBody> } | null;
  const { message, code, ...facts } = body?.error ?? {};
  if (typeof message !== "string" || typeof code !== "string") return stranger(origin, answer.status);
  return new Refusal(message, answer, { ...facts, message, code });
}

/** The failure that something else stands at the gateway's address. */
export function stranger(origin: string, status?: number): Failure {
  const said = status === undefined ? "" : ` (status ${status})`;
  return new Failure("unreachable", `What answers at ${origin} is not a Tollgate gateway${said}`, { code: "unreachable" });
}

function redirected(origin: string, answer: Response): Failure {
  const to = answer.headers.get("location") ?? "elsewhere";
  return new Failure("unreachable", `${origin} redirects to ${to}; set TOLLGATE_URL to where the gateway itself is`, {
    code: "unreachable",
  });
}

/** JSON as its value; null for what is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The system's word for what went wrong; `fetch` itself only says that it failed. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, message } = cause as Partial<NodeJS.ErrnoException>;
  return code ?? message ?? "the connection failed";
}

function search(query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}
