import { DurableObject } from "cloudflare:workers";

/** A row of a Durable Object's storage holds two million bytes at most. */
const PIECE_BYTES = 1_000_000;
/** What ends within the same hour is swept together; none of it is told once its own time is over. */
const SWEEP_MS = 3_600_000;

/** Bytes that nobody here can open, and their name. */
export interface Sealed {
  readonly name: string;
  readonly sealed: Uint8Array;
}

/**
 * A share of what one key may name again: sealed bytes under names, each with its end. Nothing is stored for a name that was only asked
 * for. Answers leave once what they tell stands on disk, which is the platform's own promise.
 */
export class ResponseObject extends DurableObject<object> {
  #isMade = false;

  /** Keeps bytes until a time, each in the place of any before under its name: all of them or none. */
  async keep(all: readonly Sealed[], until: number): Promise<void> {
    this.#make();
    this.ctx.storage.transactionSync(() => {
      for (const each of all) this.#put(each, until);
    });
    await this.#wake(until);
  }

  /** The bytes; null where there are none, or they have outlived their time. */
  read(name: string): Uint8Array | null {
    if (!this.#holdsAny()) return null;
    const query = "SELECT sealed FROM kept WHERE name = ? AND until > ? ORDER BY piece";
    const pieces = this.ctx.storage.sql.exec<{ sealed: ArrayBuffer }>(query, name, Date.now()).toArray();
    if (pieces.length === 0) return null;
    const whole = new Uint8Array(pieces.reduce((sum, { sealed }) => sum + sealed.byteLength, 0));
    for (const [at, { sealed }] of pieces.entries()) whole.set(new Uint8Array(sealed), at * PIECE_BYTES);
    return whole;
  }

  /** Leaves nothing under a name. */
  async forget(name: string): Promise<void> {
    if (!this.#holdsAny()) return;
    this.ctx.storage.sql.exec("DELETE FROM kept WHERE name = ?", name);
    if (this.#firstEnd() === null) await this.#clear();
  }

  override async alarm(): Promise<void> {
    if (this.#holdsAny()) this.ctx.storage.sql.exec("DELETE FROM kept WHERE until <= ?", Date.now());
    const next = this.#firstEnd();
    await (next === null ? this.#clear() : this.#wake(next));
  }

  #put({ name, sealed }: Sealed, until: number): void {
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM kept WHERE name = ?", name);
    for (let from = 0; from < sealed.length; from += PIECE_BYTES) {
      const piece = sealed.slice(from, from + PIECE_BYTES);
      sql.exec("INSERT INTO kept (name, piece, until, sealed) VALUES (?, ?, ?, ?)", name, from / PIECE_BYTES, until, piece);
    }
  }

  #make(): void {
    if (this.#isMade) return;
    const { sql } = this.ctx.storage;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS kept (name TEXT, piece INTEGER, until INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (name, piece))",
    );
    sql.exec("CREATE INDEX IF NOT EXISTS kept_until ON kept (until)");
    this.#isMade = true;
  }

  /** Whether anything was ever kept here since it was last empty. */
  #holdsAny(): boolean {
    this.#isMade ||= this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'kept'").toArray().length > 0;
    return this.#isMade;
  }

  #firstEnd(): number | null {
    return this.#holdsAny() ? this.ctx.storage.sql.exec<{ end: number | null }>("SELECT min(until) AS end FROM kept").one().end : null;
  }

  async #wake(until: number): Promise<void> {
    const at = Math.ceil(until / SWEEP_MS) * SWEEP_MS;
    const set = await this.ctx.storage.getAlarm();
    if (set === null || at < set) await this.ctx.storage.setAlarm(at);
  }

  /** Both at once: what is kept meanwhile makes and wakes anew. */
  async #clear(): Promise<void> {
    this.#isMade = false;
    await Promise.all([this.ctx.storage.deleteAlarm(), this.ctx.storage.deleteAll()]);
  }
}
