import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PriceBook, type PriceRow } from "#models";
import { corrected, requireAgreement } from "../../../scripts/prices/agreement.ts";
import { CORRECTIONS, PUBLISHED } from "../../../scripts/prices/published.ts";

const NOW = Date.parse("2026-11-21T00:00:00Z");
const book = new PriceBook([]);
const override = (fields: Partial<PriceRow>): PriceRow => ({
  id: "prc_1",
  provider: "openai",
  model: "gpt-4o",
  aliases: [],
  state: "priced",
  scope: { kind: "deployment", id: "" },
  effectiveFrom: 0,
  effectiveTo: null,
  rates: { input: "9", output: "9" },
  tiers: [],
  serviceTiers: {},
  source: "contract",
  checkedAt: 0,
  contextTokens: null,
  maxOutputTokens: null,
  ...fields,
});

describe("the bundled table", () => {
  it("is what the build step makes of its source, and small", () => {
    execFileSync(process.execPath, ["scripts/build-prices.ts", "--check"]);
    expect(statSync("src/models/table.json").size).toBeLessThan(80_000);
  });

  // Each from the vendor's own price page: openai.com/api/pricing, claude.com/pricing, platform.openai.com/docs/pricing; read 2026-11-21.
  it.each([
    ["openai", "gpt-4o", { input: "2.5", cache_read: "1.25", output: "10" }],
    ["openai", "gpt-4o-2024-05-13", { input: "5", output: "15" }],
    ["openai", "gpt-4o-mini", { input: "0.15", cache_read: "0.075", output: "0.6" }],
    ["openai", "gpt-4.1", { input: "2", cache_read: "0.5", output: "8" }],
    ["openai", "gpt-5", { input: "1.25", cache_read: "0.125", output: "10" }],
    ["openai", "o3", { input: "2", cache_read: "0.5", output: "8" }],
    ["openai", "text-embedding-3-small", { input: "0.02" }],
    ["anthropic", "claude-sonnet-4-5", { input: "3", cache_read: "0.3", cache_write_5m: "3.75", cache_write_1h: "6", output: "15" }],
    ["anthropic", "claude-haiku-4-5-20251001", { input: "1", cache_read: "0.1", cache_write_5m: "1.25", cache_write_1h: "2", output: "5" }],
    ["anthropic", "claude-sonnet-4-0", { input: "3", cache_read: "0.3", cache_write_5m: "3.75", cache_write_1h: "6", output: "15" }],
    ["anthropic", "claude-opus-4-1", { input: "15", cache_read: "1.5", cache_write_5m: "18.75", cache_write_1h: "30", output: "75" }],
  ])("has %s/%s at the published rates", (provider, model, rates) => {
    const found = book.find(provider, model, "team_default", NOW);
    expect([found.state, found.row.rates]).toMatchObject(["priced", rates]);
  });

  const inTable = (model: string, provider = "openai") => book.find(provider, model, "t", NOW).row;

  // OpenAI's own page, developers.openai.com/api/docs/pricing; flex is billed at the batch rates.
  it("has OpenAI's flex and priority rates beside the standard ones, and says where they are from", () => {
    expect(inTable("gpt-5").serviceTiers).toEqual({
      flex: { rates: { input: "0.625", cache_read: "0.0625", output: "5" } },
      priority: { rates: { input: "2.5", cache_read: "0.25", output: "20" } },
    });
    expect(inTable("gpt-4o").serviceTiers["priority"]).toEqual({ rates: { input: "4.25", cache_read: "2.125", output: "17" } });
    expect(inTable("gpt-5").source).toContain("developers.openai.com/api/docs/pricing of 2026-07-15");
  });

  // Twice the standard rates, as the price list of 2026-07-15 has them of those before the cut of 2026-08-21.
  it("has tiers that multiply the rates in force, at every length and by every date", () => {
    const at = (time: string) => {
      const { rates, serviceTiers, tiers } = book.find("openai", "gpt-5.6-sol", "t", Date.parse(time)).row;
      return [rates.input, serviceTiers["priority"]?.rates, tiers[0]?.serviceTiers?.["priority"]?.rates];
    };
    expect(at("2026-08-20T23:59:59Z")).toMatchObject([
      "5",
      { input: "10", cache_read: "1", output: "60" },
      { input: "20", cache_read: "2", output: "90" },
    ]);
    expect(at("2026-08-21T00:00:00Z")).toMatchObject([
      "4",
      { input: "8", cache_read: "0.8", output: "40" },
      { input: "16", cache_read: "1.6", output: "60" },
    ]);
  });

  // platform.claude.com/docs/en/build-with-claude/fast-mode and data-residency: speed and place multiply, and each other.
  it("has Claude's batches, speed and place, and what they make together, but no dearer search", () => {
    const { serviceTiers } = inTable("claude-opus-5-5", "anthropic");
    expect(serviceTiers["fast"]?.rates).toEqual({
      input: "8",
      cache_read: "0.4",
      cache_write_5m: "10",
      cache_write_1h: "16",
      output: "40",
    });
    expect(serviceTiers["us"]?.rates).toMatchObject({ input: "4.4", cache_read: "0.22", output: "22" });
    expect(serviceTiers["fast+us"]?.rates).toMatchObject({ input: "8.8", output: "44" });
    expect(serviceTiers["batch"]?.rates).toMatchObject({ input: "2", output: "10" });
    expect(serviceTiers["batch+us"]?.rates).toMatchObject({ input: "2.2", output: "11" });
    expect(Object.keys(inTable("claude-opus-4-5", "anthropic").serviceTiers)).toEqual(["batch"]);
  });

  it("has what pictures, sound, judgements and ranks cost, and rounds no price to have it", () => {
    expect(inTable("gpt-image-1.5").rates).toMatchObject({ input: "5", image_input: "8", output: "10", image_output: "32" });
    expect(inTable("gpt-image-2.6-flare").rates).toMatchObject({ image_input: "8", output: "30" });
    expect([inTable("tts-1").rates, inTable("whisper-1").rates]).toEqual([{ character: "15" }, { second: "0.0001" }]);
    expect(inTable("gpt-4o-mini-tts").rates).toMatchObject({ input: "0.6", audio_output: "12" });
    expect(inTable("voxtral-mini-latest", "mistral").rates).toEqual({ second: "0.00005" });
    expect(inTable("rerank-v4.0-pro", "cohere").rates).toEqual({ ranking: "0.0025" });
    expect(inTable("omni-moderation-latest").state).toBe("free");
    expect(new PriceBook([]).find("groq", "whisper-large-v3", "", Date.now()).state).toBe("unknown");
  });

  it("has what calls of hosted tools cost, where the vendor prices a call", () => {
    expect(inTable("gpt-5").rates).toMatchObject({ web_search: "0.01", file_search: "0.0025" });
    expect(inTable("gpt-4o-search-preview").rates).toMatchObject({ input: "2.5", web_search: "0.025" });
    expect(inTable("gpt-4o-mini-search-preview-2025-03-11")).toMatchObject({ model: "gpt-4o-mini-search-preview" });
    expect(inTable("grok-4.3", "xai").rates).toMatchObject({ web_search: "0.005", file_search: "0.0025" });
    expect(inTable("grok-4.3", "xai").source).toContain("docs.x.ai/developers/pricing");
  });

  // platform.claude.com/docs/en/models/sonnet-5-5/overview: cached reads were halved on 2026-10-07.
  it("has the newest models, by the dates on which their prices changed", () => {
    const sonnet = (time: string) => book.find("anthropic", "claude-sonnet-5-5", "t", Date.parse(time)).row.rates.cache_read;
    expect([sonnet("2026-10-06T23:59:59Z"), sonnet("2026-10-07T00:00:00Z")]).toEqual(["0.2", "0.1"]);
    expect(inTable("claude-haiku-5-5", "anthropic").tiers[0]).toMatchObject({ aboveInputTokens: 100_000, rates: { input: "0.5" } });
    expect(inTable("gpt-6.1-sol-2026-09-29").rates).toMatchObject({ input: "2", cache_read: "0.1", cache_write_5m: "2.5", output: "10" });
  });

  it("takes a price that changes by the hour at its dearest, and output that is rated apart at the dearest of it", () => {
    expect(inTable("deepseek-reasoner", "deepseek").rates).toEqual({ input: "0.55", cache_read: "0.14", output: "2.19" });
    expect(inTable("deepseek-v4-pro", "deepseek").rates).toEqual({ input: "1.32", cache_read: "0.044", output: "3.96" });
    expect(inTable("gemini-2.5-flash-image", "google").rates).toMatchObject({ input: "0.3", output: "30" });
  });

  // OpenAI's own model pages: developers.openai.com/api/docs/models/gpt-4o-audio-preview and gpt-4o-mini-audio-preview.
  it("has the rates of audio where the source has those of text alone", () => {
    expect(inTable("gpt-4o-audio-preview").rates).toEqual({ input: "2.5", output: "10", audio_input: "40", audio_output: "80" });
    expect(inTable("gpt-4o-mini-audio-preview").rates).toEqual({ input: "0.15", output: "0.6", audio_input: "10", audio_output: "20" });
    expect(inTable("gpt-4o-audio-preview").source).toContain("developers.openai.com/api/docs/models");
  });

  it("rates one-hour cache writes wherever Claude's five-minute ones are rated, at twice the input", () => {
    const claude = book.rows("t", NOW).filter(({ model, rates }) => model.startsWith("claude") && rates.cache_write_5m);
    expect(claude.length).toBeGreaterThan(20);
    for (const { id, rates, tiers } of claude) {
      for (const each of [rates, ...tiers.map((tier) => tier.rates)]) {
        expect([id, Number(each.cache_write_1h)]).toEqual([id, 2 * Number(each.input)]);
      }
    }
  });

  it("prices the built-in models by rows that say they are fictional", () => {
    for (const model of ["echo", "slow"]) {
      expect(inTable(model, "tollgate")).toMatchObject({ state: "priced", rates: { input: "0.15", output: "0.6" } });
      expect(inTable(model, "tollgate").source).toMatch(/^fictional/);
    }
  });

  it("holds plain decimals of at most nine fraction digits, each name of a provider once at a time", () => {
    const rows = book.rows("t", NOW);
    for (const { id, rates, tiers, serviceTiers } of rows) {
      const lists = [rates, ...tiers.map((tier) => tier.rates), ...Object.values(serviceTiers).map((tier) => tier.rates)];
      for (const rate of lists.flatMap((list) => Object.values(list)))
        expect([id, rate]).toEqual([id, expect.stringMatching(/^\d+(\.\d{0,8}[1-9])?$/)]);
    }
    const names = rows.flatMap(({ provider, model, aliases }) => [model, ...aliases].map((name) => `${provider}/${name}`));
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });
});

describe("the vendors' own pages", () => {
  const readings = Object.entries(PUBLISHED);
  const of = (provider: string) => readings.filter(([name]) => name.startsWith(`${provider}/`));

  it("D2, D3: are read for at least 15 models of OpenAI and 8 of Anthropic", () => {
    expect(of("openai").length).toBeGreaterThanOrEqual(15);
    expect(of("anthropic").length).toBeGreaterThanOrEqual(8);
  });

  it.each(readings)("D2, D3: price %s as the table does", (name, { on, rates, long }) => {
    const [provider = "", model = ""] = name.split("/");
    const { state, row } = book.find(provider, model, "t", Date.parse(on));
    expect([state, row.rates]).toMatchObject(["priced", rates]);
    if (long) expect(row.tiers[0]).toMatchObject({ aboveInputTokens: long.above, rates: long.rates });
  });

  const borrowed = [{ p: "lab", m: "m", r: { input: "1", output: "2" }, t: [{ above: 99, r: { input: "2" } }] }];
  const page = (rates: object, long?: { above: number; rates: object }) => ({
    "lab/m": { page: "lab.example/prices", on: "2026-01-01", rates, ...(long ? { long } : {}) },
  });

  it("fail the build where they disagree with the borrowed table, naming model, class and both amounts", () => {
    expect(() => requireAgreement(borrowed, page({ input: "1", output: "3" }), {})).toThrow(
      "lab/m output: 2 in the table, 3 on lab.example/prices",
    );
    expect(() => requireAgreement(borrowed, page({ cache_read: "1" }), {})).toThrow("lab/m cache_read: none in the table, 1 on");
    expect(() => requireAgreement(borrowed, page({ input: "1" }, { above: 100, rates: { input: "2" } }), {})).toThrow(
      "lab/m long.above: 99 in the table, 100 on",
    );
    expect(() => requireAgreement([], page({ input: "1" }), {})).toThrow("lab/m: lab.example/prices prices it, and no row does");
    expect(() => requireAgreement(borrowed, page({ input: "1", output: "2" }, { above: 99, rates: { input: "2" } }), {})).not.toThrow();
  });

  it("are followed where a correction says why, and a correction of nothing fails the build as well", () => {
    const correction = { "lab/m": { why: "the page is newer", rates: { output: "3" } } };
    expect(() => requireAgreement(borrowed, page({ output: "3" }), correction)).not.toThrow();
    expect(corrected(borrowed, correction)[0]!.r).toEqual({ input: "1", output: "3" });
    expect(() => requireAgreement(borrowed, page({ output: "2" }), { "lab/m": { why: "no more", rates: { output: "2" } } })).toThrow(
      "its correction corrects nothing",
    );
    for (const [name, { why }] of Object.entries(CORRECTIONS)) expect([name, why.length > 40]).toEqual([name, true]);
  });

  it("and all the rest are reported by provider, with what has no rate", () => {
    const report = execFileSync(process.execPath, ["scripts/build-prices.ts", "--report"], { encoding: "utf8" });
    expect(report).toMatch(/^openai: \d+ models under \d+ names, \d+ rows$/m);
    expect(report).toMatch(/^anthropic: [\s\S]*?service tiers: batch, us, batch\+us, fast, fast\+us; of \d+ models$/m);
    for (const provider of ["google", "mistral", "deepseek", "groq", "xai", "cohere"]) expect(report).toContain(`\n${provider}: `);
    expect(report).toMatch(/classes without any rate: .*\bimage\b/);
  });
});

describe("matching", () => {
  it("threat 38: never by prefix, suffix, case or fine-tune: what has no row of its own is unknown, at the provider's dearest rates", () => {
    for (const model of ["claude-sonnet-5-9", "claude-sonnet-4-5-mega", "CLAUDE-SONNET-4-5", "claude-sonnet", "xclaude-sonnet-4-5", ""]) {
      expect([model, book.find("anthropic", model, "t", NOW).state]).toEqual([model, "unknown"]);
    }
    const tuned = book.find("openai", "ft:gpt-4o-mini:acme::abc", "t", NOW);
    expect(tuned.state).toBe("unknown");
    const all = book.rows("t", NOW).filter(({ provider }) => provider === "openai");
    const dearness = (row: PriceRow) => Number(row.rates.input ?? 0) + Number(row.rates.output ?? 0);
    expect(dearness(tuned.row)).toBe(Math.max(...all.map(dearness)));
  });

  it("threat 38: no text before or after a name gets that name's price, unless the whole is listed or ends in a date", () => {
    const rows = book.rows("t", NOW);
    const listed = new Set(rows.flatMap(({ provider, model, aliases }) => [model, ...aliases].map((name) => `${provider}/${name}`)));
    const text = fc.array(
      fc.constantFrom("-", ".", "5", "9", "mini", ":", "@", "/", " ", "-latest", "-2025", "-2025-08-07", "-20250807", "A"),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(fc.constantFrom(...listed), text, fc.boolean(), (name, parts, before) => {
        const slash = name.indexOf("/");
        const provider = name.slice(0, slash);
        const model = before ? parts.join("") + name.slice(slash + 1) : name.slice(slash + 1) + parts.join("");
        const undated = model.replace(/-(2025-08-07|20250807)$/, "");
        const own = listed.has(`${provider}/${model}`) || listed.has(`${provider}/${undated}`);
        expect([model, book.find(provider, model, "t", NOW).state !== "unknown"]).toEqual([model, own]);
      }),
      { numRuns: 5_000 },
    );
  });

  it("by id and date, in both of the vendors' spellings", () => {
    expect(book.find("anthropic", "claude-sonnet-4-5-20250929", "t", NOW).row.model).toBe("claude-sonnet-4-5");
    expect(book.find("openai", "gpt-5-2025-08-07", "t", NOW).row.model).toBe("gpt-5");
    expect(book.find("openai", "gpt-5-2025-08", "t", NOW).state).toBe("unknown");
  });

  it("by the name that a vendor moves from model to model at what it cost on the day", () => {
    const at = (day: string) => book.find("mistral", "mistral-large-latest", "t", Date.parse(`${day}T12:00:00Z`)).row.rates;
    expect(at("2025-12-01")).toMatchObject({ input: "2", output: "6" });
    expect(at("2025-12-02")).toMatchObject({ input: "0.5", cache_read: "0.05", output: "1.5" });
    expect(book.find("mistral", "mistral-large-2411", "t", NOW).row.rates).toMatchObject({ input: "2", output: "6" });
  });

  it("a row holds from its first moment to the one before its last", () => {
    const dated = new PriceBook([
      override({ model: "m", effectiveFrom: 100, effectiveTo: 200 }),
      override({ id: "prc_2", model: "m", effectiveFrom: 200, rates: { input: "1" } }),
    ]);
    expect(
      [99, 100, 199, 200].map((at) => dated.find("openai", "m", "t", at).state === "unknown" || dated.find("openai", "m", "t", at).row.id),
    ).toEqual([true, "prc_1", "prc_1", "prc_2"]);
  });

  it("a team's price wins over the deployment's, which wins over the table's", () => {
    const layered = new PriceBook([override({}), override({ id: "prc_team", scope: { kind: "team", id: "team_a" } })]);
    expect(layered.find("openai", "gpt-4o", "team_a", NOW).row.id).toBe("prc_team");
    expect(layered.find("openai", "gpt-4o", "team_b", NOW).row.id).toBe("prc_1");
    expect(layered.find("openai", "gpt-4o-mini", "team_a", NOW).row.id).toBe("table:openai/gpt-4o-mini");
  });

  it("threat 38: an override holds for the dates that are listed as its model, and not for one with a price of its own", () => {
    const layered = new PriceBook([override({}), override({ id: "prc_mini", model: "gpt-5-nano" })]);
    const idOf = (model: string) => layered.find("openai", model, "t", NOW).row.id;
    expect(idOf("gpt-4o-2024-08-06")).toBe("prc_1");
    expect(idOf("gpt-4o-2024-05-13")).toBe("table:openai/gpt-4o-2024-05-13");
    expect(idOf("gpt-5-nano-2025-08-07")).toBe("prc_mini");
    const exact = new PriceBook([override({}), override({ id: "prc_dated", model: "gpt-4o-2024-08-06" })]);
    expect(exact.find("openai", "gpt-4o-2024-08-06", "t", NOW).row.id).toBe("prc_dated");
    expect(exact.find("openai", "gpt-4o", "t", NOW).row.id).toBe("prc_1");
  });

  it("an override leaves how much the model takes and gives as the table has it", () => {
    const { row } = new PriceBook([override({})]).find("openai", "gpt-4o-2024-11-20", "t", NOW);
    expect(row).toMatchObject({ id: "prc_1", contextTokens: 128_000, maxOutputTokens: 16_384 });
  });

  it("lists each model once, also where an override takes its name", () => {
    const listed = new PriceBook([override({ model: "ours", aliases: ["gpt-4o"] })]).rows("t", NOW);
    expect(listed.filter(({ id }) => id === "prc_1")).toHaveLength(1);
  });

  it("threat 6: another team's price is neither charged nor seen, not even for an unknown model", () => {
    const dear = override({ provider: "lab", model: "m", scope: { kind: "team", id: "team_a" }, rates: { input: "5000", output: "5000" } });
    const own = override({ id: "prc_2", provider: "lab", model: "n" });
    const shared = new PriceBook([dear, own]);
    expect(shared.find("lab", "other", "team_a", NOW).row.id).toBe("prc_1");
    expect(shared.find("lab", "other", "team_b", NOW).row.id).toBe("prc_2");
    expect(shared.rows("team_b", NOW).map(({ id }) => id)).not.toContain("prc_1");
  });

  it("models of a local Ollama are free, whatever their name; a free row is free and not unknown", () => {
    expect(book.find("ollama", "llama3:8b", "t", NOW).state).toBe("free");
    expect(new PriceBook([override({ provider: "lab", model: "m", state: "free", rates: {} })]).find("lab", "m", "t", NOW).state).toBe(
      "free",
    );
  });

  it("threat 38: a provider without any row, or with free ones only, is charged at the dearest of all, and the row says so", () => {
    const dearness = (row: PriceRow) => Number(row.rates.input ?? 0) + Number(row.rates.output ?? 0);
    const most = Math.max(...book.rows("t", NOW).map(dearness));
    const lab = new PriceBook([override({ provider: "lab", model: "free", state: "free", rates: {} })]);
    for (const found of [book.find("nobody", "m", "t", NOW), lab.find("lab", "m", "t", NOW)]) {
      expect([found.state, dearness(found.row)]).toEqual(["unknown", most]);
      expect(found.row.source).toMatch(/^no price of (nobody|lab) is known; the dearest of all providers stands in/);
    }
  });
});
