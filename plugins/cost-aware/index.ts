import { type Budget, definePolicy } from "#plugin-sdk";

export default definePolicy({
  name: "cost-aware",
  version: "1.0.0",
  priority: 200,
  needs: ["budget", "estimate"],
  config: {
    type: "object",
    properties: {
      warn_at: {
        type: "number",
        minimum: 0,
        maximum: 1,
        default: 0.8,
        description: "Share of a budget from which on requests are tagged.",
      },
      mode: {
        type: "string",
        enum: ["permissive", "strict"],
        default: "permissive",
        description: "strict refuses what may pass a budget; permissive goes by what it will likely cost, and only tags.",
      },
      route_to: { type: "string", description: "A cheaper model, which is asked from `warn_at` on." },
    },
  },
  evaluate({ budget: budgets, estimate, config }) {
    const strict = config.mode === "strict";
    const cost = Number(strict ? estimate.most_usd : estimate.expected_usd);
    const [tightest] = budgets
      .filter(({ unit }) => unit === "usd")
      .map((budget) => ({ budget, projected: projectedOf(budget, cost) }))
      .toSorted((a, b) => b.projected.share - a.projected.share);
    if (!tightest || tightest.projected.share < config.warn_at) return { allowed: true };
    const { budget, projected } = tightest;
    const metadata = {
      budget: budget.id,
      limit_usd: budget.limit,
      projected_usd: projected.usd,
      share: projected.share,
      resets_at: budget.resets_at,
    };
    if (strict && projected.share > 1)
      return {
        allowed: false,
        reason: `This request may come to ${estimate.most_usd} USD, and would pass the budget ${budget.id}.`,
        metadata,
      };
    const tag = { type: "tag", tags: [projected.share > 1 ? "budget:over" : "budget:warning"] } as const;
    return { allowed: true, metadata, obligations: config.route_to ? [tag, { type: "route", target: config.route_to }] : [tag] };
  },
  tests: [
    {
      name: "far from its limit nothing is said",
      context: { budget: [budgetOf("10", "1")], estimate: { expected_usd: "0.01", most_usd: "0.02" } },
      expect: { allowed: true, metadata: {}, obligations: [] },
    },
    {
      name: "warns from 80 % on, what is spent, held and expected taken together",
      context: { budget: [budgetOf("10", "7.5", "0.4")], estimate: { expected_usd: "0.1", most_usd: "9" } },
      expect: { allowed: true, metadata: { share: 0.8, projected_usd: 8 }, obligations: [{ type: "tag", tags: ["budget:warning"] }] },
    },
    {
      name: "strict refuses what may pass the limit",
      config: { mode: "strict" },
      context: { budget: [budgetOf("10", "9")], estimate: { expected_usd: "0.1", most_usd: "1.5" } },
      expect: { allowed: false, metadata: { share: 1.05, projected_usd: 10.5 } },
    },
    {
      name: "permissive lets it pass, and says so",
      context: { budget: [budgetOf("10", "9.99")], estimate: { expected_usd: "0.1", most_usd: "1.5" } },
      expect: { allowed: true, obligations: [{ type: "tag", tags: ["budget:over"] }] },
    },
    {
      name: "asks a cheaper model where one is named, by the tightest budget",
      config: { route_to: "gpt-5-mini" },
      context: { budget: [budgetOf("100", "1"), budgetOf("10", "9")], estimate: { expected_usd: "0", most_usd: "0" } },
      expect: {
        metadata: { limit_usd: "10" },
        obligations: [
          { type: "tag", tags: ["budget:warning"] },
          { type: "route", target: "gpt-5-mini" },
        ],
      },
    },
    {
      name: "where no budget binds there is nothing to say",
      context: { budget: [], estimate: { expected_usd: "1", most_usd: "1" } },
      expect: { allowed: true, obligations: [] },
    },
  ],
});

/** What a budget comes to with this request. To a ten-thousandth: this warns, and the ledger, which counts exactly, decides. */
function projectedOf({ limit, spent, reserved }: Budget, cost: number): { readonly usd: number; readonly share: number } {
  const usd = Number(spent) + Number(reserved) + cost;
  return { usd: rounded(usd), share: Number(limit) === 0 ? 1 : rounded(usd / Number(limit)) };
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function budgetOf(limit: string, spent: string, reserved = "0") {
  return { id: `bud_${limit}`, unit: "usd", limit, spent, reserved, resets_at: null };
}
