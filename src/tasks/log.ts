import type { JobSpec } from "#runner-protocol";
import type { Feedback, Taken, Task, TaskEnd, TaskEvent, TaskNote, TaskState } from "./contract.ts";
import type { Said } from "./engines/contract.ts";

/** A stored value holds 2 MB at most. */
const PIECE_BYTES = 1_000_000;
const EVENTS_AT_ONCE = 200;
/** So many calls are taken down that came past the wire: each is an event, and costs whoever makes it nothing. */
const UNSEEN_MAX = 1_000;

const TABLES = `
  create table if not exists events
    (seq integer primary key, at integer not null, type text not null, data text not null, origin text unique);
  create table if not exists spec (piece integer primary key, bytes blob not null);
`;

/** By which a call is found, whatever else a task has said. */
const CALLS = "create index if not exists calls on events (data ->> '$.id', data ->> '$.name') where type = 'tool_call'";

/** Finds a call by its id and its tool's name. */
export const CALLED = "select 1 from events where type = 'tool_call' and data ->> '$.id' = ? and data ->> '$.name' = ? limit 1";

/** How a task ended, and what it said. */
interface Ended extends Pick<TaskState, "status"> {
  readonly end: TaskEnd;
  readonly said: Said;
  readonly spentNano: number | null;
}

/** What a task object has stored: the task, its events, and the spec until the runner has it. One that was only asked for stores nothing. */
export class TaskLog {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    if (!this.task()) return;
    if (!this.#has("origin")) storage.sql.exec("alter table events add column origin text");
    storage.sql.exec(CALLS);
  }

  /** The task; null where none began. */
  task(): Task | null {
    const task = this.#storage.kv.get<Task>("task");
    // One from before tasks had money spent none.
    return task ? { ...task, spentNano: task.spentNano ?? null } : null;
  }

  /** Takes a task down with what the runner is to be told. */
  begin(task: Task, spec: JobSpec): void {
    this.#storage.transactionSync(() => {
      this.#storage.sql.exec(TABLES);
      this.#storage.sql.exec(CALLS);
      this.#storage.kv.put("task", task);
      const bytes = new TextEncoder().encode(JSON.stringify(spec));
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) this.#put(at / PIECE_BYTES, bytes.slice(at, at + PIECE_BYTES));
    });
  }

  /** What the runner is still to be told; null once it has it. */
  spec(): JobSpec | null {
    const pieces = [...this.#storage.sql.exec<{ bytes: ArrayBuffer }>("select bytes from spec order by piece")];
    if (pieces.length === 0) return null;
    const decoder = new TextDecoder();
    const text = pieces.map(({ bytes }) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode();
    return JSON.parse(text) as JobSpec;
  }

  /** The runner has the job. */
  made(): void {
    this.#storage.sql.exec("delete from spec");
  }

  change(changes: Partial<Task>): void {
    this.#storage.kv.put("task", { ...this.task(), ...changes });
  }

  /** Takes down what happened, once for each origin. The events' numbers are the log's own. */
  add(...notes: readonly TaskNote[]): void {
    this.#storage.transactionSync(() => {
      for (const { origin, at, type, data } of notes) {
        const [row] = this.#storage.sql.exec("select 1 from events where origin = ?", origin);
        if (row) continue;
        this.#storage.sql.exec("insert into events values (?, ?, ?, ?, ?)", this.lastSeq() + 1, at, type, JSON.stringify(data), origin);
      }
    });
  }

  /** Whether a call of a tool stands there, by its id and the tool's name. */
  #called({ id, name }: { readonly id: string; readonly name: string }): boolean {
    return this.#storage.sql.exec(CALLED, id, name).next().done === false;
  }

  /** Whether there is room for a call that came past the wire; counted with the asking. One that stands there already needs none. */
  takes(call: { readonly id: string; readonly name: string }): Exclude<Taken, "ended"> {
    if (this.#called(call)) return "known";
    const before = this.#storage.kv.get<number>("unseen") ?? 0;
    if (before >= UNSEEN_MAX) return "full";
    this.#storage.kv.put("unseen", before + 1);
    return "taken";
  }

  /** Takes down what the runner says, by its own numbers, which only grow; whether it was said for the first time. */
  hear({ seq, at, type, data }: TaskEvent): boolean {
    return this.#storage.transactionSync(() => {
      if (seq <= this.heard()) return false;
      this.add({ origin: `runner:${seq}`, at, type, data });
      this.#storage.kv.put("heard", seq);
      return true;
    });
  }

  /** The number of the last event that the runner said. A task of before events had origins heard nothing else. */
  heard(): number {
    return this.#storage.kv.get<number>("heard") ?? (this.task()?.end === null ? this.#lastWithoutOrigin() : 0);
  }

  /** The task's last event and its end are one write. */
  end(data: TaskEvent["data"], { said, ...changes }: Ended): void {
    this.#storage.transactionSync(() => {
      this.made();
      this.add({ origin: "exit", at: changes.end.at, type: "exit", data });
      this.#storage.kv.put("said", said);
      this.change(changes);
    });
  }

  lastSeq(): number {
    return this.#storage.sql.exec<{ seq: number }>("select coalesce(max(seq), 0) as seq from events").one().seq;
  }

  /** Some of the events after one, in order. */
  after(seq: number): TaskEvent[] {
    const rows = this.#storage.sql.exec<{ seq: number; at: number; type: TaskEvent["type"]; data: string }>(
      "select seq, at, type, data from events where seq > ? order by seq limit ?",
      seq,
      EVENTS_AT_ONCE,
    );
    return [...rows].map((row) => ({ ...row, data: JSON.parse(row.data) as TaskEvent["data"] }));
  }

  /** All of the events after one, in order. */
  *from(seq: number): Generator<TaskEvent> {
    for (let events = this.after(seq); events.length > 0; events = this.after(seq)) {
      yield* events;
      seq = events.at(-1)!.seq;
    }
  }

  /** How much is told of the events after one, up to another, in characters. */
  size(after: number, upTo: number): number {
    const sql = "select coalesce(sum(length(data)), 0) as size from events where seq > ? and seq <= ?";
    return this.#storage.sql.exec<{ size: number }>(sql, after, upTo).one().size;
  }

  /** The task as it is told, but for what others know of it; null where none began. */
  view(): Omit<TaskState, "approvals" | "callback"> | null {
    const task = this.task();
    const { kv } = this.#storage;
    const told = { said: kv.get<Said>("said") ?? null, feedback: kv.get<Feedback>("feedback") ?? null };
    return task && { ...task, lastSeq: this.lastSeq(), ...told };
  }

  /** Keeps what its owner thought of the task, in the place of any before. */
  judge(feedback: Feedback): void {
    this.#storage.kv.put("feedback", feedback);
  }

  /** All that was written to the standard output, as far as it was kept. */
  stdout(): string {
    const rows = this.#storage.sql.exec<{ data: string }>("select data from events where type = 'stdout' order by seq");
    return [...rows].map(({ data }) => (JSON.parse(data) as { readonly text: string }).text).join("");
  }

  #lastWithoutOrigin(): number {
    const sql = "select coalesce(max(seq), 0) as seq from events where origin is null";
    return this.#storage.sql.exec<{ seq: number }>(sql).one().seq;
  }

  #has(column: string): boolean {
    return this.#storage.sql.exec("select 1 from pragma_table_info('events') where name = ?", column).next().done === false;
  }

  #put(piece: number, bytes: Uint8Array): void {
    this.#storage.sql.exec("insert into spec values (?, ?)", piece, bytes);
  }
}
