import { joined } from "#wire";
import type { Facts, Room, Stock } from "./contract.ts";

/** SQL as a Durable Object's storage runs it. */
export interface ShelfSql {
  exec(query: string, ...values: (string | number | null | Uint8Array)[]): Iterable<Record<string, unknown>>;
}

/** An answer as it is kept. */
export interface Kept {
  readonly facts: Facts;
  readonly bytes: Uint8Array;
  /** What it cost, in USD: what giving it again saves. */
  readonly costUsd: string;
}

/** How many objects a scope's answers are spread over, by the first digit of their digests: a busy team is more than one thread. */
export const SHELVES = 16;
/** A row of a Durable Object's storage holds two million bytes at most. */
const CHUNK_BYTES = 1_000_000;
const EVICTED_AT_ONCE = 16;

/** The answers that stand in one object's storage. */
export class Shelf {
  readonly #sql: ShelfSql;
  /** How much stands here; null where it has to be counted anew. */
  #bytes: number | null = null;

  constructor(sql: ShelfSql) {
    this.#sql = sql;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS answers (digest TEXT PRIMARY KEY, request TEXT NOT NULL, content_type TEXT NOT NULL, account TEXT,
       made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, bytes INTEGER NOT NULL, cost_usd TEXT NOT NULL)`,
    );
    sql.exec("CREATE INDEX IF NOT EXISTS answers_made ON answers (made_at)");
    sql.exec("CREATE INDEX IF NOT EXISTS answers_end ON answers (expires_at)");
    sql.exec("CREATE TABLE IF NOT EXISTS chunks (digest TEXT, place INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (digest, place))");
  }

  /** What stands here. */
  get stock(): Stock {
    const [row] = this.#sql.exec("SELECT count(*) AS answers, coalesce(sum(bytes), 0) AS bytes FROM answers");
    return { answers: Number(row!["answers"]), bytes: Number(row!["bytes"]) };
  }

  /** The answer to a question, unless it has expired or is older than is wanted. */
  find(digest: string, { now, ageMsMax }: { readonly now: number; readonly ageMsMax: number | null }): Kept | null {
    const [row] = this.#sql.exec("SELECT * FROM answers WHERE digest = ? AND expires_at > ?", digest, now);
    if (!row || (ageMsMax !== null && now - Number(row["made_at"]) > ageMsMax)) return null;
    const chunks = [...this.#sql.exec("SELECT bytes FROM chunks WHERE digest = ? ORDER BY place", digest)];
    return {
      facts: {
        request: String(row["request"]),
        contentType: String(row["content_type"]),
        account: row["account"] as string | null,
        madeAt: Number(row["made_at"]),
      },
      bytes: joined(chunks.map(({ bytes }) => new Uint8Array(bytes as ArrayBuffer))),
      costUsd: String(row["cost_usd"]),
    };
  }

  /** Keeps an answer in the place of an older one; what was made longest ago makes room for it. */
  keep(digest: string, { facts, bytes, costUsd }: Kept, { room, now }: { readonly room: Room; readonly now: number }): void {
    const [newer] = this.#sql.exec("SELECT 1 AS one FROM answers WHERE digest = ? AND made_at > ?", digest, facts.madeAt);
    const bytesMax = Math.floor(room.scopeBytesMax / SHELVES);
    if (newer || bytes.byteLength > bytesMax) return;
    const stood = this.#bytes ?? this.stock.bytes;
    // Until it is counted again: what a failed write leaves standing is not known.
    this.#bytes = null;
    const left = this.#makeRoom(stood - this.#drop(digest), bytesMax - bytes.byteLength);
    const { request, contentType, account, madeAt } = facts;
    const row = [digest, request, contentType, account, madeAt, now + room.ttlMs, bytes.byteLength, costUsd];
    this.#sql.exec("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ...row);
    for (let from = 0, place = 0; from < bytes.byteLength; from += CHUNK_BYTES, place++) {
      this.#sql.exec("INSERT INTO chunks VALUES (?, ?, ?)", digest, place, bytes.slice(from, from + CHUNK_BYTES));
    }
    this.#bytes = left + bytes.byteLength;
  }

  /** Drops what has expired; answers when the next does, null where nothing is left. */
  tidy(now: number): number | null {
    this.#bytes = null;
    this.#sql.exec("DELETE FROM chunks WHERE digest IN (SELECT digest FROM answers WHERE expires_at <= ?)", now);
    this.#sql.exec("DELETE FROM answers WHERE expires_at <= ?", now);
    const [row] = this.#sql.exec("SELECT expires_at FROM answers ORDER BY expires_at LIMIT 1");
    return row ? Number(row["expires_at"]) : null;
  }

  /** Drops everything; answers what stood here. */
  clear(): Stock {
    const stood = this.stock;
    this.#bytes = null;
    this.#sql.exec("DELETE FROM answers");
    this.#sql.exec("DELETE FROM chunks");
    return stood;
  }

  #makeRoom(stood: number, bytesMax: number): number {
    let bytes = stood;
    while (bytes > bytesMax) {
      const oldest = [...this.#sql.exec("SELECT digest FROM answers ORDER BY made_at LIMIT ?", EVICTED_AT_ONCE)];
      if (oldest.length === 0) return 0;
      for (const { digest } of oldest) if (bytes > bytesMax) bytes -= this.#drop(String(digest));
    }
    return bytes;
  }

  /** Drops one; answers how much it took. */
  #drop(digest: string): number {
    const [row] = [...this.#sql.exec("DELETE FROM answers WHERE digest = ? RETURNING bytes", digest)];
    this.#sql.exec("DELETE FROM chunks WHERE digest = ?", digest);
    return row ? Number(row["bytes"]) : 0;
  }
}
