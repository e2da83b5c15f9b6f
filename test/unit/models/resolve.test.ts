import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowed, listModels, PriceBook, resolveModel } from "#models";

const NOW = Date.parse("2026-11-21T00:00:00Z");
const book = new PriceBook([]);
const known = {
  providers: new Set(["openai", "anthropic", "acme", "tollgate"]),
  aliases: new Map([["fast", { provider: "openai", model: "gpt-4o-mini" }]]),
  book,
  at: NOW,
};
const route = (provider: string, model: string) => ({ provider, model });

describe("names", () => {
  it.each([
    ["openai/gpt-4o", "openai", "gpt-4o"],
    ["acme/meta/llama-3", "acme", "meta/llama-3"],
    ["gpt-4o", "openai", "gpt-4o"],
    ["claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"],
    ["fast", "openai", "gpt-4o-mini"],
  ])("%s is a model of %s", (name, provider, model) => {
    expect(resolveModel(name, known)).toEqual({ provider, model });
  });

  it.each(["nobody/gpt-4o", "gpt-nothing", "openai/", "/gpt-4o", "", "http://evil.test/v1"])("%s stands for nothing", (name) => {
    expect(resolveModel(name, known)).toBeNull();
  });
});

describe("allow and deny", () => {
  it("judge the model that was resolved: an alias is no way around them, nor is letter case", () => {
    const rules = { allow: ["*"], deny: ["openai/gpt-4o*"] };
    expect(allowed(rules, resolveModel("fast", known)!)).toBe(false);
    expect(allowed(rules, route("openai", "GPT-4o"))).toBe(false);
    expect(allowed(rules, route("anthropic", "claude"))).toBe(true);
    expect(allowed({ allow: [], deny: [] }, route("openai", "gpt-4o"))).toBe(false);
    expect(allowed({ allow: ["gpt-4o"], deny: [] }, route("openai", "gpt-4o-mini"))).toBe(false);
  });

  it("read a pattern as a plain text with stars, never as a regular expression; one with a slash speaks of the provider too", () => {
    const part = fc.constantFrom("a", "B", ".", "+", "*", "-", "/", "p");
    const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
    const pattern = fc.oneof(
      text,
      text.map((rest) => `p/${rest}`),
    );
    fc.assert(
      fc.property(pattern, text, (asked, model) => {
        const source = asked
          .split("*")
          .map((each) => each.replace(/[.+]/g, "\\$&"))
          .join(".*");
        const name = asked.includes("/") ? `p/${model}` : model;
        const oracle = new RegExp(`^${source}$`, "is").test(name);
        expect(allowed({ allow: [asked], deny: [] }, route("p", model))).toBe(oracle);
        expect(allowed({ allow: ["*"], deny: [asked] }, route("p", model))).toBe(!oracle);
      }),
      { numRuns: 5_000 },
    );
  });

  it("an alias that is called as another model is judged by the one that answers, whichever list it stands on", () => {
    const aliases = new Map([["gpt-4o-mini", { provider: "anthropic", model: "claude-opus-4-1" }]]);
    const found = resolveModel("gpt-4o-mini", { ...known, aliases })!;
    expect(found).toEqual({ provider: "anthropic", model: "claude-opus-4-1" });
    expect(allowed({ allow: ["gpt-4o-mini", "openai/*"], deny: [] }, found)).toBe(false);
    expect(allowed({ allow: ["anthropic/*"], deny: ["gpt-4o-mini"] }, found)).toBe(true);
  });
});

describe("cards", () => {
  it("list every priced model of the providers at hand, and the aliases, with price and context", () => {
    const cards = listModels({ ...known, team: "t" });
    const ids = cards.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(cards.find(({ id }) => id === "openai/gpt-4o")).toMatchObject({
      contextTokens: 128_000,
      maxOutputTokens: 16_384,
      price: { state: "priced", rates: { input: "2.5" } },
    });
    expect(cards.find(({ id }) => id === "fast")).toMatchObject({ provider: "openai", model: "gpt-4o-mini" });
    expect(ids.some((id) => id.startsWith("google/"))).toBe(false);
  });

  it("say of an alias without a price that it is unknown, and nothing of how much it takes", () => {
    const aliases = new Map([["mystery", { provider: "openai", model: "gpt-next" }]]);
    const card = listModels({ ...known, aliases, team: "t" }).find(({ id }) => id === "mystery");
    expect(card).toMatchObject({ price: { state: "unknown" }, contextTokens: null, maxOutputTokens: null });
  });
});
