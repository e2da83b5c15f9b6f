import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { consume, type RequestEvent } from "#audit";
import { femtoFromUsd, NO_USAGE, type Usage, usdFromFemto } from "#core";
import { connect } from "#db";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

const db = connect(env.DB);
const OCTOBER = Date.UTC(2026, 9, 1);
const DAY = 86_400_000;
let serial = 0;

/** One paid request, as this deployment records it. */
interface Paid {
  readonly day: number;
  readonly model: string;
  readonly usage: Partial<Usage>;
  readonly femto: bigint;
  readonly status?: "actual" | "estimated" | "unknown";
  /** Milliseconds after the day's start; noon unless it matters. */
  readonly after?: number;
  /** What of it is fees of web searches. */
  readonly searchFemto?: bigint;
  readonly cache?: "hit";
  readonly reprices?: string;
  readonly id?: string;
}

/** One row of the provider's bill. */
interface Billed {
  day: number;
  name: string;
  requests: number;
  usage: Usage;
  femto: bigint;
  searchFemto: bigint;
}

function eventOf(provider: string, paid: Paid): RequestEvent {
  const id = paid.id ?? `${provider}_${++serial}`;
  const searches = paid.usage.webSearches ?? 0;
  const fee = paid.searchFemto ?? 0n;
  return {
    v: 1,
    kind: "request",
    invocation: {
      request: `req_${id}`,
      at: OCTOBER + paid.day * DAY + (paid.after ?? DAY / 2),
      key: "key_a",
      team: "team_default",
      user: null,
      endUser: null,
      session: null,
      task: null,
      capability: "chat.completions",
      requested: paid.model,
      provider,
      model: paid.model,
      stream: false,
      outcome: "ok",
      attempts: [],
      tags: [],
      metadata: {},
    },
    cost: {
      id: `cost_${id}`,
      status: paid.status ?? "actual",
      priceState: paid.status === "unknown" ? "unknown" : "priced",
      cache: paid.cache ?? "bypass",
      estimatedUsd: "0",
      actualUsd: usdFromFemto(paid.femto),
      nanoUsd: 1,
      usage: { ...NO_USAGE, ...paid.usage },
      serviceTier: null,
      reprices: paid.reprices ?? null,
      receipt: {
        price: {},
        tableHash: "h",
        lines:
          searches > 0
            ? [{ class: "web_search", quantity: searches, rate: usdFromFemto(fee / BigInt(searches)), per: 1, usd: usdFromFemto(fee) }]
            : [],
      },
    },
    log: { httpStatus: 200, code: null, latencyMs: 1, firstByteMs: null, overheadMs: null, upstreamRequestId: null },
    charges: [],
  };
}

/** Puts records into D1 by the way that real ones take. */
async function store(provider: string, records: readonly Paid[]): Promise<void> {
  for (let at = 0; at < records.length; at += 100) {
    const body = JSON.stringify(records.slice(at, at + 100).map((paid) => eventOf(provider, paid)));
    let fate = "none";
    const message = {
      id: String(at),
      timestamp: new Date(0),
      body,
      attempts: 1,
      ack: () => void (fate = "ack"),
      retry: () => void (fate = "retry"),
    };
    await consume(
      { queue: "q", messages: [message], ackAll() {}, retryAll() {}, metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } },
      db,
    );
    expect(fate).toBe("ack");
  }
}

/** A month of three models, two records each a day; numbers of no pattern that a sum could hide. */
function month(models: readonly string[], web: boolean): Paid[] {
  let seed = 20_261_001;
  const next = (max: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % max;
  };
  return Array.from({ length: 31 }, (_, day) => day).flatMap((day) =>
    models.flatMap((model) =>
      [0, 1].map((nth): Paid => {
        const searches = web && nth === 1 && model !== models[2] ? next(3) : 0;
        const fee = BigInt(searches) * femtoFromUsd("0.01");
        return {
          day,
          model,
          usage: {
            input: 100 + next(9_000),
            cacheRead: next(4_000),
            cacheWrite5m: next(500),
            output: 1 + next(3_000),
            webSearches: searches,
          },
          femto: BigInt(1 + next(2_000_000_000)) * 1_009n + fee,
          searchFemto: fee,
        };
      }),
    ),
  );
}

const sum = (a: Usage, b: Partial<Usage>): Usage =>
  Object.fromEntries(Object.entries(a).map(([name, value]) => [name, value + (b[name as keyof Usage] ?? 0)])) as unknown as Usage;

/** What a provider that agrees to the last digit would bill, under its own names. */
function bill(records: readonly Paid[], names: Readonly<Record<string, string>>): Billed[] {
  const rows = new Map<string, Billed>();
  for (const { day, model, usage, femto, searchFemto = 0n } of records) {
    const name = names[model] ?? model;
    const key = `${day} ${name}`;
    const row = rows.get(key) ?? { day, name, requests: 0, usage: NO_USAGE, femto: 0n, searchFemto: 0n };
    rows.set(key, {
      ...row,
      requests: row.requests + 1,
      usage: sum(row.usage, usage),
      femto: row.femto + femto,
      searchFemto: row.searchFemto + searchFemto,
    });
  }
  return [...rows.values()];
}

const date = (day: number) => new Date(OCTOBER + day * DAY).toISOString().slice(0, 10);

/** Amounts to the digits that a vendor's number has: fifteen. */
const CENTS = (femto: bigint) => {
  const digits = femto.toString().padStart(14, "0");
  return `${digits.slice(0, -13)}.${digits.slice(-13)}`;
};

/** A bill in each form that can be read. */
const RENDERED: Record<string, (rows: readonly Billed[], days: number) => unknown[]> = {
  csv: (rows) => [
    {
      format: "csv",
      data: [
        "day,model,requests,input,cache_read,cache_write_5m,output,web_searches,usd",
        ...rows.map(({ day, name, requests, usage, femto }) =>
          [
            date(day),
            `"${name}"`,
            requests,
            usage.input,
            usage.cacheRead,
            usage.cacheWrite5m,
            usage.output,
            usage.webSearches,
            usdFromFemto(femto),
          ].join(","),
        ),
      ].join("\r\n"),
    },
  ],
  openai: (rows, days) => {
    const buckets = (results: (row: Billed) => unknown[]) =>
      Array.from({ length: days }, (_, day) => ({
        object: "bucket",
        start_time: (OCTOBER + day * DAY) / 1000,
        end_time: (OCTOBER + (day + 1) * DAY) / 1000,
        results: rows.filter((row) => row.day === day).flatMap(results),
      }));
    const usage = buckets(({ name, requests, usage: { input, cacheRead, cacheWrite5m, output } }) => [
      {
        object: "organization.usage.completions.result",
        model: name,
        num_model_requests: requests,
        input_tokens: input + cacheRead + cacheWrite5m,
        input_cached_tokens: cacheRead,
        input_cache_write_tokens: cacheWrite5m,
        output_tokens: output,
        project_id: null,
      },
    ]);
    const costs = buckets(({ name, femto }) => [
      {
        object: "organization.costs.result",
        amount: { value: Number(usdFromFemto(femto / 3n)), currency: "usd" },
        line_item: `${name}, input`,
      },
      {
        object: "organization.costs.result",
        amount: { value: Number(usdFromFemto(femto - femto / 3n)), currency: "usd" },
        line_item: `${name}, output`,
      },
    ]);
    const page = (data: unknown[], has_more: boolean) => ({ object: "page", data, has_more, next_page: has_more ? "p" : null });
    return [
      { format: "openai.usage", data: page(usage.slice(0, 7), true) },
      { format: "openai.usage", data: page(usage.slice(7), false) },
      { format: "openai.costs", data: page(costs, false) },
    ];
  },
  anthropic: (rows, days) => {
    const buckets = (results: (row: Billed) => unknown[]) =>
      Array.from({ length: days }, (_, day) => ({
        starting_at: `${date(day)}T00:00:00Z`,
        ending_at: `${date(day + 1)}T00:00:00Z`,
        results: rows.filter((row) => row.day === day).flatMap(results),
      }));
    const usage = buckets(({ name, usage: { input, cacheRead, cacheWrite5m, cacheWrite1h, output, webSearches } }) => [
      {
        model: name,
        uncached_input_tokens: input,
        cache_read_input_tokens: cacheRead,
        cache_creation: { ephemeral_5m_input_tokens: cacheWrite5m, ephemeral_1h_input_tokens: cacheWrite1h },
        output_tokens: output,
        server_tool_use: { web_search_requests: webSearches },
        workspace_id: null,
      },
    ]);
    const costs = buckets(({ name, femto, searchFemto }) => [
      { amount: CENTS(femto - searchFemto), currency: "USD", cost_type: "tokens", model: name, token_type: "output_tokens" },
      ...(searchFemto > 0n ? [{ amount: CENTS(searchFemto), currency: "USD", cost_type: "web_search", model: null }] : []),
    ]);
    return [
      { format: "anthropic.usage", data: { data: usage, has_more: false, next_page: null } },
      { format: "anthropic.costs", data: { data: costs, has_more: false, next_page: null } },
    ];
  },
};

/** Our names of models, the provider's dated ones, and whether it bills web searches. */
const VENDORS = {
  csv: { models: ["gpt-4o-mini", "gpt-4o", "o4-mini"], names: {}, web: true },
  openai: {
    models: ["gpt-4o-mini", "gpt-4o", "o4-mini"],
    names: { "gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4o": "gpt-4o-2024-08-06", "o4-mini": "o4-mini-2025-04-16" },
    web: false,
  },
  anthropic: {
    models: ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1"],
    names: { "claude-sonnet-4-5": "claude-sonnet-4-5-20250929", "claude-haiku-4-5": "claude-haiku-4-5-20251001" },
    web: true,
  },
} as const;
type Vendor = keyof typeof VENDORS;

interface Found {
  readonly agrees: boolean;
  readonly complete: boolean;
  readonly cells: number;
  readonly compared: string[];
  readonly from: string;
  readonly to: string;
  readonly differences: {
    readonly day: string;
    readonly through: string | null;
    readonly model: string;
    readonly our_model: string | null;
    readonly provider_names: string[];
    readonly causes: string[];
    readonly theirs: unknown;
    readonly ours: { readonly records: number; readonly estimated: { readonly records: number } } | null;
    readonly delta: { readonly tokens: Record<string, number>; readonly usd: string | null };
  }[];
  readonly total: Record<"theirs" | "ours" | "delta", { readonly tokens: Record<string, number>; readonly usd: string | null }>;
}

const compare = (body: unknown) => admin<Found>("POST", "/reconcile", body);
const brief = ({ differences }: Found) => differences.map(({ day, model, causes }) => [day, model, ...causes]);

async function refusal(body: unknown): Promise<unknown[]> {
  const answer = await ask("POST", "/admin/v1/reconcile", { as: ADMIN, body });
  const { error } = (await answer.json()) as { error?: { code: string; param: string | null } };
  return [answer.status, error?.code, error?.param];
}

describe.each(Object.keys(VENDORS) as Vendor[])("issue 3.6: reconciling a month with %s", (vendor) => {
  const { models, names, web } = VENDORS[vendor];
  const [one, two, three] = models;

  test("finds nothing where both sides hold the same", async () => {
    const provider = `same-${vendor}`;
    const records = month(models, web);
    await store(provider, records);
    const found = await compare({ providers: [provider], exports: RENDERED[vendor]!(bill(records, names), 31) });
    expect([brief(found), found.agrees, found.complete]).toEqual([[], true, true]);
    expect(found.cells).toBeGreaterThanOrEqual(93);
    expect([found.from, found.to]).toEqual(["2026-10-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z"]);
    const usd = usdFromFemto(records.reduce((total, { femto }) => total + femto, 0n));
    expect(found.total).toMatchObject({ ours: { usd }, theirs: { usd }, delta: { usd: "0" } });
    expect(Object.values(found.total.delta.tokens).every((value) => value === 0)).toBe(true);
  });

  test("names all 10 differences that were planted, with their causes, and no other", async () => {
    const provider = `planted-${vendor}`;
    const even = month(models, web);
    const extra = (day: number, fields: Partial<Paid>): Paid => ({
      day,
      model: one,
      usage: { input: 1_000, output: 100 },
      femto: 5_000_000_000n,
      ...fields,
    });
    // 6: its usage was estimated; 7: its model had no price; 8: it has another name there; 9: it was admitted before midnight.
    const estimated = extra(12, { model: two, status: "estimated", usage: { input: 900, output: 80 } });
    const unpriced = extra(14, { model: "mystery-1", status: "unknown", femto: 90_000_000_000n });
    const renamed = extra(16, { model: "next-large" });
    const late = extra(20, { after: DAY - 60_000 });
    await store(provider, [...even, estimated, unpriced, renamed, late]);
    const rows = bill([...even, { ...unpriced, femto: 7_000_000_000n }, { ...late, day: 21 }], names);
    const at = (day: number, model: string) =>
      rows.find((row) => row.day === day && row.name === ((names as Record<string, string>)[model] ?? model))!;
    rows.push({
      ...extra(3, {}),
      name: "unheard-of",
      requests: 4,
      usage: { ...NO_USAGE, input: 77, output: 7 },
      searchFemto: 0n,
    } as Billed); // 1
    rows.splice(rows.indexOf(at(5, three)), 1); // 2
    at(7, one).usage = { ...at(7, one).usage, output: at(7, one).usage.output + 7 }; // 3
    at(8, two).usage = { ...at(8, two).usage, input: at(8, two).usage.input + 5, cacheRead: at(8, two).usage.cacheRead - 5 }; // 4
    at(10, three).femto += 1_000_000n; // 5
    at(12, two).usage = sum(at(12, two).usage, { input: 1_003, output: 91 });
    at(12, two).femto += 6_000_000_000n; // 6
    rows.push({
      day: 16,
      name: "next-large-preview",
      requests: 1,
      usage: sum(NO_USAGE, renamed.usage),
      femto: renamed.femto,
      searchFemto: 0n,
    }); // 8
    at(25, two).femto -= 1_000_000n; // 10
    const found = await compare({ providers: [provider], exports: RENDERED[vendor]!(rows, 31) });
    expect(brief(found)).toEqual([
      ["2026-10-04", "unheard-of", "missing_here"],
      ["2026-10-06", three, "missing_there"],
      ["2026-10-08", one, "tokens_differ"],
      ["2026-10-09", two, "tokens_differ"],
      ["2026-10-11", three, "price_differs"],
      ["2026-10-13", two, "estimated_here"],
      ["2026-10-15", "mystery-1", "unknown_price"],
      ["2026-10-17", "next-large-preview", "model_renamed"],
      ["2026-10-21", one, "day_boundary"],
      ["2026-10-26", two, "price_differs"],
    ]);
    const [, , tokens, moved, price, guessed, , other, boundary] = found.differences;
    expect(tokens!.delta).toEqual({ tokens: { output: -7 }, usd: null });
    expect(moved!.delta).toEqual({ tokens: { input: -5, cache_read: 5 }, usd: null });
    expect(price!.delta).toEqual({ tokens: {}, usd: "-0.000000001" });
    expect(guessed!.ours!.estimated.records).toBe(1);
    expect(other).toMatchObject({ our_model: "next-large", provider_names: ["next-large-preview"], delta: { tokens: {}, usd: null } });
    expect(boundary).toMatchObject({ through: "2026-10-22", delta: { tokens: { input: 1_000, output: 100 }, usd: "0.000005" } });
  });
});

describe("what is compared", () => {
  const provider = "edges";
  const paid: Paid = { day: 40, model: "m-1", usage: { input: 10, output: 5 }, femto: 1_000n };
  const row = "2026-11-10,m-1,10,5,0.000000000001";
  const csv = (...lines: string[]) => [{ format: "csv", data: ["day,model,input,output,usd", ...lines].join("\n") }];

  test("are the records that the provider bills: no hit of a cache, no other provider, and the newest of what was repriced", async () => {
    await store(provider, [
      { ...paid, id: "edges_old", femto: 7_000n },
      { ...paid, reprices: "cost_edges_old" },
      { ...paid, cache: "hit" },
    ]);
    await store("edges-other", [paid]);
    expect(brief(await compare({ providers: [provider], exports: csv(row) }))).toEqual([]);
    expect(brief(await compare({ providers: [provider, "edges-other"], exports: csv(row) }))).toEqual([
      ["2026-11-10", "m-1", "tokens_differ"],
    ]);
  });

  test("is what the export states: a usage export says nothing of amounts, a cost export of one sum a day nothing of models", async () => {
    const day = { start_time: Date.UTC(2026, 10, 10) / 1000, end_time: Date.UTC(2026, 10, 11) / 1000 };
    const usage = { object: "organization.usage.completions.result", model: "m-1", input_tokens: 10, output_tokens: 5 };
    const costs = { object: "organization.costs.result", amount: { value: 3e-12, currency: "usd" }, line_item: null };
    const page = (result: unknown) => ({ data: [{ ...day, results: [result] }], has_more: false });
    const used = await compare({ providers: [provider], exports: [{ format: "openai.usage", data: page(usage) }] });
    expect([used.agrees, used.compared.includes("usd")]).toEqual([true, false]);
    const spent = await compare({ providers: [provider], exports: [{ format: "openai.costs", data: page(costs) }] });
    expect([brief(spent), spent.compared]).toEqual([[["2026-11-10", "*", "amount_differs"]], ["usd"]]);
    expect(spent.total).toMatchObject({
      ours: { usd: "0.000000000001" },
      theirs: { usd: "0.000000000003" },
      delta: { usd: "-0.000000000002" },
    });
  });

  test("a part of a day is held against the records of that part", async () => {
    const half = (from: number) => ({
      start_time: Date.UTC(2026, 10, 10, from) / 1000,
      end_time: Date.UTC(2026, 10, 10, from + 12) / 1000,
    });
    const usage = { object: "organization.usage.completions.result", model: "m-1", input_tokens: 10, output_tokens: 5 };
    const exports = (from: number, results: unknown[]) => [{ format: "openai.usage", data: { data: [{ ...half(from), results }] } }];
    expect((await compare({ providers: [provider], exports: exports(12, [usage]) })).agrees).toBe(true);
    expect((await compare({ providers: [provider], exports: exports(0, []) })).agrees).toBe(true);
    expect(brief(await compare({ providers: [provider], exports: exports(12, []) }))).toEqual([["2026-11-10", "m-1", "missing_there"]]);
  });

  test("an amount within the tolerance that was asked for agrees, one beyond it does not", async () => {
    const rounded = csv("2026-11-10,m-1,10,5,0.01");
    const asked = (tolerance_usd: string) => compare({ providers: [provider], exports: rounded, tolerance_usd });
    expect((await asked("0.01")).agrees).toBe(true);
    expect(brief(await asked("0.009"))).toEqual([["2026-11-10", "m-1", "price_differs"]]);
  });

  test("a name that is told to be ours is ours, and two that would both fit are not guessed at", async () => {
    const named = csv("2026-11-10,other,10,5,0.000000000001");
    expect((await compare({ providers: [provider], exports: named, models: { other: "m-1" } })).agrees).toBe(true);
    expect(brief(await compare({ providers: [provider], exports: named }))).toEqual([["2026-11-10", "other", "model_renamed"]]);
    const two = csv("2026-11-10,other,10,5,0.000000000001", "2026-11-10,another,10,5,0.000000000001");
    expect(brief(await compare({ providers: [provider], exports: two }))).toEqual([
      ["2026-11-10", "another", "missing_here"],
      ["2026-11-10", "m-1", "missing_there"],
      ["2026-11-10", "other", "missing_here"],
    ]);
  });

  test("a day too much and the next too little is no midnight where nothing was admitted before it", async () => {
    await store("noon", [
      { ...paid, model: "m-2" },
      { ...paid, model: "m-2" },
    ]);
    const moved = csv("2026-11-10,m-2,10,5,0.000000000001", "2026-11-11,m-2,10,5,0.000000000001");
    expect(brief(await compare({ providers: ["noon"], exports: moved }))).toEqual([
      ["2026-11-10", "m-2", "tokens_differ"],
      ["2026-11-11", "m-2", "missing_here"],
    ]);
  });

  test("an export that goes on is called incomplete", async () => {
    const page = { data: [{ starting_at: "2026-11-12T00:00:00Z", ending_at: "2026-11-13T00:00:00Z", results: [] }], has_more: true };
    expect((await compare({ providers: [provider], exports: [{ format: "anthropic.usage", data: page }] })).complete).toBe(false);
  });

  test("the consoles' own files are read by their columns", async () => {
    const claude = [
      "\uFEFFusage_date_utc,model_version,api_key,usage_type,usage_input_tokens_no_cache,usage_input_tokens_cache_read,usage_output_tokens,web_search_count",
      '2026-11-10,m-1,"a, ""key""",standard,10,0,5,0',
    ].join("\r\n");
    const openai = [
      "start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens",
      "1,2,2026-11-10T03:00:00+00:00,2026-11-10T03:01:00+00:00,3.0,m-1,4,5.0,0.0",
      "1,2,2026-11-10T04:00:00+00:00,2026-11-10T04:01:00+00:00,1.0,m-1,6,,",
    ].join("\n");
    for (const data of [claude, openai]) {
      const found = await compare({ providers: [provider], exports: [{ format: "csv", data }] });
      expect([found.agrees, found.compared.includes("usd")]).toEqual([true, false]);
    }
  });
});

describe("a malformed export is refused by the path of what is wrong", () => {
  const at = { start_time: 1_791_590_400, end_time: 1_791_676_800 };
  const usage = (result: object) => ({ format: "openai.usage", data: { data: [{ ...at, results: [result] }] } });
  const good = { object: "organization.usage.completions.result", model: "m", input_tokens: 1, output_tokens: 1 };
  const costs = (amount: unknown) => ({
    format: "openai.costs",
    data: { data: [{ ...at, results: [{ object: "organization.costs.result", amount, line_item: "m" }] }] },
  });
  const claude = (result: object) => ({
    format: "anthropic.costs",
    data: { data: [{ starting_at: "2026-10-10T00:00:00Z", ending_at: "2026-10-11T00:00:00Z", results: [result] }] },
  });
  const csv = (data: unknown) => ({ format: "csv", data });
  const results = "exports.0.data.data.0.results.0";

  test.each<[unknown, string]>([
    [{ format: "xlsx", data: "" }, "exports.0.format"],
    [usage({ ...good, input_tokens: -1 }), `${results}.input_tokens`],
    [usage({ ...good, input_tokens: 1.5 }), `${results}.input_tokens`],
    [usage({ ...good, input_tokens: "1" }), `${results}.input_tokens`],
    [usage({ ...good, input_tokens: 1e300 }), `${results}.input_tokens`],
    [usage({ ...good, input_cached_tokens: 2 }), `${results}.input_tokens`],
    [usage({ ...good, output_audio_tokens: 2 }), `${results}.output_tokens`],
    [usage({ ...good, object: "organization.usage.images.result" }), `${results}.object`],
    [{ format: "openai.usage", data: "text" }, "exports.0.data"],
    [{ format: "openai.usage", data: { data: [] } }, "exports.0.data"],
    [{ format: "openai.usage", data: { data: [{ ...at, end_time: at.start_time, results: [] }] } }, "exports.0.data.data.0"],
    [{ format: "openai.usage", data: { data: [{ ...at, end_time: at.end_time + 1, results: [] }] } }, "exports.0.data.data.0"],
    [costs({ value: "1e9", currency: "usd" }), `${results}.amount.value`],
    [costs({ value: 1, currency: "eur" }), `${results}.amount.currency`],
    [claude({ amount: "12,5", currency: "USD", model: "m" }), `${results}.amount`],
    [claude({ amount: "12", currency: "EUR", model: "m" }), `${results}.currency`],
    [csv("a,b\n1,2"), "exports.0.data"],
    [csv("day,model\n2026-10-10,m"), "exports.0.data"],
    [csv("day,model,input,wat\n2026-10-10,m,1,2"), "exports.0.data"],
    [csv("day,day,input\n2026-10-10,2026-10-10,1"), "exports.0.data"],
    [csv("day,model,input\n2026-10-10,m,1\n2026-10-11,m,-1"), "exports.0.data.3.input"],
    [csv("day,model,input\n10/10/2026,m,1"), "exports.0.data.2.day"],
    [csv("day,model,input\n2026-10-10,m"), "exports.0.data.2"],
    [csv("day,model,usd\n2026-10-10,m,$5"), "exports.0.data.2.usd"],
    [csv('day,model,usd\n2026-10-10,"m,5'), "exports.0.data"],
    [csv("day,model,input\n2026-10-10,m,1\n2026-10-10,,1"), "exports.0.data.3"],
    [csv(`day,model,input\n${"2026-10-10,m,1\n".repeat(5_001)}`), "exports.0.data"],
    [csv("day,model,input\n2026-01-01,m,1\n2026-10-10,m,1"), "exports"],
  ])("%j", async (exported, param) => {
    expect(await refusal({ providers: ["p"], exports: [exported] })).toEqual([400, "invalid_request", param]);
  });

  test("reports that cover different times are not held together, unless the time is given; rows outside of it are refused", async () => {
    const exports = [usage(good), claude({ amount: "1", currency: "USD", model: "m" })];
    expect(await refusal({ providers: ["p"], exports })).toEqual([200, undefined, undefined]);
    const later = csv("day,model,input\n2026-10-12,m,1");
    expect(await refusal({ providers: ["p"], exports: [...exports, later] })).toEqual([400, "invalid_request", "exports"]);
    const given = { from: "2026-10-10T00:00:00Z", to: "2026-10-13T00:00:00Z" };
    expect(await refusal({ providers: ["p"], exports: [...exports, later], ...given })).toEqual([200, undefined, undefined]);
    expect(await refusal({ providers: ["p"], exports: [...exports, later], ...given, to: "2026-10-12T00:00:00Z" })).toEqual([
      400,
      "invalid_request",
      "exports.2.data.2",
    ]);
  });

  test("a body over the admin plane's limit is refused before it is read", async () => {
    expect(await refusal({ providers: ["p"], exports: [csv(`day,input\n${"x".repeat(1_000_000)}`)] })).toEqual([
      413,
      "payload_too_large",
      null,
    ]);
  });
});

test("threat 6: reconciling is for who reads the deployment's costs, never for an ordinary key", async () => {
  const body = { providers: ["p"], exports: [{ format: "csv", data: "day,model,input\n2026-10-10,m,1" }] };
  for (const [role, status] of [
    ["operator", 200],
    ["analyst", 200],
    ["auditor", 403],
    ["key_holder", 403],
  ] as const) {
    const { secret } = await newKey({ role });
    expect([role, (await ask("POST", "/admin/v1/reconcile", { as: secret, body })).status]).toEqual([role, status]);
  }
});
