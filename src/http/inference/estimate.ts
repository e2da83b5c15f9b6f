import type { Context } from "hono";
import { type TollgateError, usdFromFemto, usdFromNano } from "#core";
import { quote, type Quote } from "#gateway";
import { readDescribed } from "#wire";
import type { Http } from "../platform.ts";
import { arrive } from "./arrive.ts";

/** `POST /v1/estimate`: what a request would cost and whether it would be let in. Nothing is reserved, sent or recorded. */
export async function estimate(context: Context<Http>): Promise<Response> {
  const { arrival, bytes, gateway } = await arrive(context);
  return context.json(quoteShape(await quote(readDescribed(bytes), arrival, gateway)));
}

/** A quote as callers see it. */
export function quoteShape({ target, input, outputMax, reserved, expected, priceState, refusal }: Quote) {
  return {
    model: `${target.provider}/${target.model}`,
    input_tokens: input,
    max_output_tokens: outputMax,
    reserve_usd: usdFromNano(reserved),
    expected_usd: usdFromFemto(expected.total),
    price_state: priceState,
    lines: expected.lines,
    allowed: refusal === null,
    blocked_by: refusal && blockShape(refusal),
  };
}

function blockShape({ code, message, facts }: TollgateError) {
  return { code, message, details: facts.details ?? {} };
}
