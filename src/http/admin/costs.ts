import { z } from "@hono/zod-openapi";
import { type CostRow, costSummary, getRecord, listRecords, type Sums } from "#audit";
import type { Charge } from "#budget";
import { found, inCurrency } from "#core";
import type { PriceRow } from "#models";
import { attributed, filterOf, rangeOf } from "./attribution.ts";
import { asAsked, names } from "./export.ts";
import { type AdminApp, read } from "./operation.ts";
import { priceShape } from "./prices.ts";
import { displayed } from "../display.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, page, paging } from "./shapes.ts";

/**
 * How many groups came before. Groups are sums, dearest first, so pages agree only where `to` holds the rows still; deeper than
 * this a reader narrows the filter.
 */
const groupCursor = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, "is not one that a list answered")
  .transform(Number)
  .refine((before) => before <= 20_000, "is too deep; narrow the filter");
export const format = z.enum(["json", "csv", "ndjson"]).optional();

const record = z
  .looseObject({ id, object: z.literal("cost_record"), request: id, at: z.string(), actual_usd: z.string(), nano_usd: z.number() })
  .openapi("CostRecord");
const summary = z
  .looseObject({ group_by: z.array(z.string()), data: z.array(z.looseObject({})), total: z.looseObject({ usd: z.string() }) })
  .openapi("CostSummary");

function recordShape(row: CostRow) {
  return {
    id: row.id,
    object: "cost_record",
    request: row.request,
    at: iso(row.at),
    key: row.key,
    team: row.team,
    user: row.user,
    end_user: row.endUser,
    session: row.session,
    task: row.task,
    resource: { kind: row.resourceKind, provider: row.provider, model: row.model, requested: row.requested },
    capability: row.capability,
    stream: row.stream,
    outcome: row.outcome,
    attempts: row.attempts,
    cache: row.cache,
    status: row.status,
    price_state: row.priceState,
    estimated_usd: row.estimatedUsd,
    actual_usd: row.actualUsd,
    nano_usd: row.nanoUsd,
    usage: {
      input: row.input,
      cache_read: row.cacheRead,
      cache_write_5m: row.cacheWrite5m,
      cache_write_1h: row.cacheWrite1h,
      output: row.output,
      reasoning: row.reasoning,
      audio_input: row.audioInput,
      audio_output: row.audioOutput,
      images: row.images,
      web_searches: row.webSearches,
      file_searches: row.fileSearches,
      search_sources: row.searchSources,
      extras: row.extras,
      image_input: row.imageInput,
      image_output: row.imageOutput,
      characters: row.characters,
      seconds: row.seconds,
      rankings: row.rankings,
    },
    service_tier: row.serviceTier,
    tags: row.tags,
    metadata: row.metadata,
    reprices: row.reprices,
  };
}

/** What a charge is called by its unit. */
const CHARGED = { usd: "charged_nano_usd", tokens: "charged_tokens", requests: "charged_requests" } as const;

/** A receipt as it was written with the record. */
interface StoredReceipt {
  readonly price: PriceRow;
  readonly tableHash: string;
  readonly lines: readonly unknown[];
  readonly charges: readonly Charge[];
  readonly savedUsd?: string;
}

/** A record's receipt: the price row, and the lines that were computed from it. */
export function receiptShape(row: CostRow) {
  const { price, tableHash, lines, charges, savedUsd } = row.receipt as StoredReceipt;
  return {
    price: priceShape(price),
    table_hash: tableHash,
    lines,
    total_usd: row.actualUsd,
    ...(savedUsd === undefined ? {} : { saved_usd: savedUsd }),
    budgets: charges.map((charge) => ({ id: charge.budget, window_start: iso(charge.windowStart), [CHARGED[charge.unit]]: charge.amount })),
  };
}

function sumsShape({ usd, savedUsd, requests, tokens, pieces }: Sums) {
  const { input, cacheRead, cacheWrite, output, reasoning } = tokens;
  const { images, webSearches, fileSearches, searchSources, characters, seconds, rankings, extras } = pieces;
  return {
    usd,
    saved_usd: savedUsd,
    requests,
    tokens: { input, cache_read: cacheRead, cache_write: cacheWrite, output, reasoning },
    pieces: {
      images,
      web_searches: webSearches,
      file_searches: fileSearches,
      search_sources: searchSources,
      characters,
      seconds,
      rankings,
      extras,
    },
  };
}

/** `/costs`: what was spent, summed or by the record, with the arithmetic. */
export function costs(app: AdminApp): void {
  const resource = "costs";
  const summed = attributed({
    group_by: z.string().max(256).optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(1000),
    cursor: groupCursor.optional(),
    format,
  });
  read(
    app,
    { method: "get", path: "/costs/summary", resource, summary: "Sum costs", query: summed, answer: summary },
    async ({ query, actor }, context) => {
      const groupBy = names(query.group_by);
      const { limit, cursor: offset = 0 } = query;
      const { groups, total } = await costSummary(context.env.db, { filter: filterOf(query, actor), groupBy, limit: limit + 1, offset });
      const { config } = context.env;
      const data = groups.slice(0, limit).map((group) => ({
        group: group.group,
        ...sumsShape(group),
        ...(config.display && { display: inCurrency(group.usd, config.display) }),
      }));
      const { from = null, to = null } = rangeOf(query);
      return asAsked(
        context,
        {
          from: iso(from),
          to: iso(to),
          group_by: groupBy,
          data,
          total: sumsShape(total),
          display: displayed(config, { total: total.usd }),
          next_cursor: groups.length > limit ? String(offset + limit) : null,
        },
        query.format,
      );
    },
  );
  const listed = attributed({ ...paging, format });
  read(
    app,
    { method: "get", path: "/costs/records", resource, summary: "List cost records", query: listed, answer: listOf(record) },
    async ({ query, actor }, context) => {
      const records = await listRecords(context.env.db, filterOf(query, actor), { limit: query.limit, ...given({ cursor: query.cursor }) });
      return asAsked(context, page(records, recordShape), query.format);
    },
  );
  read(
    app,
    { method: "get", path: "/costs/records/{id}", resource, summary: "Read a cost record and its receipt", params: byId, answer: record },
    async ({ params, actor }, context) => {
      const row = found(await getRecord(context.env.db, params.id, filterOf({}, actor)), "cost record");
      return { ...recordShape(row), receipt: receiptShape(row) };
    },
  );
}
