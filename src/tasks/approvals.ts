import type { Approval, Question, Task, TaskNote, Word } from "./contract.ts";
import type { TaskLog } from "./log.ts";

const PREFIX = "approval:";

/** The questions of one task that wait for a person's word, and the words. The same question is asked once, however often it is put. */
export class Approvals {
  readonly #storage: DurableObjectStorage;
  readonly #log: TaskLog;

  constructor(storage: DurableObjectStorage, log: TaskLog) {
    this.#storage = storage;
    this.#log = log;
  }

  /** Puts a question; `fresh` where it was never put before. */
  ask(question: Question, at: number): { readonly approval: Approval; readonly fresh: boolean } {
    const known = this.#storage.kv.get<Approval>(PREFIX + question.id);
    if (known) return { approval: known, fresh: false };
    const approval: Approval = { ...question, askedAt: at, word: null };
    const { id, tool, input } = question;
    this.#keep(approval, { origin: PREFIX + id, at, data: { id, tool, input, asked_at: new Date(at).toISOString() } });
    return { approval, fresh: true };
  }

  /** Answers a question; null where there is none. The first word holds. */
  decide(id: string, word: Word): Approval | null {
    const known = this.#storage.kv.get<Approval>(PREFIX + id);
    if (!known || known.word !== null) return known ?? null;
    const approval = { ...known, word };
    const { decision, reason, at } = word;
    this.#keep(approval, { origin: `${PREFIX}${id}:${decision}`, at, data: { id, tool: known.tool, decision, reason } });
    return approval;
  }

  /** What waits. */
  open(): Approval[] {
    const all = [...this.#storage.kv.list<Approval>({ prefix: PREFIX })].map(([, approval]) => approval);
    return all.filter(({ word }) => word === null).sort((a, b) => a.askedAt - b.askedAt);
  }

  /** The question, its event and the state of the task are one write. */
  #keep(approval: Approval, note: Omit<TaskNote, "type">): void {
    this.#storage.transactionSync(() => {
      this.#storage.kv.put(PREFIX + approval.id, approval);
      this.#log.add({ ...note, type: "approval" });
      const task = this.#log.task();
      if (task) this.#log.change({ status: this.open().length > 0 ? "waiting_approval" : unwaiting(task) });
    });
  }
}

function unwaiting({ startedAt }: Task): Task["status"] {
  return startedAt === null ? "pending" : "running";
}
