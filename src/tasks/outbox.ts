import type { AuditEvent } from "#audit";

/**
 * What the audit is still to be told of a task. An entry is taken down in the write that it tells of, and sent until it is: sent again it has
 * the same id, and the audit takes an id once.
 */
export class Outbox {
  readonly #kv: DurableObjectStorage["kv"];
  readonly #queue: Queue;

  constructor({ kv }: DurableObjectStorage, queue: Queue) {
    this.#kv = kv;
    this.#queue = queue;
  }

  add(...entries: readonly AuditEvent[]): void {
    this.#kv.put("entries", [...this.#waiting(), ...entries]);
  }

  /** The same, where nothing was added for an origin before; whether it was. */
  addOnce(origin: string, entry: AuditEvent): boolean {
    if (this.#kv.get(origin)) return false;
    this.#kv.put(origin, true);
    this.add(entry);
    return true;
  }

  async send(): Promise<void> {
    for (const entry of this.#waiting()) {
      await this.#queue.send(entry);
      const left = this.#waiting().filter(({ id }) => id !== entry.id);
      if (left.length > 0) this.#kv.put("entries", left);
      else this.#kv.delete("entries");
    }
  }

  #waiting(): readonly AuditEvent[] {
    return this.#kv.get<AuditEvent[]>("entries") ?? [];
  }
}
