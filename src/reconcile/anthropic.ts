import * as z from "zod";
import { amountOfCents } from "./amount.ts";
import type { Sheet } from "./contract.ts";
import { type Bucket, count, counted, parsed, refuse, rowsOf, sheetOf } from "./rows.ts";

/** The `cost_type` of web searches, which stands where other lines have a model. */
export const SEARCHES = "web_search";

const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const model = z.string().min(1).max(256).nullable().optional();

/** Pages of time buckets, as both reports answer them. */
const page = <Result extends z.ZodType>(result: Result) =>
  z.looseObject({
    data: z.array(z.looseObject({ starting_at: moment, ending_at: moment, results: z.array(result) })),
    has_more: z.boolean().default(false),
  });

/**
 * `GET /v1/organizations/usage_report/messages`, with `group_by[]=model`
 * (platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages, copy of 2026-08-22): the four classes of input are disjoint.
 */
const usagePage = page(
  z.looseObject({
    model,
    uncached_input_tokens: count,
    cache_read_input_tokens: count.default(0),
    cache_creation: z.looseObject({ ephemeral_5m_input_tokens: count.default(0), ephemeral_1h_input_tokens: count.default(0) }).optional(),
    output_tokens: count,
    server_tool_use: z
      .looseObject({ web_search_requests: count.default(0) })
      .nullable()
      .optional(),
  }),
);

/**
 * `GET /v1/organizations/cost_report`, with `group_by[]=description`
 * (platform.claude.com/docs/en/api/admin/cost_report/retrieve, copy of 2026-08-22): `amount` is decimal text in the lowest unit of the
 * currency, so "123.45" of USD is 1.2345 dollars; what is not billed by the token names no model but its `cost_type`.
 */
const costPage = page(
  z.looseObject({
    amount: z.string().max(64),
    currency: z.string().default("USD"),
    cost_type: z.string().min(1).max(64).nullable().optional(),
    model,
  }),
);

/** Reads a page of the messages usage report. @throws TollgateError `invalid_request` naming the path. */
export function readUsage(data: unknown, path: string): Sheet {
  const read = parsed(usagePage, data, path);
  const buckets = bucketsOf(read, path);
  const rowOf = (result: (typeof read.data)[number]["results"][number]) => ({
    model: result.model ?? null,
    requests: 0,
    figures: counted({
      input: result.uncached_input_tokens,
      cache_read: result.cache_read_input_tokens,
      cache_write_5m: result.cache_creation?.ephemeral_5m_input_tokens ?? 0,
      cache_write_1h: result.cache_creation?.ephemeral_1h_input_tokens ?? 0,
      output: result.output_tokens,
      web_searches: result.server_tool_use?.web_search_requests ?? 0,
    }),
  });
  return sheetOf(rowsOf(buckets, rowOf), buckets, { path, more: read.has_more, vendor: "anthropic", searchesApart: false });
}

/** Reads a page of the cost report. @throws TollgateError `invalid_request` naming the path. */
export function readCosts(data: unknown, path: string): Sheet {
  const read = parsed(costPage, data, path);
  const buckets = bucketsOf(read, path);
  const rowOf = (result: (typeof read.data)[number]["results"][number], where: string) => {
    if (result.currency.toUpperCase() !== "USD") refuse(`${where}.currency`, "must be USD, as records are");
    const usd = amountOfCents(result.amount);
    if (usd === null) refuse(`${where}.amount`, "must be a decimal amount in cents");
    return { model: result.model ?? result.cost_type ?? null, requests: 0, figures: { usd } };
  };
  const described = read.data.some(({ results }) => results.some(({ cost_type }) => typeof cost_type === "string"));
  return sheetOf(rowsOf(buckets, rowOf), buckets, { path, more: read.has_more, vendor: "anthropic", searchesApart: described });
}

interface Page<Result> {
  readonly data: readonly { readonly starting_at: number; readonly ending_at: number; readonly results: readonly Result[] }[];
}

function bucketsOf<Result>({ data }: Page<Result>, path: string): Bucket<Result>[] {
  return data.map(({ starting_at, ending_at, results }, at) => ({ path: `${path}.data.${at}`, from: starting_at, to: ending_at, results }));
}
