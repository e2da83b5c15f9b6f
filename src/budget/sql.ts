/** What a column may hold. */
export type Value = string | number | null;

/**
 * The synchronous SQLite that the ledger stands on: the Durable Object's own in production, `node:sqlite` in Node. A transaction
 * whose function throws leaves no trace.
 */
export interface Sql {
  exec<Row extends Record<string, Value>>(query: string, ...values: Value[]): Row[];
  transaction<Result>(work: () => Result): Result;
}

const TABLES = [
  `CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS holds (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL, nano INTEGER NOT NULL, tokens INTEGER NOT NULL, requests INTEGER NOT NULL,
    legs TEXT NOT NULL, second INTEGER NOT NULL, counted INTEGER NOT NULL, paced INTEGER NOT NULL, bound INTEGER NOT NULL, expires_at INTEGER NOT NULL, event TEXT NOT NULL,
    elsewhere TEXT NOT NULL, lease TEXT)`,
  `CREATE INDEX IF NOT EXISTS holds_key ON holds (key)`,
  `CREATE INDEX IF NOT EXISTS holds_expires_at ON holds (expires_at)`,
  `CREATE TABLE IF NOT EXISTS leases (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, cap INTEGER NOT NULL, spent INTEGER NOT NULL, drawn INTEGER NOT NULL, refused TEXT,
    legs TEXT NOT NULL, expires_at INTEGER NOT NULL, ended_at INTEGER) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS leases_key ON leases (key) WHERE ended_at IS NULL`,
  `CREATE INDEX IF NOT EXISTS leases_expires_at ON leases (expires_at) WHERE ended_at IS NULL`,
  `CREATE INDEX IF NOT EXISTS leases_ended_at ON leases (ended_at)`,
  `CREATE TABLE IF NOT EXISTS floats (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, nano INTEGER NOT NULL, tokens INTEGER NOT NULL, requests INTEGER NOT NULL, legs TEXT NOT NULL,
    expires_at INTEGER NOT NULL, returned INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS slices (
    key TEXT NOT NULL, float TEXT NOT NULL, second INTEGER NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL, slots INTEGER,
    PRIMARY KEY (key, float)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS balances (
    budget TEXT NOT NULL, window_start INTEGER NOT NULL, spent INTEGER NOT NULL, reserved INTEGER NOT NULL, over INTEGER NOT NULL,
    PRIMARY KEY (budget, window_start)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS totals (
    key TEXT PRIMARY KEY, nano INTEGER NOT NULL, requests INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS pace (
    key TEXT NOT NULL, second INTEGER NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (key, second)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS ended (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, how TEXT NOT NULL, nano INTEGER NOT NULL, tokens INTEGER NOT NULL, requests INTEGER NOT NULL,
    legs TEXT NOT NULL, charged TEXT NOT NULL, elsewhere TEXT NOT NULL, at INTEGER NOT NULL, lease TEXT) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS ended_at ON ended (at)`,
  // What changes stands apart from what is long: a row that is noted as sent is not written again with its events.
  `CREATE TABLE IF NOT EXISTS outbox_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, ids TEXT NOT NULL, events TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS outbox_due (seq INTEGER PRIMARY KEY, tries INTEGER NOT NULL, due_at INTEGER NOT NULL)`,
  `CREATE INDEX IF NOT EXISTS outbox_due_at ON outbox_due (due_at)`,
  `CREATE TABLE IF NOT EXISTS notices (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, ledger TEXT NOT NULL, notice TEXT NOT NULL, tries INTEGER NOT NULL, due_at INTEGER NOT NULL)`,
];

/** Columns that tables made before them lack. */
const LATER = [
  { table: "holds", column: "lease", kind: "TEXT" },
  { table: "ended", column: "lease", kind: "TEXT" },
];

/** The outbox as one table, as ledgers kept it before: what it holds is moved. */
const UNDIVIDED = [
  `INSERT INTO outbox_events (ids, events) SELECT id, event FROM outbox ORDER BY due_at`,
  `INSERT INTO outbox_due (seq, tries, due_at) SELECT seq, tries, due_at FROM outbox_events JOIN outbox ON id = ids`,
  `DROP TABLE outbox`,
];

/** Makes the ledger's tables where they are not there. Listed in docs/storage.md. */
export function createTables(sql: Sql): void {
  const [undivided] = sql.exec("SELECT 1 AS there FROM sqlite_master WHERE type = 'table' AND name = 'outbox'");
  // An index keeps its name when its table is divided.
  if (undivided) sql.exec("DROP INDEX IF EXISTS outbox_due_at");
  for (const table of TABLES) sql.exec(table);
  for (const { table, column, kind } of LATER) {
    const there = sql.exec<{ name: string }>(`PRAGMA table_info(${table})`).some(({ name }) => name === column);
    if (!there) sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${kind}`);
  }
  if (undivided) sql.transaction(() => UNDIVIDED.forEach((step) => sql.exec(step)));
}
