import { and, asc, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import { TollgateError } from "#core";
import { type Db, type Page, type Paging, placeOf, tables } from "#db";
import { after, listed } from "./paging.ts";
import { sealsOf, type Shown } from "./seals.ts";

const { auditEntries } = tables;

type EntryRow = typeof auditEntries.$inferSelect;

/** A stored audit entry, with its place in its chain; null for the seconds until it has one. */
export interface AuditRow extends EntryRow {
  readonly seal: Shown | null;
}

/** What an audit search may ask for: all that is given must hold. `from` inclusive, `to` exclusive, in milliseconds. */
export interface AuditFilter {
  readonly from?: number;
  readonly to?: number;
  readonly type?: string;
  readonly severity?: AuditRow["severity"];
  readonly actor?: string;
  readonly subject?: string;
  readonly key?: string;
  readonly team?: string;
  readonly task?: string;
  /** Words that an entry must hold, those in double quotes one after the other. */
  readonly text?: string;
  /** The newest first where nothing is said. */
  readonly order?: "asc" | "desc";
}

const FIELDS = {
  task: auditEntries.task,
  subject: auditEntries.subjectId,
  key: auditEntries.key,
  actor: auditEntries.actorId,
  severity: auditEntries.severity,
  team: auditEntries.team,
  type: auditEntries.type,
} as const;
type Field = keyof typeof FIELDS;

/** From what leaves the fewest entries; each has an index by time. */
const BY_FEWNESS = Object.keys(FIELDS) as Field[];

/** Audit entries in the order of their time; those of one millisecond by their ids, and where text is looked for by their arrival. */
export async function searchAudit(db: Db, filter: AuditFilter, paging: Paging): Promise<Page<AuditRow>> {
  const found = await (filter.text === undefined ? byField(db, filter, paging) : byText(db, { ...filter, text: filter.text }, paging));
  const { rows, next } = listed(found, paging.limit);
  const seals = await sealsOf(
    db,
    rows.map(({ id }) => id),
  );
  return { rows: rows.map((row) => ({ ...row, seal: seals.get(row.id) ?? null })), next };
}

function byField(db: Db, filter: AuditFilter, { limit, cursor }: Paging): Promise<EntryRow[]> {
  const { from, to, order = "desc" } = filter;
  const sorted = order === "asc" ? asc : desc;
  return db
    .select()
    .from(auditEntries)
    .where(
      and(
        from === undefined ? undefined : gte(auditEntries.at, from),
        to === undefined ? undefined : lt(auditEntries.at, to),
        after(auditEntries, cursor, order),
        ...fieldsOf(filter),
      ),
    )
    .orderBy(sorted(auditEntries.at), sorted(auditEntries.id))
    .limit(limit + 1);
}

/** SQLite knows no counts: a plus keeps a column from being searched by, so that the one which leaves the fewest is. */
function fieldsOf(filter: AuditFilter): SQL[] {
  const given = BY_FEWNESS.filter((name) => filter[name] !== undefined);
  const first = given.find((name) => filter[name] !== "info") ?? given[0];
  return given.map((name) => {
    const searched = name === first || (first === "key" && name === "type");
    return searched ? eq(FIELDS[name], filter[name]!) : sql`+${FIELDS[name]} = ${filter[name]}`;
  });
}

/** The last millisecond that a place in the index has room for, in the year 2109; what is later is found by its fields alone. */
const AT_MAX = 2 ** 42 - 1;
const PLACE = sql`audit_search.rowid`;

/**
 * The index is read in the order of time, from one bound to the other, until the page is full. Fields are looked for as words too, so
 * that it is read where all meet; what counts is what stands in the entry.
 */
function byText(db: Db, filter: AuditFilter & { readonly text: string }, { limit, cursor }: Paging): Promise<EntryRow[]> {
  const { from, to, text, order = "desc" } = filter;
  const phrases = [...wordsOf(text), ...BY_FEWNESS.flatMap((name) => phraseOf(filter[name] ?? ""))];
  const where = and(
    sql`audit_search match ${phrases.join(" ")}`,
    from === undefined ? undefined : sql`${PLACE} >= ${Math.min(from, AT_MAX)} << 21`,
    to === undefined ? undefined : sql`${PLACE} < ${Math.min(to, AT_MAX)} << 21`,
    cursor === undefined ? undefined : beyond(cursor, order),
    ...BY_FEWNESS.flatMap((name) => (filter[name] === undefined ? [] : [sql`+${FIELDS[name]} = ${filter[name]}`])),
  );
  const sorted = order === "asc" ? asc : desc;
  // A place holds the time of its entry whole, and the low bits of its number.
  const found = sql`select ${auditEntries.seq} from audit_search cross join ${auditEntries}
    on ${auditEntries.at} = ${PLACE} >> 21 and ${auditEntries.seq} & 2097151 = ${PLACE} & 2097151
    where ${where} order by ${sorted(PLACE)} limit ${limit + 1}`;
  return db
    .select()
    .from(auditEntries)
    .where(sql`${auditEntries.seq} in (${found})`)
    .orderBy(sorted(auditEntries.at), sorted(auditEntries.seq));
}

function beyond(cursor: string, order: "asc" | "desc"): SQL {
  const { at, id } = placeOf(cursor);
  const last = sql`(select place from audit_texts where seq = (select seq from audit_entries where id = ${id} and at = ${at}))`;
  return order === "asc" ? sql`${PLACE} > ${last}` : sql`${PLACE} < ${last}`;
}

/** The words of what a person typed, as the index knows them. @throws TollgateError `invalid_request` naming `q` where there is none. */
function wordsOf(text: string): string[] {
  const phrases = [...text.matchAll(/"([^"]*)"?|([^\s"]+)/g)].flatMap(([, quoted, word]) => phraseOf(quoted ?? word ?? ""));
  if (phrases.length > 0) return phrases;
  throw new TollgateError("invalid_request", "q holds no word to look for: a word has a letter or a digit", { param: "q" });
}

/** A text whose words must stand one after the other. In quotes nothing of it is an operator; without a word it would match nothing. */
function phraseOf(text: string): string[] {
  const plain = text.toWellFormed().replace(/[\p{Cc}"]+/gu, " ");
  return /[\p{L}\p{N}]/u.test(plain) ? [`"${plain}"`] : [];
}
