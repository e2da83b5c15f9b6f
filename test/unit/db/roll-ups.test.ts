import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { getTableColumns } from "drizzle-orm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { insertAll } from "../../../src/audit/consumer.ts";
import { countedTogether } from "../../../src/audit/roll-ups.ts";
import { connect, tables } from "../../../src/db/index.ts";

type Row = Record<string, string | number | null>;

const FOLDER = "migrations";
const FILES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".sql"))
  .sort();
const LATE = FILES.findIndex((file) => file.startsWith("0007"));

const STATEMENTS = new Map(FILES.map((file) => [file, readFileSync(`${FOLDER}/${file}`, "utf8").split("--> statement-breakpoint")]));

function migrate(database: DatabaseSync, files: readonly string[]): void {
  for (const file of files) for (const statement of STATEMENTS.get(file)!) database.exec(statement);
}

/** A cost record: whose it is and what it is for go by its number. */
function record(serial: number, reprices: string | null = null): Row {
  const zeros = Object.fromEntries(
    ["cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "audio_input", "audio_output", "images", "web_searches"].map((name) => [
      name,
      0,
    ]),
  );
  return {
    ...zeros,
    id: `cost_${serial}`,
    request: `req_${serial}`,
    at: Date.UTC(2026, 9, 25) + serial * 3_600_000,
    key: `key_${serial % 3}`,
    team: "team_a",
    resource_kind: "model",
    provider: "acme",
    model: `m-${serial % 2}`,
    requested: "m",
    capability: ["messages", "embeddings", "responses"][serial % 3 === 0 ? 0 : serial % 2]!,
    stream: 0,
    outcome: "ok",
    attempts: 1,
    cache: "bypass",
    status: "actual",
    price_state: "priced",
    estimated_usd: "0",
    actual_usd: "0",
    nano_usd: serial,
    nano_floor: serial,
    femto_rest: 7 * serial,
    input: serial,
    output: 2 * serial,
    tags: JSON.stringify(serial % 4 === 0 ? ["a"] : []),
    metadata: "{}",
    receipt: "{}",
    reprices,
  };
}

function insert(database: DatabaseSync, row: Row): void {
  const names = Object.keys(row);
  database.prepare(`INSERT INTO cost_records (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(...Object.values(row));
}

function fill(database: DatabaseSync, from: number, to: number): void {
  for (let serial = from; serial < to; serial++) {
    insert(database, record(serial));
    if (serial % 5 === 0) insert(database, { ...record(serial, `cost_${serial}`), id: `cost_${serial}_r`, nano_floor: 1 });
  }
}

const cells = (database: DatabaseSync) =>
  database.prepare("SELECT * FROM cost_cells WHERE requests <> 0 ORDER BY level, grain, start, key, tag, model, capability").all();

describe("cells of cost", () => {
  it("are the same whether capabilities of keys were told apart from the first record on, or since some were there", () => {
    const [late, early] = [new DatabaseSync(":memory:"), new DatabaseSync(":memory:")];
    migrate(late, FILES.slice(0, LATE));
    fill(late, 0, 150);
    expect(late.prepare("SELECT count(*) AS n FROM cost_cells WHERE level = 'key' AND capability <> ''").get()).toEqual({ n: 0 });
    migrate(late, FILES.slice(LATE));
    fill(late, 150, 300);
    migrate(early, FILES);
    fill(early, 0, 300);
    expect(cells(late)).toEqual(cells(early));
    const months = early.prepare("SELECT DISTINCT capability FROM cost_cells WHERE level = 'key' AND grain = 'month' ORDER BY 1").all();
    expect(months.map(({ capability }) => capability)).toEqual(["embeddings", "messages"]);
  });
});

const BATCHES = FILES.findIndex((file) => file.startsWith("0019"));
/** Nobody asks this database: it writes down what the consumer would ask. */
const writer = connect({} as D1Database);
const COLUMNS = Object.entries(getTableColumns(tables.costRecords)).map(([property, { name, dataType, hasDefault }]) => ({
  property,
  name,
  json: dataType === "json",
  hasDefault,
}));
/** The columns that came later, of whose defaults a list of values knows nothing. */
const LATER = Object.fromEntries(COLUMNS.filter(({ hasDefault }) => hasDefault).map(({ name }) => [name, 0]));

/** The consumer's own statements for a batch of records. */
function statements(rows: readonly Row[]): { sql: string; params: SQLInputValue[] }[] {
  const inserts = rows.map((row) => Object.fromEntries(COLUMNS.map(({ property, name, json }) => [property, valueOf(row[name], json)])));
  return countedTogether(writer, insertAll(writer, tables.costRecords, inserts)).map((each) => {
    const { sql, params } = each.toSQL();
    return { sql, params: params as SQLInputValue[] };
  });
}

/** Text that a column holds as JSON is read; what a row says nothing of is left to its column. */
function valueOf(value: Row[string] | undefined, json: boolean): unknown {
  return json ? JSON.parse(String(value)) : value;
}

/** One transaction, which ends without a trace after some of its statements, or with all of them. */
function transact(database: DatabaseSync, rows: readonly Row[], crashAfter: number): void {
  const all = statements(rows);
  database.exec("BEGIN");
  for (const { sql, params } of all.slice(0, crashAfter)) database.prepare(sql).run(...params);
  database.exec(crashAfter < all.length ? "ROLLBACK" : "COMMIT");
}

interface Kept {
  readonly id: string;
  readonly at: number;
  readonly key: string;
  readonly team: string;
  readonly user: string | null;
  readonly end_user: string | null;
  readonly provider: string;
  readonly model: string;
  readonly capability: string;
  readonly tags: string;
  readonly reprices: string | null;
  readonly receipt: string;
  readonly nano_usd: number;
  readonly nano_floor: number;
  readonly femto_rest: number;
  readonly output: number;
}

type Sums = Record<string, number[]>;

function add(sums: Sums, place: readonly (string | number)[], amounts: readonly number[]): void {
  const name = place.join("|");
  sums[name] = amounts.map((amount, at) => amount + (sums[name]?.[at] ?? 0));
}

/** What the cells have to be, as one sums them who reads every record there is. */
function cellsOf(records: readonly Kept[]): Sums {
  const gone = new Set(records.map(({ reprices }) => reprices));
  const sums: Sums = {};
  for (const each of records.filter(({ id }) => !gone.has(id))) {
    const { team, key, provider, model, capability, end_user: endUser } = each;
    const [hour, day] = [3_600_000, 86_400_000].map((length) => each.at - (each.at % length));
    const month = Date.UTC(new Date(each.at).getUTCFullYear(), new Date(each.at).getUTCMonth());
    const amounts = [1, each.nano_floor, each.femto_rest, each.output];
    const user = each.user ?? "";
    for (const [grain, start] of Object.entries({ hour, day, month }))
      add(sums, ["all", grain, start!, "", "", "", "", "", provider, model, capability], amounts);
    for (const [grain, start] of Object.entries({ day, month })) {
      add(sums, ["team", grain, start!, team, "", "", "", "", provider, model, capability], amounts);
      add(sums, ["key", grain, start!, team, user, key, "", "", provider, model, grain === "month" ? capability : ""], amounts);
      const tags = JSON.parse(each.tags) as string[];
      for (const tag of tags.length > 0 ? tags : [""])
        add(sums, ["tag", grain, start!, team, "", "", tag, "", provider, model, ""], amounts);
    }
    add(sums, ["end_user", "month", month, team, "", "", "", endUser ?? "", "", "", ""], amounts);
  }
  return sums;
}

function held(database: DatabaseSync, table: string, columns: { readonly place: string; readonly amounts: string }): Sums {
  const rows = database.prepare(`SELECT ${columns.place} || '' AS place, json_array(${columns.amounts}) AS amounts FROM ${table}`).all();
  const read = rows.map(({ place, amounts }) => [String(place), JSON.parse(String(amounts)) as number[]] as const);
  return Object.fromEntries(read.filter(([, amounts]) => amounts.some((amount) => amount !== 0)));
}

const joinedBy = (...names: readonly string[]) => names.join(" || '|' || ");
const CELL = joinedBy("level", "grain", "start", "team", "user", "key", "tag", "end_user", "provider", "model", "capability");

/** Every sum that is kept of the records is what the records sum to. */
function expectExact(database: DatabaseSync): void {
  const records = database.prepare("SELECT * FROM cost_records").all() as unknown as Kept[];
  expect(held(database, "cost_cells", { place: CELL, amounts: "requests, nano, femto, output" })).toEqual(cellsOf(records));
  const [hours, checks]: [Sums, Sums] = [{}, {}];
  for (const { key, at, nano_usd: nano, reprices, receipt, provider, model, output } of records) {
    if (reprices !== null) continue;
    add(hours, [key, at - (at % 3_600_000)], [nano]);
    const { ownOutput } = JSON.parse(receipt) as { readonly ownOutput?: number };
    if (ownOutput !== undefined) add(checks, [at - (at % 86_400_000), provider, model], [1, output, ownOutput]);
  }
  expect(held(database, "key_hours", { place: joinedBy("key", "hour"), amounts: "nano" })).toEqual(hours);
  expect(held(database, "usage_checks", { place: joinedBy("day", "provider", "model"), amounts: "answers, reported, own" })).toEqual(
    checks,
  );
}

/** In what each record differs from all others: two in nothing, so that their changes are added up before they are written. */
const DIFFERENT: readonly Row[] = [
  {},
  {},
  { at: Date.UTC(2026, 10, 1) },
  { user: "user_a" },
  { key: "key_b" },
  { tags: '["a"]' },
  { tags: '["a","b"]' },
  { end_user: "somebody" },
  { provider: "other" },
  { model: "m-2" },
  { capability: "rerank" },
  { team: "team_b" },
];

/** Records, what reprices some of them, what reprices that, and two that contend for one. */
const POOL = DIFFERENT.flatMap((different, serial) => {
  const receipt = JSON.stringify(serial % 4 === 0 ? {} : { ownOutput: serial });
  const alike = { at: Date.UTC(2026, 9, 31, 23), key: "key_a", model: "m-1", capability: "messages", tags: "[]" };
  const first: Row = { ...LATER, ...record(serial + 1), ...alike, user: null, end_user: null, receipt, ...different };
  const again = (of: Row, suffix: string, nano: number): Row => ({
    ...first,
    id: `${of["id"]}${suffix}`,
    reprices: of["id"]!,
    nano_floor: nano,
  });
  const second = again(first, "_r", 100);
  const third = again(second, "_r", 2);
  return [[first], [first, second], [first, second, third], [first, second, again(first, "_fork", 9)]][serial % 4]!;
});

const step = fc.oneof(
  fc.record({
    kind: fc.constant("batch" as const),
    rows: fc.array(fc.nat(), { maxLength: 8 }),
    crashAfter: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant("batch" as const), rows: fc.array(fc.nat(), { maxLength: 8 }), crashAfter: fc.constant(3) }),
  fc.record({ kind: fc.constant("alone" as const), row: fc.nat() }),
);

/** Writes as a Worker does that knows nothing of batches. */
function alone(database: DatabaseSync, row: Row): void {
  const names = Object.keys(row);
  const values = names.map(() => "?").join(", ");
  database.prepare(`INSERT INTO cost_records (${names.join(", ")}) VALUES (${values}) ON CONFLICT DO NOTHING`).run(...Object.values(row));
}

describe("I7: sums of batches", () => {
  it("are exact after each transaction, whatever comes again, is repriced, crashes between statements, or is written without a batch", () => {
    const later = (at: number) => POOL[at % POOL.length]!;
    const property = fc.property(
      fc.array(fc.nat(), { maxLength: 10 }),
      fc.array(step, { minLength: 1, maxLength: 14 }),
      (earlier, steps) => {
        const database = new DatabaseSync(":memory:");
        migrate(database, FILES.slice(0, BATCHES));
        for (const at of earlier) alone(database, later(at));
        migrate(database, FILES.slice(BATCHES));
        expectExact(database);
        for (const each of steps) {
          if (each.kind === "alone") alone(database, later(each.row));
          else transact(database, each.rows.map(later), each.crashAfter);
          expectExact(database);
          expect(database.prepare("SELECT * FROM cost_batches").all()).toEqual([]);
        }
        database.close();
      },
    );
    fc.assert(property, { numRuns: 50, seed: 20_261_122 });
  }, 60_000);

  it("are refused, and leave nothing, where the database knows nothing of batches yet", () => {
    const database = new DatabaseSync(":memory:");
    migrate(database, FILES.slice(0, BATCHES));
    expect(() => transact(database, [POOL[0]!, POOL[1]!], 3)).toThrow("cost_batches");
    database.exec("ROLLBACK");
    expectExact(database);
    expect(database.prepare("SELECT count(*) AS n FROM cost_records").get()).toEqual({ n: 0 });
  });
});
