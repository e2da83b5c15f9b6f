import { writeFileSync } from "node:fs";
import { Ledger } from "../src/budget/ledger.ts";
import { readConfig } from "#config";
import { NO_USAGE } from "#core";
import { KeyRing, mint } from "#keys";
import { Estimators, Features, tokensOf } from "#estimate";
import { bounds, PriceBook, receipt, resolveModel } from "#models";
import { registry, requestHeaders } from "#providers";
import { readAsk, reportedFromJson, rewrite, StreamReader } from "#wire";
import { NodeSql } from "../test/support/node-sql.ts";

/**
 * `node bench/steps.ts`: what each pure step of one request costs, in microseconds of processor time, on Node; whatever else runs on the
 * machine counts little. Writes bench/steps.json.
 */

const ROUNDS = 7;
const CALLS = 2_000;

async function microseconds(step: () => unknown, calls = CALLS): Promise<number> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let call = 0; call < calls; call++) await step();
    const { user, system } = process.cpuUsage(start);
    found.push((user + system) / calls);
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

const estimators = new Estimators();
const SENTENCE = "The harbour was quiet when the first boats came in, and only the gulls seemed to care about the catch. ";
const texts = new Map<number, string>();
function words(bytes: number): string {
  const known = texts.get(bytes) ?? SENTENCE.repeat(Math.ceil(bytes / SENTENCE.length)).slice(0, bytes);
  texts.set(bytes, known);
  return known;
}
const askOf = (...contents: string[]) =>
  readAsk(
    "chat.completions",
    new TextEncoder().encode(JSON.stringify({ model: "gpt-4o-mini", messages: contents.map((content) => ({ role: "user", content })) })),
  );
const callOf = (made: typeof ask) => ({ operation: "chat.completions", provider: "openai", model: "gpt-4o-mini", ask: made }) as const;
const conversation = askOf(SENTENCE, "And the catch?", SENTENCE + SENTENCE);
const long = askOf(words(1_000_000));
/** Every character is a word or a mark of its own. */
const hostile = askOf("a.".repeat(500_000));
const expected = {
  tokens: { strict: 300, tight: 90, close: 70 },
  outputTokens: 1_024,
  charge: (made: typeof usage) => receipt(price, made, null, book.tableHash),
};

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

/** Steps whose time hangs on the prompt, and how often each is timed. */
const prompts = {
  "estimate: a chat of three short messages": [() => estimators.tokens(callOf(conversation)), CALLS],
  "estimate: text of 10 kB, three counts": [() => tokensOf(new Features().add(words(10_000)), "o200k"), 500],
  "estimate: a prompt of 1 MB": [() => estimators.tokens(callOf(long)), 20],
  "estimate: 1 MB made to be slow": [() => estimators.tokens(callOf(hostile)), 20],
  "estimate: what a chat will cost, line by line": [() => estimators.estimate(callOf(conversation), expected), CALLS],
} as const;

const results: Record<string, number> = {};
for (const [name, step] of Object.entries(steps)) results[name] = await microseconds(step);
for (const [name, [step, calls]] of Object.entries(prompts)) results[name] = await microseconds(step, calls);
console.table(results);
writeFileSync(
  "bench/steps.json",
  `${JSON.stringify({ command: "node bench/steps.ts", unit: "microseconds", node: process.version, results }, null, 2)}\n`,
);
