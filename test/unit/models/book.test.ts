import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PriceBook, type PriceRow } from "#models";

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
    ["anthropic", "claude-opus-4-1", { input: "15", cache_read: "1.5", cache_write_5m: "18.75", cache_write_1h: "30", output: "75" }],
  ])("has %s/%s at the published rates", (provider, model, rates) => {
    const found = book.find(provider, model, "team_default", NOW);
    expect([found.state, found.row.rates]).toMatchObject(["priced", rates]);
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

  it("by id and date, in both of the vendors' spellings", () => {
    expect(book.find("anthropic", "claude-sonnet-4-5-20250929", "t", NOW).row.model).toBe("claude-sonnet-4-5");
    expect(book.find("openai", "gpt-5-2025-08-07", "t", NOW).row.model).toBe("gpt-5");
    expect(book.find("openai", "gpt-5-2025-08", "t", NOW).state).toBe("unknown");
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

  it("models of a local Ollama are free, whatever their name; a free row is free and not unknown", () => {
    expect(book.find("ollama", "llama3:8b", "t", NOW).state).toBe("free");
    expect(new PriceBook([override({ provider: "lab", model: "m", state: "free", rates: {} })]).find("lab", "m", "t", NOW).state).toBe(
      "free",
    );
  });

  it("a provider without any row is charged at the dearest of all", () => {
    expect(book.find("nobody", "m", "t", NOW)).toMatchObject({ state: "unknown", row: { provider: expect.any(String) } });
  });
});
