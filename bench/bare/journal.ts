import { DurableObject } from "cloudflare:workers";

/** What a gateway that owes its owner a bill keeps of each request: who, what, how much, and the arithmetic. */
interface Entry {
  readonly id: string;
  readonly at: number;
  readonly key: string;
  readonly model: string;
  readonly nano: number;
  readonly usage: unknown;
  readonly receipt: unknown;
}

/** The bindings that a record needs on its way. */
export interface Kept {
  readonly JOURNAL: DurableObjectNamespace<Journal>;
  readonly ENTRIES: Queue<string>;
  readonly DB: D1Database;
}

const TOGETHER_MS = 20;
const RECEIPT = {
  price: "prc_1",
  lines: ["input", "output"].map((name) => ({ class: name, quantity: 20, rate: "0.15", usd: "0.000003" })),
};
const pending: Entry[] = [];
let leaving = false;

/** Keeps one entry of an answer. Whoever finds none on its way sends all that came in a moment, beside its own answer. */
export async function keep(usage: unknown, { JOURNAL }: Kept): Promise<void> {
  const entry = { id: crypto.randomUUID(), at: Date.now(), key: "key_bench0000000", model: "gpt-4o-mini", nano: 15_000, usage };
  pending.push({ ...entry, receipt: RECEIPT });
  if (leaving) return;
  leaving = true;
  await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
  leaving = false;
  await JOURNAL.getByName("bench").write(JSON.stringify(pending.splice(0)));
}

/** The one place where a record is safe before it is delivered: one row for many of them, and a message for many. */
export class Journal extends DurableObject<Kept> {
  readonly #sql: SqlStorage;

  constructor(state: DurableObjectState, env: Kept) {
    super(state, env);
    this.#sql = state.storage.sql;
    this.#sql.exec("create table if not exists outbox (seq integer primary key, entries text not null)");
  }

  async write(entries: string): Promise<void> {
    const { seq } = this.#sql.exec<{ seq: number }>("insert into outbox (entries) values (?) returning seq", entries).one();
    await this.env.ENTRIES.send(entries);
    this.#sql.exec("delete from outbox where seq = ?", seq);
  }
}

const INSERT = `insert into records select value ->> 'id', value ->> 'at', value ->> 'key', value ->> 'model', value ->> 'nano',
  value -> 'usage', value -> 'receipt' from json_each(?) where true on conflict do nothing`;

/** Writes what has come, a statement for each message. */
export async function deliver(batch: MessageBatch<string>, { DB }: Kept): Promise<void> {
  await DB.batch(batch.messages.map(({ body }) => DB.prepare(INSERT).bind(body)));
}
