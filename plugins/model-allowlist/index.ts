import { definePolicy } from "#plugin-sdk";

export default definePolicy({
  name: "model-allowlist",
  version: "1.0.0",
  priority: 20,
  needs: ["request"],
  config: {
    type: "object",
    properties: {
      allow: {
        type: "array",
        items: { type: "string" },
        default: ["*"],
        description: "Models that may be called; * at the end stands for anything.",
      },
      deny: { type: "array", items: { type: "string" }, default: [], description: "Models that may not, though they are allowed." },
      tools: { type: "boolean", default: true, description: "Whether requests may bring tools." },
    },
  },
  evaluate({ request, config }) {
    const { provider, model } = request;
    // What is called counts, and not what it was asked by: no alias leads around the list.
    const names = [model, `${provider}/${model}`];
    const listed = (patterns: readonly string[]) => patterns.some((pattern) => names.some((name) => fits(name, pattern)));
    const refused = { allowed: false, metadata: { model, provider } };
    if (listed(config.deny)) return { ...refused, reason: `${model} is not to be called here.` };
    if (!listed(config.allow)) return { ...refused, reason: `${model} is not among the models that may be called here.` };
    if (request.tools && !config.tools) return { ...refused, reason: "Tools are not allowed here." };
    return { allowed: true };
  },
  tests: [
    {
      name: "everything is allowed where nothing is said",
      context: { request: { provider: "openai", model: "gpt-5" } },
      expect: { allowed: true },
    },
    {
      name: "what is not on the list is refused, by the name that is called",
      config: { allow: ["gpt-4o*"] },
      context: { request: { provider: "openai", requested: "gpt-4o", model: "gpt-5" } },
      expect: { allowed: false, metadata: { model: "gpt-5", provider: "openai" } },
    },
    {
      name: "a provider's models are named with it",
      config: { allow: ["anthropic/*"] },
      context: { request: { provider: "anthropic", model: "claude-sonnet-5" } },
      expect: { allowed: true },
    },
    {
      name: "deny holds against allow",
      config: { allow: ["gpt*"], deny: ["gpt-5-pro"] },
      context: { request: { provider: "openai", model: "gpt-5-pro" } },
      expect: { allowed: false, reason: "gpt-5-pro is not to be called here." },
    },
    {
      name: "tools can be kept out",
      config: { tools: false },
      context: { request: { provider: "openai", model: "gpt-5", tools: true } },
      expect: { allowed: false, reason: "Tools are not allowed here." },
    },
  ],
});

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
