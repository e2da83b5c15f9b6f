import { RATE_CLASSES, type Rates } from "../../src/models/contract.ts";
import type { CompactRow } from "../../src/models/table.ts";

const last = (rows: readonly CompactRow[]): CompactRow[] => rows.filter(({ to }) => to === undefined);

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

/** How many of some rows rate each class, and the models that lack one which most of their provider's have. */
function classes(rows: readonly CompactRow[]): string[] {
  return RATE_CLASSES.flatMap((name) => {
    const rated = rows.filter(({ r }: { readonly r: Rates }) => r[name] !== undefined && r[name] !== null);
    if (rated.length === 0) return [];
    const lacking = rows.filter((row) => !rated.includes(row)).map(({ m }) => m);
    const few = lacking.length > 0 && lacking.length * 2 < rows.length;
    return [`    ${name.padEnd(16)}${rated.length} of ${rows.length}${few ? `; not ${lacking.join(", ")}` : ""}`];
  });
}

/** What the table covers, by provider: models, names, dated rows, tiers, and the classes that have rates and that have none. */
export function coverage(rows: readonly CompactRow[]): string {
  const providers = Map.groupBy(rows, ({ p }) => p);
  return [...providers]
    .map(([provider, all]) => {
      const now = last(all);
      const tiers = new Set(now.flatMap(({ s, x }) => [...Object.keys(s ?? {}), ...Object.keys(x ?? {})]));
      const none = RATE_CLASSES.filter((name) => now.every(({ r }) => !r[name]));
      return [
        `${provider}: ${now.length} models under ${now.reduce((sum, { a = [] }) => sum + 1 + a.length, 0)} names, ${all.length} rows`,
        `  models: ${listed(now.map(({ m }) => m))}`,
        `  with other prices before: ${listed([...new Set(all.filter(({ to }) => to !== undefined).map(({ m }) => m))])}`,
        `  dearer above a length: ${listed(now.filter(({ t }) => t).map(({ m, t = [] }) => `${m} (${t[0]?.above})`))}`,
        `  service tiers: ${listed([...tiers])}; of ${now.filter(({ s, x }) => s ?? x).length} models`,
        "  classes:",
        ...classes(now),
        `  classes without any rate: ${listed(none)}`,
      ].join("\n");
    })
    .join("\n\n");
}
