import { definePolicy } from "#plugin-sdk";

export default definePolicy({
  name: "max-tokens-cap",
  version: "1.0.0",
  // Behind whatever denies: a request that is refused needs no limit.
  priority: 900,
  needs: ["request"],
  config: {
    type: "object",
    properties: {
      max_tokens: { type: "integer", minimum: 1, default: 4_096, description: "Tokens that an answer may have." },
      refuse: { type: "boolean", default: false, description: "Refuse a request that asks for more, where it would be capped." },
    },
  },
  evaluate({ request, config }) {
    const { max_tokens: cap, refuse } = config;
    if (refuse && request.max_tokens !== null && request.max_tokens > cap)
      return {
        allowed: false,
        reason: `Answers may have ${cap} tokens here; ${request.max_tokens} were asked for.`,
        metadata: { max_tokens: cap },
      };
    return { allowed: true, obligations: [{ type: "limit", max_tokens: cap }] };
  },
  tests: [
    {
      name: "caps every answer",
      config: { max_tokens: 100 },
      context: { request: { max_tokens: null } },
      expect: { allowed: true, obligations: [{ type: "limit", max_tokens: 100 }] },
    },
    {
      name: "caps at its default where nothing is set",
      context: { request: { max_tokens: 100_000 } },
      expect: { allowed: true, obligations: [{ type: "limit", max_tokens: 4_096 }] },
    },
    {
      name: "refuses where it was told to",
      config: { max_tokens: 100, refuse: true },
      context: { request: { max_tokens: 101 } },
      expect: { allowed: false, metadata: { max_tokens: 100 } },
    },
    {
      name: "lets pass what asks for no more",
      config: { max_tokens: 100, refuse: true },
      context: { request: { max_tokens: 100 } },
      expect: { allowed: true },
    },
  ],
});
