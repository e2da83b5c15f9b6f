import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { benchFilled, randomNumbers } from "./filled.ts";

/**
 * `node bench/reports.ts [records]`: how long the reports take over a million cost records and as many rows of the request log.
 * The rows go into the gateway's own database through its own schema, triggers included; the reports are asked for over HTTP, as
 * the console asks. Writes bench/reports.json.
 */

const RECORDS = Number(process.argv[2] ?? 1_000_000);
const DAY_MS = 86_400_000;
const DAYS = 90;
const NOW = Date.now();
const random = randomNumbers(7);

/** One of `count`, the first ones more often, as callers are. */
const some = (count: number) => Math.floor(count * random() ** 2);
const keyOf = (at: number) => ({ key: `key_${at}`, team: `team_${at % 20}`, user: at % 3 === 0 ? null : `user_${at % 90}` });
/** Some tags are used by everybody, most by one team. */
const tagOf = (team: string) => (random() < 0.3 ? `tag-${some(4)}` : `${team}-tag-${some(10)}`);
const MODELS = Array.from({ length: 12 }, (_, at) => ({
  provider: ["openai", "anthropic", "mistral", "acme"][at % 4]!,
  model: `model-${at}`,
}));
const CAPABILITIES = ["chat.completions", "messages", "responses", "embeddings"];

type Row = Record<string, SQLInputValue>;

/** A paid request and its row in the log, some of it left to chance. */
function pair(serial: number): { readonly cost: Row; readonly request: Row } {
  const at = Math.floor(NOW - DAYS * DAY_MS + (serial / RECORDS) * DAYS * DAY_MS);
  const suffix = serial.toString(36).padStart(24, "0");
  const { provider, model } = MODELS[some(MODELS.length)]!;
  const input = 200 + some(4_000);
  const output = 20 + some(800);
  const nano = input * 150 + output * 600;
  const usd = `0.${String(nano).padStart(9, "0")}`;
  const caller = keyOf(some(200));
  const shared = {
    at,
    ...caller,
    end_user: random() < 0.7 ? `${caller.team}-person-${some(400)}` : null,
    session: random() < 0.5 ? `session-${Math.floor(serial / 40)}-${some(8)}` : null,
    task: random() < 0.1 ? `task_${Math.floor(serial / 200)}` : null,
    capability: CAPABILITIES[some(4)]!,
    requested: model,
    provider,
    model,
    stream: serial % 2,
    outcome: "ok",
    tags: JSON.stringify([...new Set(Array.from({ length: some(4) }, () => tagOf(caller.team)))]),
    metadata: JSON.stringify(random() < 0.6 ? { feature: `feature-${some(12)}`, release: "2026.11" } : {}),
  };
  const line = (name: string, quantity: number, rate: string) => ({ class: name, quantity, rate, per: 1_000_000, usd });
  const price = {
    id: `table:${provider}/${model}`,
    provider,
    model,
    aliases: [],
    state: "priced",
    rates: { input: "0.15", output: "0.6" },
  };
  const lines = [line("input", input, "0.15"), line("output", output, "0.6")];
  const charges = ["day", "month", "total"].map((window) => ({ budget: `bud_${window}`, windowStart: at, unit: "usd", amount: nano }));
  const cost = {
    ...shared,
    id: `cost_${suffix}`,
    request: `req_${suffix}`,
    resource_kind: "model",
    attempts: 1,
    cache: "bypass",
    status: "actual",
    price_state: "priced",
    estimated_usd: usd,
    actual_usd: usd,
    nano_usd: nano,
    nano_floor: nano,
    femto_rest: some(1_000_000),
    input,
    output,
    cache_read: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    reasoning: 0,
    audio_input: 0,
    audio_output: 0,
    images: 0,
    web_searches: 0,
    receipt: JSON.stringify({ price, tableHash: "sha256:0", lines, charges }),
  };
  const attempts = JSON.stringify([{ provider, model, status: 200, ms: 812.5 }]);
  const log = { http_status: 200, latency_ms: 813, input_tokens: input, output_tokens: output, usd, attempts };
  return { cost, request: { ...shared, id: `req_${suffix}`, ...log } };
}

function inserter(database: DatabaseSync, table: string, columns: readonly string[]): (row: Row) => void {
  const names = columns.map((name) => `"${name}"`).join(", ");
  const statement = database.prepare(`INSERT INTO ${table} (${names}) VALUES (${columns.map(() => "?").join(", ")})`);
  return (row) => void statement.run(...columns.map((name) => row[name] ?? null));
}

function fill(database: DatabaseSync) {
  const first = pair(0);
  const cost = inserter(database, "cost_records", Object.keys(first.cost));
  const request = inserter(database, "requests", Object.keys(first.request));
  let spent = 0;
  for (let serial = 0; serial < RECORDS;) {
    database.exec("BEGIN");
    for (const end = Math.min(serial + 20_000, RECORDS); serial < end; serial++) {
      const rows = pair(serial);
      request(rows.request);
      const start = performance.now();
      cost(rows.cost);
      spent += performance.now() - start;
    }
    database.exec("COMMIT");
    if (serial % 100_000 === 0) console.error(`${serial} records`);
  }
  const { cells } = database.prepare("SELECT count(*) AS cells FROM cost_cells").get() as { cells: number };
  return { records: RECORDS, requests: RECORDS, days: DAYS, cells, insert_microseconds: Math.round((spent * 1_000) / RECORDS) };
}

const ago = (days: number) => new Date(NOW - days * DAY_MS - 1_234_567).toISOString();
const month = new Date(NOW).toISOString().slice(0, 7);
const anyKey = () => `key_${some(200)}`;
const anyTeam = () => `team_${some(20)}`;
const anyTag = () => tagOf(anyTeam());
const anyPerson = () => `${anyTeam()}-person-${some(400)}`;
const anyCursor = () => `${Math.floor(NOW - random() * DAYS * DAY_MS)}.cost_0`;

/** What is asked, with other values each time where the name says "one". */
const REPORTS: Readonly<Record<string, () => string>> = {
  "total, all time": () => "/costs/summary",
  "by model, all time": () => "/costs/summary?group_by=model",
  "by model and day, last 30 days": () => `/costs/summary?group_by=model,day&from=${ago(30)}`,
  "by hour, last 7 days": () => `/costs/summary?group_by=hour&from=${ago(7)}`,
  "by team and month, all time": () => "/costs/summary?group_by=team,month",
  "by key, last 30 days": () => `/costs/summary?group_by=key&from=${ago(30)}`,
  "by user, this month": () => `/costs/summary?group_by=user&month=${month}`,
  "by provider and capability, last 60 days": () => `/costs/summary?group_by=provider,capability&from=${ago(60)}`,
  "by tag, all time": () => "/costs/summary?group_by=tag",
  "by end user, this month": () => `/costs/summary?group_by=end_user&month=${month}&limit=100`,
  "one team by key and model, last 30 days": () => `/costs/summary?team=${anyTeam()}&group_by=key,model&from=${ago(30)}`,
  "one key by model and day, last 30 days": () => `/costs/summary?key=${anyKey()}&group_by=model,day&from=${ago(30)}`,
  "one team by tag, last 30 days": () => `/costs/summary?team=${anyTeam()}&group_by=tag&from=${ago(30)}`,
  "one key by capability, all time": () => `/costs/summary?key=${anyKey()}&group_by=capability`,
  "one tag by team and month, all time": () => `/costs/summary?tag=${anyTag()}&group_by=team,month`,
  "one end user by model, all time": () => `/costs/summary?end_user=${anyPerson()}&group_by=model`,
  "one session by model, all time": () => `/costs/summary?session=session-${some(RECORDS / 40)}-0&group_by=model`,
  "by session, last 6 hours": () => `/costs/summary?group_by=session&from=${ago(0.25)}&limit=100`,
  "by metadata.feature, last 6 hours": () => `/costs/summary?group_by=metadata.feature&from=${ago(0.25)}`,
  "records, newest 50": () => "/costs/records",
  "records of one key": () => `/costs/records?key=${anyKey()}`,
  "records of one key and model": () => `/costs/records?key=${anyKey()}&model=model-${some(12)}`,
  "records of one team and model": () => `/costs/records?team=${anyTeam()}&model=model-${some(12)}`,
  "records with one tag": () => `/costs/records?tag=${anyTag()}`,
  "records with a tag that none has": () => "/costs/records?tag=nobody",
  "records of one end user": () => `/costs/records?end_user=${anyPerson()}`,
  "records, a page from anywhere": () => `/costs/records?cursor=${anyCursor()}`,
  "request log, newest 50": () => "/requests",
  "request log of one key": () => `/requests?key=${anyKey()}`,
  "request log with one tag": () => `/requests?tag=${anyTag()}`,
  "request log, a page from anywhere": () => `/requests?cursor=${anyCursor()}`,
};

await benchFilled({ name: "reports", fill, questions: REPORTS });
