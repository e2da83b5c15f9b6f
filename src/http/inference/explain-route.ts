import type { Context } from "hono";
import { explain, type Explanation } from "#gateway";
import { readDescribed } from "#wire";
import type { Http } from "../platform.ts";
import { arrive } from "./arrive.ts";

/** `POST /v1/route/explain`: where a request would go and why, for `auto` and any other name. Nothing is reserved, sent or recorded. */
export async function explainRoute(context: Context<Http>): Promise<Response> {
  const { arrival, bytes, gateway } = await arrive(context);
  return context.json(explanationShape(await explain(readDescribed(bytes), arrival, gateway)));
}

function explanationShape({ requested, auto, decision, targets, refusal }: Explanation) {
  const { features, rules, rule, tier, candidates, model } = decision;
  const names = targets.map((target) => `${target.provider}/${target.model}`);
  return {
    object: "route_explanation",
    requested,
    auto,
    model: names[0] ?? null,
    falls_back_on: names.slice(1),
    refused_by: refusal && { code: refusal.code, message: refusal.message, details: refusal.facts.details ?? {} },
    features,
    rules,
    rule,
    tier: auto ? tier : null,
    candidates: candidates.map(({ model: name, tier: from, out }) => ({ model: name, tier: from, chosen: name === model, out })),
  };
}
