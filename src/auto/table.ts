import * as z from "zod";
import type { AutoTable } from "./contract.ts";

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "must be of a-z, 0-9, _ and -");
const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const amount = z.union([z.boolean(), z.strictObject({ min: count.optional(), max: count.optional() })]).optional();
const flag = z.boolean().optional();
const words = z.array(z.string().min(1).max(32)).min(1).max(64).optional();

const condition = z.strictObject({
  operation: words,
  input_tokens: amount,
  max_output_tokens: amount,
  messages: amount,
  tools: amount,
  images: amount,
  files: amount,
  audio: amount,
  code: flag,
  language: words,
  reasoning: flag,
  structured: flag,
  stream: flag,
  budget_left_percent: amount,
});
const tier = z.strictObject({ name, models: z.array(z.string().min(1).max(256)).min(1).max(32) });
const rule = z.strictObject({ name, when: condition.default({}), tier: name });

/** A table as an operator writes it. What refers to a tier names one that is there, and no name stands twice. */
export const autoTable = z
  .strictObject({ tiers: z.array(tier).min(1).max(8), rules: z.array(rule).max(64).default([]), otherwise: name })
  .superRefine(({ tiers, rules, otherwise }, context) => {
    const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    const known = new Set(tiers.map((each) => each.name));
    if (known.size < tiers.length) refuse(["tiers"], "names a tier twice");
    if (new Set(rules.map((each) => each.name)).size < rules.length) refuse(["rules"], "names a rule twice");
    for (const [at, each] of rules.entries()) if (!known.has(each.tier)) refuse(["rules", at, "tier"], "is none of the tiers");
    if (!known.has(otherwise)) refuse(["otherwise"], "is none of the tiers");
    if (tiers.some(({ models }) => models.includes("auto"))) refuse(["tiers"], "name auto itself");
  });

/** What holds until an operator says otherwise. Within a tier the cheapest comes first; what nobody can call is passed over. */
export const BUILT_IN: AutoTable = {
  tiers: [
    {
      name: "small",
      models: [
        "anthropic/claude-haiku-5-5",
        "openai/gpt-6-luna",
        "mistral/mistral-small-2603",
        "xai/grok-4-1-fast-non-reasoning",
        "deepseek/deepseek-v4-flash",
        "google/gemini-3.5-flash-lite",
      ],
    },
    {
      name: "medium",
      models: [
        "anthropic/claude-sonnet-5-5",
        "openai/gpt-6.1-sol",
        "google/gemini-3.8-flash",
        "mistral/mistral-large-2512",
        "xai/grok-4.3",
        "deepseek/deepseek-v4-pro",
      ],
    },
    {
      name: "large",
      models: ["anthropic/claude-opus-5-5", "openai/gpt-5.6-sol", "google/gemini-3.1-pro-preview", "xai/grok-4.6", "openai/gpt-6-astra"],
    },
  ],
  rules: [
    { name: "low-budget", when: { budget_left_percent: { max: 10 } }, tier: "small" },
    { name: "reasoning", when: { reasoning: true }, tier: "large" },
    { name: "coding-agent", when: { code: true, tools: true }, tier: "large" },
    { name: "long", when: { input_tokens: { min: 32_000 } }, tier: "medium" },
    { name: "code", when: { code: true }, tier: "medium" },
    { name: "tools", when: { tools: true }, tier: "medium" },
    { name: "images", when: { images: true }, tier: "medium" },
    { name: "files", when: { files: true }, tier: "medium" },
    { name: "other-scripts", when: { language: ["ar", "el", "he", "hi", "ja", "ko", "ru", "th", "zh"] }, tier: "medium" },
    { name: "short", when: { input_tokens: { max: 2_000 } }, tier: "small" },
  ],
  otherwise: "medium",
};
