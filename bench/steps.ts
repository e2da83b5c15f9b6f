import { writeFileSync } from "node:fs";
import { Ledger } from "../src/budget/ledger.ts";
import { readConfig } from "#config";
import { NO_USAGE } from "#core";
import { KeyRing, mint } from "#keys";
import { bounds, PriceBook, receipt, resolveModel } from "#models";
import { registry, requestHeaders } from "#providers";
import { readAsk, reportedFromJson, rewrite, StreamReader } from "#wire";
import { NodeSql } from "../test/support/node-sql.ts";

/** `node bench/steps.ts`: what each pure step of one request costs, in microseconds of one core, on Node. Writes bench/steps.json. */

const ROUNDS = 7;
const CALLS = 2_000;

async function microseconds(step: () => unknown): Promise<number> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let call = 0; call < CALLS; call++) await step();
    found.push(((performance.now() - start) * 1000) / CALLS);
  }
  return Number(found.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!.toFixed(1));
}

const pepper = "pepper-of-the-bench-0123456789abcdef";
const { text } = await mint(pepper);
const ring = new KeyRing({} as never, pepper, () => Date.now());
const config = readConfig({ TOLLGATE_PEPPER: pepper, TOLLGATE_ENCRYPTION_KEY: pepper, OPENAI_API_KEY: "sk-bench" });
const upstreams = registry(config, []);
const book = new PriceBook([]);
const known = { providers: new Set(upstreams.keys()), aliases: new Map(), book, at: Date.now() };
const body = new TextEncoder().encode(
  JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: 64,
    stream: true,
    messages: [{ role: "user", content: "Say the word twenty times, please." }],
  }),
);
const ask = readAsk("chat.completions", body);
const price = book.find("openai", "gpt-4o-mini", "team_default", Date.now());
const load = {
  promptBytes: ask.promptBytes,
  likelyInput: 20,
  uncountable: false,
  tools: false,
  maxOutput: 64,
  choices: 1,
  hasOutput: true,
};
const usage = { ...NO_USAGE, input: 12, output: 20 };
const answer = JSON.stringify({
  choices: [{ index: 0, message: { content: "word ".repeat(20) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 20 },
});
const chunk = new TextEncoder().encode(
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "word " }, finish_reason: null }], usage: null })}\n\n`,
);
const headers = new Headers({
  authorization: "Bearer x",
  "content-type": "application/json",
  "user-agent": "bench",
  accept: "*/*",
  "x-stainless-lang": "js",
});

const ledger = new Ledger(new NodeSql());
const amount = { nano: 1_000, tokens: 100, requests: 1 };
const limits = { rpm: 600_000, tpm: null, concurrency: 1_000 };
const budget = {
  id: "bud_1",
  scope: { kind: "key", id: "key_1" },
  window: "day",
  timeZone: "UTC",
  unit: "usd",
  limit: 1e12,
  mode: "strict",
} as const;
const payer = { key: { epoch: 1, active: true, expiresAt: null, user: null, limits }, budgets: [budget] };
const event = JSON.stringify({ v: 1, cost: { id: "cost_1" }, padding: "x".repeat(1_500), charges: [] });
let serial = 0;

const steps = {
  "authenticate: certify and digest (two HMACs)": () => ring.authenticate(text).catch(() => null),
  "read the request: UTF-8, depth, JSON, governed fields": () => readAsk("chat.completions", body),
  "resolve, price and bound": () => {
    resolveModel("gpt-4o-mini", known);
    bounds(price, load);
  },
  "splice the request": () => rewrite(ask, { model: "m", includeUsage: true }),
  "filter headers, one way": () => requestHeaders(headers),
  "ledger: reserve and settle, one budget, limits of pace": () => {
    const id = `req_${++serial}`;
    ledger.reserve(
      { id, key: "key_1", epoch: 1, floor: amount, likely: amount, ceiling: amount, stream: false, ttlMs: 600_000, event },
      payer,
      Date.now(),
    );
    ledger.settle({ id, actual: amount, usage: { input: 1, output: 1 }, event: event.replace("cost_1", `cost_${serial}`) }, Date.now());
  },
  "read a JSON answer's usage": () => reportedFromJson("chat.completions", answer),
  "read a stream's usage, 20 chunks": () => {
    const reader = new StreamReader("chat.completions");
    for (let at = 0; at < 20; at++) reader.push(chunk);
    return reader.reported();
  },
  "receipt: exact arithmetic": () => receipt(price, usage, null, book.tableHash),
};

const results: Record<string, number> = {};
for (const [name, step] of Object.entries(steps)) results[name] = await microseconds(step);
console.table(results);
writeFileSync(
  "bench/steps.json",
  `${JSON.stringify({ command: "node bench/steps.ts", unit: "microseconds", node: process.version, results }, null, 2)}\n`,
);
