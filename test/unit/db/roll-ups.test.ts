import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { describe, expect, it } from "vitest";

const FOLDER = "migrations";
const FILES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".sql"))
  .sort();
const LATE = FILES.findIndex((file) => file.startsWith("0007"));

function migrate(database: DatabaseSync, files: readonly string[]): void {
  for (const file of files)
    for (const statement of readFileSync(`${FOLDER}/${file}`, "utf8").split("--> statement-breakpoint")) database.exec(statement);
}

/** A cost record: whose it is and what it is for go by its number. */
function record(serial: number, reprices: string | null = null): Record<string, SQLInputValue> {
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

function insert(database: DatabaseSync, row: Record<string, SQLInputValue>): void {
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
