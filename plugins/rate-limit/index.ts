import { definePolicy } from "#plugin-sdk";

export default definePolicy({
  name: "rate-limit",
  version: "1.0.0",
  priority: 10,
  needs: ["counters:requests"],
  config: {
    type: "object",
    properties: {
      requests: { type: "integer", minimum: 1, default: 60, description: "Requests that one principal may make in a window." },
      window_s: { type: "integer", minimum: 1, maximum: 86_400, default: 60, description: "Length of the window that slides, in seconds." },
      per: { type: "string", enum: ["key", "team", "user", "end_user"], default: "key", description: "Who is counted." },
    },
  },
  evaluate({ counters, config }) {
    const { count, window_s, resets_in_s } = counters.requests;
    const remaining = Math.max(0, config.requests - count);
    const metadata = { limit: config.requests, remaining, window_s, retry_after_s: remaining > 0 ? 0 : resets_in_s };
    if (count <= config.requests) return { allowed: true, metadata };
    return {
      allowed: false,
      reason: `More than ${config.requests} requests in ${window_s} seconds. Retry in ${resets_in_s} seconds.`,
      metadata,
    };
  },
  tests: [
    {
      name: "lets the last one pass and says that none is left",
      config: { requests: 3 },
      context: { counters: { requests: { count: 3, window_s: 60, resets_in_s: 12 } } },
      expect: { allowed: true, metadata: { limit: 3, remaining: 0, window_s: 60, retry_after_s: 12 } },
    },
    {
      name: "refuses one more and says when to come back",
      config: { requests: 3 },
      context: { counters: { requests: { count: 4, window_s: 60, resets_in_s: 12 } } },
      expect: { allowed: false, reason: "More than 3 requests in 60 seconds. Retry in 12 seconds." },
    },
    {
      name: "says how many are left",
      context: { counters: { requests: { count: 1, window_s: 60, resets_in_s: 60 } } },
      expect: { allowed: true, metadata: { remaining: 59, retry_after_s: 0 } },
    },
  ],
});
