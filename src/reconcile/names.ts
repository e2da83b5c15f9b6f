import type { PriceBook } from "#models";

const DATE_SUFFIX = /-(?:\d{4}-\d{2}-\d{2}|\d{8})$/;
/** A fine-tuned model's name: the vendor's prefix, the base model, and whose it is. */
const FINE_TUNED = /^ft:([^:]+)/;

/** By what a provider's name of a model and ours are held against each other. */
export interface Names {
  readonly book: PriceBook;
  /** Providers under which the price table may list the name: the vendor's own, and those that are compared. */
  readonly providers: readonly string[];
  readonly at: number;
}

/**
 * The model that a name stands for: the one whose price row lists it, or the name without its date. Providers bill under dated
 * names what is called without, and write display names into some exports.
 */
export function modelOf(name: string, { book, providers, at }: Names): string {
  const id = name.includes(" ")
    ? name
        .trim()
        .toLowerCase()
        .replaceAll(/[\s.]+/g, "-")
    : name;
  if (FINE_TUNED.test(id)) return id;
  for (const provider of providers) {
    const { state, row } = book.find(provider, id, "", at);
    if (state !== "unknown" && row.model !== "*") return row.model;
  }
  return id.replace(DATE_SUFFIX, "");
}
