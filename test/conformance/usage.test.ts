import { beforeAll, describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("usage");
const MODEL = "metered-1";

/** Nano-USD of one token, and of one search, by the rates below. */
const NANO = {
  input: 3_000,
  cache_read: 300,
  cache_write_5m: 3_750,
  cache_write_1h: 6_000,
  output: 15_000,
  audio_input: 40_000,
  audio_output: 80_000,
  web_searches: 10_000_000,
} as const;
type Counted = Partial<Record<keyof typeof NANO | "reasoning", number>>;
const RATES = {
  input: "3",
  cache_read: "0.3",
  cache_write_5m: "3.75",
  cache_write_1h: "6",
  output: "15",
  audio_input: "40",
  audio_output: "80",
  web_search: "0.01",
};

const SURFACES = {
  chat: { path: "/v1/chat/completions", of: "openai", body: { messages: [{ role: "user", content: "hi" }] } },
  responses: { path: "/v1/responses", of: "openai", body: { input: "hi" } },
  messages: { path: "/v1/messages", of: "anthropic", body: { max_tokens: 2_000, messages: [{ role: "user", content: "hi" }] } },
} as const;
type Surface = keyof typeof SURFACES;

/** Asks one surface and returns its record, once that has reached the database. */
async function ask(surface: Surface, scenario: string, more: Readonly<Record<string, unknown>>) {
  const { path, of, body } = SURFACES[surface];
  const answer = await fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", "x-scenario": scenario },
    body: JSON.stringify({ model: `${set[of]}/${MODEL}`, ...body, ...more }),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${surface} ${scenario} answered ${answer.status}: ${text}`);
  const record = await set.admin.record(answer.headers.get("x-request-id") ?? "");
  return record as typeof record & { nano_usd: number; receipt: { lines: { usd: string }[]; total_usd: string } };
}

/** Sum of decimal texts, in the smallest unit any of them has. */
function sum(texts: readonly string[]): bigint {
  return texts.reduce((total, text) => {
    const [whole, fraction = ""] = text.split(".");
    return total + BigInt(`${whole}${fraction.padEnd(18, "0")}`);
  }, 0n);
}

const search = { tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 1 }] };

/** What each of the vendors' own examples means in disjoint classes, counted by hand. */
const CASES: readonly (readonly [Surface, string, Counted, Record<string, unknown>])[] = [
  ["chat", "usage-cached", { input: 86, cache_read: 1920, output: 300 }, {}],
  ["chat", "usage-reasoning", { input: 75, output: 1186, reasoning: 1024 }, {}],
  ["chat", "usage-audio", { input: 60, audio_input: 40, output: 10, audio_output: 50 }, {}],
  ["chat", "usage-beside", { input: 32, output: 103, reasoning: 94 }, {}],
  ["chat", "usage-written", { input: 500, cache_read: 1000, cache_write_5m: 2500, output: 500, reasoning: 200 }, {}],
  ["responses", "usage-cached", { input: 86, cache_read: 1920, output: 300 }, {}],
  ["responses", "usage-reasoning", { input: 75, output: 1186, reasoning: 1024 }, {}],
  ["messages", "usage-cached", { input: 2048, cache_read: 1800, cache_write_5m: 148, cache_write_1h: 100, output: 503 }, {}],
  ["messages", "usage-compacted", { input: 20_300, output: 450 }, { context_management: { edits: [{ type: "compact_20260112" }] } }],
  ["messages", "usage-search", { input: 10_682, output: 510, web_searches: 1 }, search],
];

const LIES = ["lies-negative", "lies-absurd", "lies-words", "lies-nought", "lies-half", "lies-missing"];
const SURFACE_NAMES = Object.keys(SURFACES) as Surface[];
const FALSE_CASES = SURFACE_NAMES.flatMap((surface) =>
  LIES.flatMap((lie) => [false, true].map((stream) => ({ surface, scenario: lie, more: { stream, ...capOf(surface) } }))),
);
const TRUE_CASES = CASES.flatMap(([surface, scenario, counted, more]) =>
  [false, true].map((stream) => ({ surface, scenario, counted, more: { stream, ...more } })),
);

function capOf(surface: Surface) {
  return surface === "responses" ? { max_output_tokens: 9 } : { max_tokens: 9 };
}

type Made = Awaited<ReturnType<typeof ask>>;
const found = new Map<object, Made>();

beforeAll(async () => {
  for (const provider of [set.openai, set.anthropic]) {
    const service_tiers = { flex: { rates: { input: "1.5", output: "7.5" } }, "fast+us": { rates: { input: "6", output: "30" } } };
    await set.admin.call("POST", "/prices", { provider, model: MODEL, rates: RATES, service_tiers, source: "test" });
  }
  // All at once: a record takes a second to reach the database.
  const made = async (each: { surface: Surface; scenario: string; more: object }) =>
    found.set(each, await ask(each.surface, each.scenario, each.more as Record<string, unknown>));
  await Promise.all([...TRUE_CASES, ...FALSE_CASES].map(made));
});

describe("what a provider reports is what is billed", () => {
  it.each(TRUE_CASES)("$surface, $scenario, $more: each class is counted once and priced at its own rate", (each) => {
    const record = found.get(each)!;
    const used = Object.fromEntries(Object.entries(record.usage).filter(([, count]) => count !== 0));
    expect(used).toEqual(each.counted);
    const { reasoning: _, ...priced } = each.counted;
    const nano = Object.entries(priced).reduce((total, [name, count]) => total + count * NANO[name as keyof typeof NANO], 0);
    expect(record).toMatchObject({ status: "actual", outcome: "ok", nano_usd: nano });
    expect(sum([record.actual_usd])).toBe(BigInt(nano) * 1_000_000_000n);
    expect(record.receipt.total_usd).toBe(record.actual_usd);
    expect(sum(record.receipt.lines.map(({ usd }) => usd))).toBe(sum([record.actual_usd]));
  });

  it("by the service tier that the answer names, whatever was asked for", async () => {
    const record = await ask("chat", "tier-flex", { service_tier: "auto" });
    expect(record).toMatchObject({ status: "actual", service_tier: "flex", nano_usd: 19 * 1_500 + 10 * 7_500 });
  });

  it.each([false, true])("by the speed at which it was served and the place, stream %s", async (stream) => {
    const record = await ask("messages", "usage-fast", { stream });
    expect(record).toMatchObject({ status: "actual", service_tier: "fast+us", nano_usd: 523 * 6_000 + 1842 * 30_000 });
  });

  it.each([false, true])("threat 38: what is used and has no rate is charged, named and unknown, stream %s", async (stream) => {
    const { receipt, ...record } = await ask("chat", "usage-sources", { stream });
    expect(record).toMatchObject({ status: "unknown", price_state: "unknown", nano_usd: 32 * 3_000 + 9 * 15_000 + 3 * 25_000_000 });
    expect(receipt).toMatchObject({
      price: { source: "test; no rate for search_source: what stands in is charged" },
      lines: [{ class: "input" }, { class: "output" }, { class: "search_source", quantity: 3, rate: "0.025", usd: "0.075" }],
    });
  });
});

describe("threat 42: a provider that lies", () => {
  it.each(FALSE_CASES)("$surface, $scenario, $more: is billed an estimate, bounded by our own count", (each) => {
    const record = found.get(each)!;
    expect(record.status).toBe("estimated");
    // Nine words of some forty bytes, asked for in a body of less than two hundred.
    expect(record.usage["output"]).toBeGreaterThan(0);
    expect(record.usage["output"]).toBeLessThanOrEqual(10);
    expect(record.usage["input"]).toBeGreaterThan(0);
    expect(record.usage["input"]).toBeLessThanOrEqual(200);
  });
});
