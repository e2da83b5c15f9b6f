/** The exports that can be read. */
export const FORMATS = ["openai.usage", "openai.costs", "anthropic.usage", "anthropic.costs", "csv"] as const;
export type Format = (typeof FORMATS)[number];

/** What is counted, in the disjoint classes of a cost record. */
export const COUNTS = [
  "input",
  "cache_read",
  "cache_write_5m",
  "cache_write_1h",
  "output",
  "audio_input",
  "audio_output",
  "images",
  "web_searches",
] as const;
export type Count = (typeof COUNTS)[number];

/** A count, or the amount in femto-USD: what two sides can differ in. */
export const MEASURES = [...COUNTS, "usd"] as const;
export type Measure = (typeof MEASURES)[number];

/** Figures by measure; an absent one was not stated, and is not nought. */
export type Figures = Readonly<Partial<Record<Measure, bigint>>>;

/** One line of an export. Times are milliseconds UTC, `to` exclusive, and lie within one UTC day. */
export interface ExportRow {
  /** Where it stands in the request, for errors. */
  readonly path: string;
  readonly from: number;
  readonly to: number;
  /** The provider's own name of the model; null where the export is not grouped by model. */
  readonly model: string | null;
  readonly requests: number;
  readonly figures: Figures;
}

/** An export as read: the rows, the time they cover, and whether the provider has more of it. */
export interface Sheet {
  readonly rows: readonly ExportRow[];
  readonly from: number;
  readonly to: number;
  readonly more: boolean;
  /** The vendor that wrote it, whose names of models it uses; null for a file of one's own. */
  readonly vendor: string | null;
  /** Web searches are billed on a line of their own, apart from the model that ran them. */
  readonly searchesApart: boolean;
}

/**
 * Why a day of a model does not agree. `missing_here`: billed, without a record. `missing_there`: recorded, not billed.
 * `tokens_differ`: other counts. `price_differs`: the same counts, another amount. `amount_differs`: another amount, and the export
 * holds no counts that would say why. `estimated_here`: the difference lies within records whose usage was estimated.
 * `unknown_price`: it lies within records of models without a price. `model_renamed`: the same figures under another name.
 * `day_boundary`: requests admitted before midnight UTC and billed after it.
 */
export const CAUSES = [
  "missing_here",
  "missing_there",
  "tokens_differ",
  "price_differs",
  "amount_differs",
  "estimated_here",
  "unknown_price",
  "model_renamed",
  "day_boundary",
] as const;
export type Cause = (typeof CAUSES)[number];

/** Some of our records: how many, and what they hold. */
export interface Part {
  readonly records: number;
  readonly figures: Figures;
}

/** Our records of one model on one day. */
export interface Ours extends Part {
  /** Those admitted so late that they may have ended on the next day. */
  readonly late: Part;
  readonly estimated: Part;
  readonly unknown: Part;
}

/** What the export holds of one model on one day. */
export interface Theirs {
  readonly requests: number;
  readonly figures: Figures;
  /** The names under which it stood there. */
  readonly names: readonly string[];
}

/** One model on one day, seen from both sides. */
export interface Cell {
  /** Milliseconds UTC of the day's start. */
  readonly day: number;
  readonly model: string;
  readonly theirs: Theirs | null;
  readonly ours: Ours | null;
}

/** One difference: what each side says of `day`, and why they disagree. */
export interface Difference extends Cell {
  readonly causes: readonly Cause[];
  /** Ours less theirs, of the measures that differ. */
  readonly delta: Figures;
  /** The last day of those that make a `day_boundary` up. */
  readonly through: number | null;
  /** Our own name, where it is the other one of a `model_renamed`. */
  readonly ownModel: string | null;
}

/** What a comparison found. */
export interface Reconciliation {
  readonly from: number;
  readonly to: number;
  /** False where the export says that the provider has more of it. */
  readonly complete: boolean;
  /** The measures that the export states, which alone are compared. */
  readonly measures: readonly Measure[];
  readonly cells: number;
  readonly differences: readonly Difference[];
  readonly theirs: Figures;
  readonly ours: Figures;
  /** Ours less theirs, in all. */
  readonly delta: Figures;
}
