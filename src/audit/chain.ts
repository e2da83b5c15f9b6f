import type { Db } from "#db";
import { chainOf, hashOf, NOTHING_BEFORE, type StoredEntry } from "./hash.ts";
import { type Head, lastArrival, oldestTime, type Seal, tails, unsealed, unsealedBetween, writeSeals } from "./seals.ts";

const ENTRIES_AT_ONCE = 200;
const HEAD = "head:";
const PENDING = "pending";
const EARLIER = "earlier";

/** A deployment whose entries are older than this was there before the chain. */
const GROWN_MS = 3_600_000;
/** For so long a Worker of before the chain may still take batches while the next one is deployed. */
const DEPLOYING_MS = 600_000;

/** The entries that were there before the chain: which of them, by their arrival, are still to be given a place. */
interface Earlier {
  readonly after: number;
  readonly until: number;
  /** When the last of them has come; null once that is past. */
  readonly closesAt: number | null;
}

/**
 * Gives audit entries their places, one after the other and each one once. A place is decided where it stands in this storage, which
 * alone knows where a chain ends; D1 is told afterwards, and told again until it has heard. Whoever can write to D1 reaches no head.
 */
export class Chain {
  readonly #storage: DurableObjectStorage;
  readonly #db: Db;
  readonly #now: () => number;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(storage: DurableObjectStorage, db: Db, now: () => number = Date.now) {
    this.#storage = storage;
    this.#db = db;
    this.#now = now;
  }

  /**
   * Gives places to those of these entries that have none, in the order of their arrival. May be repeated. Only what its caller has
   * delivered is ever named to it: an entry that somebody put into the table gets no place, and is found by that.
   */
  seal(ids: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      for (let at = 0; at < ids.length; at += ENTRIES_AT_ONCE) {
        await this.#append(await unsealed(this.#db, ids.slice(at, at + ENTRIES_AT_ONCE)));
      }
    });
  }

  /** Where each chain ends, by name. All places up to there stand in D1, unless they were taken away. */
  heads(): Promise<Head[]> {
    return this.#inTurn(async () => [...this.#storage.kv.list<Head>({ prefix: HEAD })].map(([, head]) => head));
  }

  /** One after the other: a place follows from the one before. */
  #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const done = this.#turn.then(async () => {
      await this.#tell();
      await this.#sealEarlier();
      return work();
    });
    // Whoever asked hears of a failure; those behind have their turn all the same.
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #append(entries: readonly StoredEntry[]): Promise<void> {
    const { kv } = this.#storage;
    const heads = new Map<string, Head>();
    const seals: Seal[] = [];
    for (const entry of entries) {
      const chain = chainOf(entry.team);
      const last = heads.get(chain) ?? kv.get<Head>(HEAD + chain);
      const seq = (last?.seq ?? 0) + 1;
      const hash = await hashOf(last?.hash ?? NOTHING_BEFORE, entry, seq);
      heads.set(chain, { chain, seq, hash, at: entry.at });
      seals.push({ chain, seq, entry: entry.id, hash });
    }
    this.#storage.transactionSync(() => {
      for (const [chain, head] of heads) kv.put(HEAD + chain, head);
      kv.put(PENDING, seals);
    });
    await this.#tell();
  }

  /** What a crash left here is told to D1 before anything else is decided; nothing leaves this object before it stands on disk. */
  async #tell(): Promise<void> {
    const { kv } = this.#storage;
    const pending = kv.get<Seal[]>(PENDING) ?? [];
    if (pending.length > 0) await writeSeals(this.#db, pending);
    kv.delete(PENDING);
  }

  /** Entries from before there was a chain have the first places. A storage that was lost goes on from what D1 has. */
  async #sealEarlier(): Promise<void> {
    const { kv } = this.#storage;
    let earlier = kv.get<Earlier>(EARLIER) ?? (await this.#begin());
    if (earlier.closesAt !== null) {
      const closesAt = this.#now() < earlier.closesAt ? earlier.closesAt : null;
      earlier = { after: earlier.after, until: await lastArrival(this.#db), closesAt };
      kv.put(EARLIER, earlier);
    }
    while (earlier.after < earlier.until) {
      const entries = await unsealedBetween(this.#db, earlier.after, earlier.until, ENTRIES_AT_ONCE);
      await this.#append(entries);
      const last = entries.length < ENTRIES_AT_ONCE ? undefined : entries.at(-1);
      earlier = { after: last?.seq ?? earlier.until, until: earlier.until, closesAt: earlier.closesAt };
      kv.put(EARLIER, earlier);
    }
  }

  async #begin(): Promise<Earlier> {
    const { kv } = this.#storage;
    const found = await tails(this.#db);
    const until = await lastArrival(this.#db);
    const oldest = await oldestTime(this.#db);
    const grown = oldest !== null && oldest < this.#now() - GROWN_MS;
    const earlier = { after: 0, until, closesAt: grown ? this.#now() + DEPLOYING_MS : null };
    this.#storage.transactionSync(() => {
      for (const head of found) kv.put(HEAD + head.chain, head);
      kv.put(EARLIER, earlier);
    });
    return earlier;
  }
}
