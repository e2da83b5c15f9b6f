import { nanoCeil, newId, usdFromFemto } from "#core";
import { type Db, tables } from "#db";
import { insertAll, split } from "./consumer.ts";
import type { CostRow } from "./records.ts";
import { countedTogether } from "./roll-ups.ts";

const { costRecords } = tables;
const ROWS_PER_STATEMENT = 100;

/** What a record's usage comes to at another price. */
export interface Correction {
  readonly of: CostRow;
  readonly usd: bigint;
  readonly priceState: CostRow["priceState"];
  readonly status: CostRow["status"];
  readonly receipt: {
    readonly price: object;
    readonly tableHash: string;
    readonly basis: "actual" | "estimated";
    readonly lines: readonly object[];
  };
}

/** A record that was appended, and the one that it takes the place of. */
export interface Corrected {
  readonly id: string;
  readonly reprices: string;
}

/**
 * Appends a record for each correction, at the time of the one that it reprices and charged to no budget. A record is repriced by
 * one other at most, so that of two that correct it at once one wins; only what was appended is answered.
 */
export async function appendCorrections(db: Db, corrections: readonly Correction[], now: number): Promise<Corrected[]> {
  const rows = corrections.map((correction) => corrected(correction, now));
  const appended: Corrected[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
    const insert = insertAll(db, costRecords, rows.slice(at, at + ROWS_PER_STATEMENT));
    const [, answered] = await db.batch(countedTogether(db, insert.returning({ id: costRecords.id, reprices: costRecords.reprices })));
    appended.push(...answered.map(({ id, reprices }) => ({ id, reprices: reprices ?? "" })));
  }
  return appended;
}

function corrected({ of, usd, priceState, status, receipt }: Correction, now: number): CostRow {
  const actualUsd = usdFromFemto(usd);
  const amount = split(actualUsd);
  if (!amount) throw new RangeError("more than a counter can hold");
  return {
    ...of,
    ...amount,
    id: newId("cost", now),
    reprices: of.id,
    priceState,
    status,
    actualUsd,
    nanoUsd: nanoCeil(usd),
    receipt: { ...receipt, charges: [] },
  };
}
