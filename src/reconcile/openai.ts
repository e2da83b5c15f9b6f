import * as z from "zod";
import { amountOf } from "./amount.ts";
import type { Sheet } from "./contract.ts";
import { type Bucket, count, counted, parsed, refuse, rowsOf, sheetOf } from "./rows.ts";

const VENDOR = { vendor: "openai", searchesApart: false } as const;

/** Unix seconds, up to the year 2100. */
const seconds = z.number().int().min(0).max(4_102_444_800);
const optional = count.nullable().optional();

/** Pages of time buckets, as every usage and cost route answers them. */
const page = <Result extends z.ZodType>(result: Result) =>
  z.looseObject({
    data: z.array(z.looseObject({ start_time: seconds, end_time: seconds, results: z.array(result) })),
    has_more: z.boolean().default(false),
  });

/**
 * `GET /v1/organization/usage/completions` and `/embeddings`, with `group_by=model`
 * (developers.openai.com/api/reference/resources/organization/subresources/usage; OpenAI's openapi.yaml of 2026-08-21 and the
 * declarations of openai 7.55.0): `input_tokens` includes cached and cache-write tokens, and text, audio and images; `input_uncached_tokens` excludes
 * both; `input_audio_tokens` counts uncached audio; `output_tokens` includes audio.
 */
const usagePage = page(
  z.looseObject({
    object: z.enum(["organization.usage.completions.result", "organization.usage.embeddings.result"]),
    model: z.string().min(1).max(256).nullable().optional(),
    num_model_requests: count.default(0),
    input_tokens: count,
    input_cached_tokens: optional,
    input_cache_write_tokens: optional,
    input_audio_tokens: optional,
    output_tokens: optional,
    output_audio_tokens: optional,
  }),
);

/**
 * `GET /v1/organization/costs`, with `group_by=line_item` (developers.openai.com/api/reference/resources/organization/subresources/
 * audit_logs/methods/get_costs; OpenAI's openapi.yaml of 2026-08-21 and the declarations of openai 7.55.0): `amount.value` in `amount.currency`. A line
 * item of tokens is named by its model and, after a comma, the kind of token.
 */
const costsPage = page(
  z.looseObject({
    object: z.literal("organization.costs.result"),
    amount: z.looseObject({ value: z.union([z.number(), z.string()]), currency: z.string().optional() }),
    line_item: z.string().min(1).max(256).nullable().optional(),
  }),
);

/** Reads a page of the usage API. @throws TollgateError `invalid_request` naming the path. */
export function readUsage(data: unknown, path: string): Sheet {
  const read = parsed(usagePage, data, path);
  const buckets = bucketsOf(read, path);
  const rowOf = (result: (typeof read.data)[number]["results"][number], where: string) => {
    const cached = result.input_cached_tokens ?? 0;
    const written = result.input_cache_write_tokens ?? 0;
    const heard = result.input_audio_tokens ?? 0;
    const spoken = result.output_audio_tokens ?? 0;
    const input = result.input_tokens - cached - written - heard;
    const output = (result.output_tokens ?? 0) - spoken;
    if (input < 0) refuse(`${where}.input_tokens`, "is less than the cached, cache-write and audio tokens that it includes");
    if (output < 0) refuse(`${where}.output_tokens`, "is less than the audio tokens that it includes");
    return {
      model: result.model ?? null,
      requests: result.num_model_requests,
      figures: counted({ input, cache_read: cached, cache_write_5m: written, audio_input: heard, output, audio_output: spoken }),
    };
  };
  return sheetOf(rowsOf(buckets, rowOf), buckets, { path, more: read.has_more, ...VENDOR });
}

/** Reads a page of the costs API. @throws TollgateError `invalid_request` naming the path. */
export function readCosts(data: unknown, path: string): Sheet {
  const read = parsed(costsPage, data, path);
  const buckets = bucketsOf(read, path);
  const rowOf = ({ amount, line_item }: (typeof read.data)[number]["results"][number], where: string) => {
    if ((amount.currency ?? "usd").toLowerCase() !== "usd") refuse(`${where}.amount.currency`, "must be usd, as records are");
    const usd = amountOf(amount.value);
    if (usd === null) refuse(`${where}.amount.value`, "must be a decimal amount");
    return { model: line_item?.split(", ")[0] ?? null, requests: 0, figures: { usd } };
  };
  return sheetOf(rowsOf(buckets, rowOf), buckets, { path, more: read.has_more, ...VENDOR });
}

interface Page<Result> {
  readonly data: readonly { readonly start_time: number; readonly end_time: number; readonly results: readonly Result[] }[];
}

function bucketsOf<Result>({ data }: Page<Result>, path: string): Bucket<Result>[] {
  return data.map(({ start_time, end_time, results }, at) => ({
    path: `${path}.data.${at}`,
    from: start_time * 1000,
    to: end_time * 1000,
    results,
  }));
}
