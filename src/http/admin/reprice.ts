import { z } from "@hono/zod-openapi";
import { appendCorrections, type Correction, type CostRow, listCurrent } from "#audit";
import { femtoFromUsd, NANO_MAX, nanoCeil, TollgateError, usdFromFemto } from "#core";
import { type PriceBook, receipt, type ReceiptLine } from "#models";
import { attributed, filterOf } from "./attribution.ts";
import { type AdminApp, write } from "./operation.ts";
import { iso } from "../time.ts";
import { moment } from "./shapes.ts";

const EXAMINED_MAX = 500;

const body = attributed({
  from: moment,
  to: moment,
  dry_run: z.boolean().default(false),
  limit: z.number().int().min(1).max(EXAMINED_MAX).default(EXAMINED_MAX),
  cursor: z.string().max(256).nullable().default(null),
});
const answer = z
  .looseObject({
    object: z.literal("repricing"),
    dry_run: z.boolean(),
    examined: z.number(),
    repriced: z.number(),
    unchanged: z.number(),
    skipped: z.strictObject({ no_price: z.number(), not_by_usage: z.number() }),
    before_usd: z.string(),
    after_usd: z.string(),
    data: z.array(z.looseObject({ reprices: z.string() })),
    next_cursor: z.string().nullable(),
  })
  .openapi("Repricing");

/** Why a record stays as it is. */
type Left = "unchanged" | "no_price" | "not_by_usage";

/** The parts of a stored receipt that a new one is judged by. */
interface StoredReceipt {
  readonly lines: readonly ReceiptLine[];
  readonly basis?: "actual" | "estimated";
}

/**
 * A record's usage at the price that the book has for its time. What was not charged by its usage stays: a reservation whose
 * request was lost, an answer out of a cache. So does what has no price now: a guess is no correction.
 */
function correctionOf(row: CostRow, book: PriceBook): Correction | Left {
  const { lines, basis = "estimated" } = row.receipt as StoredReceipt;
  const sum = lines.reduce((total, { usd }) => total + femtoFromUsd(usd), 0n);
  const fromCache = row.cache === "hit" || row.cache === "coalesced";
  if (row.resourceKind !== "model" || fromCache || sum !== femtoFromUsd(row.actualUsd)) return "not_by_usage";
  const paid = receipt(book.find(row.provider, row.model, row.team, row.at), row, row.serviceTier, book.tableHash);
  if (paid.state === "unknown" || nanoCeil(paid.total) === NANO_MAX) return "no_price";
  if (paid.state === row.priceState && paid.total === sum) return "unchanged";
  // A price that is known at last says nothing of who counted; records say it apart since they carry a basis.
  const status = row.status === "unknown" ? basis : row.status;
  const { price, tableHash } = paid;
  return { of: row, usd: paid.total, priceState: paid.state, status, receipt: { price, tableHash, basis: status, lines: paid.lines } };
}

/** A page of records, judged. */
function judged(rows: readonly CostRow[], book: PriceBook) {
  const found = rows.map((row) => correctionOf(row, book));
  const left = (why: Left) => found.filter((each) => each === why).length;
  return {
    corrections: found.filter((each) => typeof each !== "string"),
    unchanged: left("unchanged"),
    skipped: { no_price: left("no_price"), not_by_usage: left("not_by_usage") },
  };
}

/** `/costs/reprice`: what was used, at the prices that are in force for its time now. */
export function reprice(app: AdminApp): void {
  write(
    app,
    // Whoever may set a price may apply it to what was.
    { method: "post", path: "/costs/reprice", resource: "prices", summary: "Reprice cost records", body, answer },
    async ({ body: asked, actor }, context) => {
      const { from, to, dry_run, limit, cursor } = asked;
      if (from >= to) throw new TollgateError("invalid_request", "to must be later than from", { param: "to" });
      const { db, directory, now } = context.env;
      const filter = filterOf(asked, actor);
      const { rows, next } = await listCurrent(db, filter, { limit, cursor: cursor ?? undefined });
      // A price that was just set through another isolate counts too.
      const { book } = await directory.reload();
      const { corrections, unchanged, skipped } = judged(rows, book);
      const appended = dry_run ? [] : await appendCorrections(db, corrections, now());
      const ids = new Map(appended.map(({ id, reprices }) => [reprices, id]));
      const made = corrections.filter(({ of }) => dry_run || ids.has(of.id));
      const facts = {
        dry_run,
        examined: rows.length,
        repriced: made.length,
        unchanged: unchanged + corrections.length - made.length,
        skipped,
        before_usd: usdFromFemto(made.reduce((sum, { of }) => sum + femtoFromUsd(of.actualUsd), 0n)),
        after_usd: usdFromFemto(made.reduce((sum, { usd }) => sum + usd, 0n)),
      };
      const data = made.map(({ of, usd, receipt: { price } }) => ({
        id: ids.get(of.id) ?? null,
        reprices: of.id,
        price: (price as { readonly id: string }).id,
        before_usd: of.actualUsd,
        after_usd: usdFromFemto(usd),
      }));
      return {
        answer: { object: "repricing", from: iso(from), to: iso(to), ...facts, data, next_cursor: next },
        audit: {
          type: "cost.reprice",
          subject: null,
          details: { ...filter, from: iso(from), to: iso(to), cursor, next_cursor: next, ...facts },
        },
      };
    },
  );
}
