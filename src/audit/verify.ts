import { and, asc, eq, gt, lte, sql } from "drizzle-orm";
import { TollgateError } from "#core";
import { type Db, tables } from "#db";
import type { AuditChain } from "./chain-stub.ts";
import { chainOf, hashOf, NOTHING_BEFORE } from "./hash.ts";
import { type Head, type Place, placesOf } from "./seals.ts";

const { auditEntries, auditSeals } = tables;

/** Entries of 128 kB each, the most that one may have, still fit into an isolate's memory. */
const PLACES_AT_ONCE = 500;
const CHAINS_AT_ONCE = 25;
const ENTRIES_AT_ONCE = 5_000;

/** An entry is sealed within seconds, unless its message has to come again. */
const UNDERWAY_MS = 3_600_000;

/** What is to be verified: all, or one chain, or a part of it. */
export interface Asked {
  readonly chain?: string;
  /** Places of the chain, both included. */
  readonly from?: number;
  readonly to?: number;
  /** Hashes that somebody kept, to be looked for. */
  readonly heads?: readonly string[];
  readonly cursor?: string;
}

/** The first that does not fit, and how. */
export interface Fault {
  readonly kind: "missing" | "changed" | "inserted";
  readonly chain: string;
  /** Null for what was inserted: it has no place. */
  readonly seq: number | null;
  /** Null where even its seal is gone. */
  readonly entry: string | null;
  readonly message: string;
}

/** What one step found. It goes on at `next`; where there is a fault, it ends. */
export interface Verified {
  /** Places whose entries are what they were. */
  readonly checked: number;
  /** Entries that have no place yet, and are young enough to get one. */
  readonly unsealed: number;
  /** Those of the kept hashes that were met. */
  readonly headsFound: readonly string[];
  readonly fault: Fault | null;
  readonly next: string | null;
}

const NOTHING: Verified = { checked: 0, unsealed: 0, headsFound: [], fault: null, next: null };

/**
 * One step of holding entries against their hashes: chain after chain by name, each from its first place to where its keeper says that
 * it ends; then every entry against the chains, for one that has no place in them.
 * @throws TollgateError `not_found` for a chain that nothing was sealed in, `invalid_request` naming `from` or `cursor`.
 */
export async function verifyAudit(db: Db, keeper: AuditChain, asked: Asked, now: number): Promise<Verified> {
  const all = (await keeper.heads()).toSorted((a, b) => (a.chain < b.chain ? -1 : 1));
  const heads = asked.chain === undefined ? all : all.filter(({ chain }) => chain === asked.chain);
  const start = asked.cursor === undefined ? beginning(heads, asked) : readCursor(asked.cursor);
  if ("after" in start) return strangers({ db, keeper, asked, now }, start.after);
  const at = heads.findIndex(({ chain }) => chain === start.chain);
  if (start.seq > Math.min(heads[at]?.seq ?? 0, asked.to ?? Number.MAX_SAFE_INTEGER)) throw wrongCursor();
  return along(db, heads.slice(at), start.seq, asked);
}

/** Goes along the chains, from a place of the first one on, as far as one step goes. */
async function along(db: Db, heads: readonly Head[], start: number, asked: Asked): Promise<Verified> {
  const kept = new Set(asked.heads);
  const headsFound: string[] = [];
  let [checked, from] = [0, start];
  for (const [at, head] of heads.entries()) {
    if (at === CHAINS_AT_ONCE || checked === PLACES_AT_ONCE) return { ...NOTHING, checked, headsFound, next: `${head.chain}.${from}` };
    const end = Math.min(asked.to ?? head.seq, head.seq);
    const to = Math.min(end, from + PLACES_AT_ONCE - checked - 1);
    const found = await walked(db, head, { from, to, kept, begins: from === asked.from });
    checked += found.checked;
    headsFound.push(...found.headsFound);
    if (found.fault) return { ...NOTHING, checked, headsFound, fault: found.fault };
    if (to < end) return { ...NOTHING, checked, headsFound, next: `${head.chain}.${to + 1}` };
    from = 1;
  }
  return { ...NOTHING, checked, headsFound, next: isPart(asked) ? null : ENTRIES };
}

/** Cursors are `<chain>.<seq>`, then `~<id>`: after which entry. */
const ENTRIES = "~";

type Start = { readonly chain: string; readonly seq: number } | { readonly after: string };

function beginning([first]: readonly Head[], { chain, from = 1 }: Asked): Start {
  if (first && from > first.seq) throw new TollgateError("invalid_request", `${first.chain} ends at ${first.seq}`, { param: "from" });
  if (first) return { chain: first.chain, seq: from };
  if (chain !== undefined) throw new TollgateError("not_found", `There is no chain ${chain}: nothing of it has been sealed.`);
  return { after: "" };
}

function readCursor(cursor: string): Start {
  if (cursor.startsWith(ENTRIES)) return { after: cursor.slice(ENTRIES.length) };
  const match = /^(.+)\.([1-9]\d{0,14})$/.exec(cursor);
  if (!match) throw wrongCursor();
  return { chain: match[1]!, seq: Number(match[2]) };
}

function wrongCursor(): TollgateError {
  return new TollgateError("invalid_request", "cursor is not one that a verification answered", { param: "cursor" });
}

function isPart({ from, to }: Asked): boolean {
  return from !== undefined || to !== undefined;
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly kept: ReadonlySet<string>;
  /** Whether whoever asked begins here: what the first place hangs on may be what was kept. */
  readonly begins: boolean;
}

/** Goes along one chain, from each hash to the next. */
async function walked(db: Db, head: Head, { from, to, kept, begins }: Stretch): Promise<Verified> {
  const places = new Map((await placesOf(db, head.chain, from - 1, to)).map((place) => [place.seq, place]));
  let previous = from === 1 ? NOTHING_BEFORE : places.get(from - 1)?.hash;
  const headsFound = begins && previous !== undefined && kept.has(previous) ? [previous] : [];
  for (let seq = from; seq <= to; seq++) {
    const place = places.get(seq);
    const fault = previous === undefined ? gone(head.chain, from - 1) : await faultOf(head, seq, place, previous);
    if (fault) return { ...NOTHING, checked: seq - from, headsFound, fault };
    previous = place!.hash;
    if (kept.has(previous)) headsFound.push(previous);
  }
  return { ...NOTHING, checked: to - from + 1, headsFound };
}

async function faultOf(head: Head, seq: number, place: Place | undefined, previous: string): Promise<Fault | null> {
  const { chain } = head;
  if (!place) return gone(chain, seq);
  const { entry, stored, hash } = place;
  const fault = (kind: Fault["kind"], message: string): Fault => ({ kind, chain, seq, entry, message });
  if (!stored) return fault("missing", `entry ${seq} of ${chain}, ${entry}, is gone`);
  if (chainOf(stored.team) !== chain || (await hashOf(previous, stored, seq)) !== hash) {
    return fault("changed", `entry ${seq} of ${chain}, ${entry}, is not what was sealed`);
  }
  if (seq === head.seq && hash !== head.hash) {
    return fault("changed", `${chain} was written anew: entry ${seq}, ${entry}, has not the hash that the chain ends in`);
  }
  return null;
}

function gone(chain: string, seq: number): Fault {
  return { kind: "missing", chain, seq, entry: null, message: `entry ${seq} of ${chain} is gone, with its seal` };
}

interface Search {
  readonly db: Db;
  readonly keeper: AuditChain;
  readonly asked: Asked;
  readonly now: number;
}

/** An entry without a place in its chain, or with one that its keeper did not give. */
interface Stranger {
  readonly id: string;
  readonly at: number;
  readonly team: string | null;
}

/** Goes along all entries, by their ids. What is young may be underway; whatever else has no place was put there. */
async function strangers(search: Search, after: string): Promise<Verified> {
  const { db, now } = search;
  const until = await entryAt(db, after, ENTRIES_AT_ONCE);
  const found = await outsideChains(search, after, until);
  const young = ({ at }: Stranger) => Math.abs(now - at) < UNDERWAY_MS;
  // What was being sealed meanwhile has its place once the keeper answers again.
  const old = found.some((each) => !young(each)) ? (await outsideChains(search, after, until)).find((each) => !young(each)) : undefined;
  if (old) return { ...NOTHING, fault: inserted(old) };
  const next = until === null ? null : ENTRIES + until;
  return { ...NOTHING, unsealed: found.length, next };
}

function inserted({ id, team }: Stranger): Fault {
  const chain = chainOf(team);
  return { kind: "inserted", chain, seq: null, entry: id, message: `entry ${id} of ${chain} has no place in the chain` };
}

/** The id that a page of entries ends with; null where it is the last page. */
async function entryAt(db: Db, after: string, count: number): Promise<string | null> {
  const { id } = auditEntries;
  const [row] = await db
    .select({ id })
    .from(auditEntries)
    .where(gt(id, after))
    .orderBy(asc(id))
    .limit(1)
    .offset(count - 1);
  return row?.id ?? null;
}

async function outsideChains({ db, keeper, asked }: Search, after: string, until: string | null): Promise<Stranger[]> {
  const heads = JSON.stringify(Object.fromEntries((await keeper.heads()).map(({ chain, seq }) => [chain, seq])));
  // Grouped, it is a table with an index; as a function it would be read through for each entry.
  const ends = sql`(select key as chain, value as seq from json_each(${heads}) group by key) as ends`;
  const chain = sql`coalesce(${auditEntries.team}, ${chainOf(null)})`;
  const outside = sql`(${auditSeals.chain} is null or ${auditSeals.chain} <> ${chain} or ${auditSeals.seq} > coalesce(ends.seq, 0))`;
  return db
    .select({ id: auditEntries.id, at: auditEntries.at, team: auditEntries.team })
    .from(auditEntries)
    .leftJoin(auditSeals, eq(auditSeals.entry, auditEntries.id))
    .leftJoin(ends, sql`ends.chain = ${chain}`)
    .where(
      and(
        gt(auditEntries.id, after),
        until === null ? undefined : lte(auditEntries.id, until),
        asked.chain === undefined ? undefined : sql`${chain} = ${asked.chain}`,
        outside,
      ),
    )
    .orderBy(asc(auditEntries.id));
}
