import { and, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import { masked, Safe, VaultError } from "#core";
import type { Config } from "#config";
import { type Db, tables } from "#db";
import type { Content, Kept, Said } from "./contract.ts";

const { requestContents } = tables;
type Row = typeof requestContents.$inferSelect;

/** Characters that are kept of one side of a request, and texts that they may be in. */
const CHARACTERS_MAX = 64 * 1024;
const TEXTS_MAX = 1_000;
const ROWS_PER_STATEMENT = 1_000;

/** What requests said, where their key asks for it: masked and cut as they come, sealed at rest, each side bound to its own row. */
export class Contents {
  readonly #db: Db;
  readonly #safe: Safe;

  constructor(db: Db, { TOLLGATE_ENCRYPTION_KEY, TOLLGATE_ENCRYPTION_KEY_PREVIOUS }: Config) {
    this.#db = db;
    this.#safe = new Safe(TOLLGATE_ENCRYPTION_KEY, TOLLGATE_ENCRYPTION_KEY_PREVIOUS);
  }

  /** Keeps one side of a request; a second time changes nothing. */
  async keep({ said, ...row }: Content): Promise<void> {
    const shown = row.mode === "redacted" ? said.map(({ role, text }) => ({ role, text: masked(text) })) : said;
    const kept = cut(shown);
    const altered = kept.length < said.length || kept.some(({ text }, at) => text !== said[at]!.text);
    const sealed = await this.#safe.seal(nameOf(row), JSON.stringify(kept));
    await this.#db
      .insert(requestContents)
      .values({ ...row, altered, sealed })
      .onConflictDoNothing();
  }

  /** What is kept of both sides of a request. One that was sealed under a key that is gone is not among them. */
  async of(request: string): Promise<Kept[]> {
    return this.#opened(await this.#db.select().from(requestContents).where(eq(requestContents.request, request)));
  }

  /** What requests asked, by their ids; those that nothing is kept of are not among them. */
  async asked(requests: readonly string[]): Promise<ReadonlyMap<string, Kept>> {
    const named = sql`(select value from json_each(${JSON.stringify(requests)}))`;
    const rows = await this.#db
      .select()
      .from(requestContents)
      .where(and(eq(requestContents.side, "asked"), inArray(requestContents.request, named)));
    return new Map((await this.#opened(rows)).map((kept) => [kept.request, kept]));
  }

  /** Drops what is older than a time. */
  async prune(before: number): Promise<void> {
    await this.#drop(lt(requestContents.at, before));
  }

  /** Forgets what one request said, or all that is kept of a key; answers how many sides that were. */
  async forget(whose: { readonly request: string } | { readonly key: string }): Promise<number> {
    return this.#drop("key" in whose ? eq(requestContents.key, whose.key) : eq(requestContents.request, whose.request));
  }

  /** Some at a go, so that no statement runs long. */
  async #drop(which: SQL): Promise<number> {
    for (let dropped = 0; ;) {
      const some = this.#db
        .select({ at: sql`rowid` })
        .from(requestContents)
        .where(which)
        .limit(ROWS_PER_STATEMENT);
      const gone = await this.#db
        .delete(requestContents)
        .where(inArray(sql`rowid`, some))
        .returning({ side: requestContents.side });
      dropped += gone.length;
      if (gone.length < ROWS_PER_STATEMENT) return dropped;
    }
  }

  async #opened(rows: readonly Row[]): Promise<Kept[]> {
    const opened = await Promise.all(rows.map((row) => this.#open(row)));
    return opened.filter((kept) => kept !== null);
  }

  async #open({ sealed, ...row }: Row): Promise<Kept | null> {
    const own = and(eq(requestContents.request, row.request), eq(requestContents.side, row.side));
    const rewrap = (rewrapped: string) => this.#db.update(requestContents).set({ sealed: rewrapped }).where(own);
    try {
      return { ...row, said: JSON.parse(await this.#safe.open(nameOf(row), sealed, rewrap)) as Said[] };
    } catch (error) {
      if (error instanceof VaultError) return null;
      throw error;
    }
  }
}

function nameOf({ request, side }: Pick<Row, "request" | "side">): string {
  return `${request}/${side}`;
}

/** As much of what was said as there is room for, from its beginning. */
function cut(said: readonly Said[]): Said[] {
  let room = CHARACTERS_MAX;
  const kept: Said[] = [];
  for (const { role, text } of said.slice(0, TEXTS_MAX)) {
    if (room <= 0) break;
    kept.push({ role: role.slice(0, 64), text: text.slice(0, room).toWellFormed() });
    room -= text.length;
  }
  return kept;
}
