import type { Admin } from "./gateway.ts";

/** A task as it is told. */
export interface TaskTold {
  readonly id: string;
  readonly status: string;
  readonly exit_reason: string | null;
  readonly last_seq: number;
  readonly cost: { readonly cap_usd: string; readonly spent_usd: string; readonly reserved_usd: string };
  readonly result: {
    readonly text: string;
    readonly structured: unknown;
    readonly exit_code: number;
    readonly message: string | null;
    readonly files: readonly { readonly path: string }[];
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** An event as it is told. */
export interface EventTold {
  readonly seq: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

interface Refusal {
  readonly code: string;
  readonly param: string | null;
  readonly details: { readonly violations?: readonly { readonly kind: string; readonly name: string }[] };
}

const END_MS = 25_000;

/** A client of tasks, with a key of its own. */
export class TaskClient {
  readonly #origin: string;
  readonly #key: string;

  constructor(origin: string, key: string) {
    this.#origin = origin;
    this.#key = key;
  }

  raw(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.#origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.raw(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as Answer;
  }

  begin(body: unknown): Promise<TaskTold> {
    return this.call("POST", "/v1/task", body);
  }

  async refused(body: unknown): Promise<{ status: number; error: Refusal }> {
    const answer = await this.raw("POST", "/v1/task", body);
    return { status: answer.status, ...((await answer.json()) as { error: Refusal }) };
  }

  get(id: string): Promise<TaskTold> {
    return this.call("GET", `/v1/task/${id}`);
  }

  /** Its events after one, until its exit. */
  async events(id: string, after?: number): Promise<EventTold[]> {
    const headers: Record<string, string> = after === undefined ? {} : { "last-event-id": String(after) };
    const answer = await this.raw("GET", `/v1/task/${id}/events`, undefined, headers);
    const frames = (await answer.text()).split("\n\n").filter((frame) => frame.startsWith("id: "));
    return frames.map((frame) => JSON.parse(/^data: (.*)$/m.exec(frame)![1]!) as EventTold);
  }

  async until(id: string, holds: (task: TaskTold) => boolean): Promise<TaskTold> {
    for (const until = Date.now() + END_MS; ;) {
      const task = await this.get(id);
      if (holds(task)) return task;
      if (Date.now() > until) throw new Error(`the task stayed ${task.status}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  end(id: string): Promise<TaskTold> {
    return this.until(id, ({ exit_reason }) => exit_reason !== null);
  }

  /** The newest entry of a type about a key, or about one task of it, once it has reached the database, which may be after older ones have. */
  async audited(admin: Admin, type: string, key: string, task?: string): Promise<Record<string, unknown>> {
    for (const until = Date.now() + 10_000; ;) {
      const { data } = await admin.call<{ data: Record<string, unknown>[] }>("GET", `/audit?type=${type}&key=${key}`);
      const found = data.find((entry) => task === undefined || entry["task"] === task);
      if (found) return found;
      if (Date.now() > until) throw new Error(`no ${type} in the audit`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
