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
const route = (provider: string, model: string) => ({ provider, model, requested: "x" });

describe("names", () => {
  it.each([
    ["openai/gpt-4o", "openai", "gpt-4o"],
    ["acme/meta/llama-3", "acme", "meta/llama-3"],
    ["gpt-4o", "openai", "gpt-4o"],
    ["claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"],
    ["fast", "openai", "gpt-4o-mini"],
  ])("%s is a model of %s", (name, provider, model) => {
    expect(resolveModel(name, known)).toEqual({ provider, model, requested: name });
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

  it("read a pattern as a plain text with stars, never as a regular expression", () => {
    const part = fc.constantFrom("a", "b", ".", "+", "*", "-", "4");
    const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, text, (pattern, model) => {
        const oracle = new RegExp(
          `^${pattern
            .split("*")
            .map((each) => each.replace(/[.+]/g, "\\$&"))
            .join(".*")}$`,
          "s",
        );
        expect(allowed({ allow: [pattern], deny: [] }, route("p", model))).toBe(oracle.test(model));
      }),
      { numRuns: 2_000 },
    );
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
