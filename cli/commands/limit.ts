import { misuse } from "../failure.ts";
import { count, type OptionTable, text } from "../option.ts";
import type { Column } from "../print.ts";

/** A budget and where it stands, as a line of a table. */
export const BUDGET_COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "OF", path: "scope.kind" },
  { head: "WHOM", path: "scope.id" },
  { head: "WINDOW", path: "window" },
  { head: "MODE", path: "mode" },
  { head: "UNIT", path: "status.unit" },
  { head: "LIMIT", path: "status.limit", figure: true },
  { head: "SPENT", path: "status.spent", figure: true },
  { head: "RESERVED", path: "status.reserved", figure: true },
  { head: "REMAINING", path: "status.remaining", figure: true },
  { head: "RESETS", path: "status.resets_at" },
];

/** The windows of a budget; they follow the calendar. */
export const WINDOWS = ["hour", "day", "week", "month", "total"] as const;

/** The options that limit a budget. `path` stands before the names of their fields. */
export function limits(path = "") {
  return {
    "limit-usd": text("dollars, to nine digits after the point", `${path}limit_usd`, "<usd>"),
    "limit-tokens": count("tokens, in and out", `${path}limit_tokens`),
    "limit-requests": count("requests", `${path}limit_requests`),
  } satisfies OptionTable;
}

/** The one of these options that was given, or null. @throws Failure `usage` for two, and for none where one is needed. */
export function oneOf<Options extends OptionTable>(
  options: Options,
  given: Readonly<Record<string, unknown>>,
  bound: "exactly" | "at most",
): (keyof Options & string) | null {
  const names = Object.keys(options);
  const [one, two] = names.filter((name) => given[name] !== undefined);
  if (two !== undefined || (one === undefined && bound === "exactly")) {
    const all = names.map((name) => `--${name}`).join(", ");
    throw misuse(`Give ${bound} one of ${all}`, `--${two ?? names[0]}`);
  }
  return one ?? null;
}
