import type { Cell, ExportRow, Ours, Part, Sheet, Theirs } from "./contract.ts";
import { NONE, plus } from "./figures.ts";
import type { OwnDay } from "./records.ts";
import { dayOf } from "./rows.ts";

/** The name of a day that is not divided into models. */
const ALL_MODELS = "*";

/** The two sides of each day and model, under the name that `nameOf` gives both. An export without models is compared by the day. */
export function cellsOf(sheets: readonly Sheet[], own: readonly OwnDay[], nameOf: (name: string) => string): Cell[] {
  const rows = sheets.flatMap((sheet) => sheet.rows);
  const whole = rows.length > 0 && rows.every(({ model }) => model === null);
  const theirs = Map.groupBy(rows, ({ from, model }) => `${dayOf(from)} ${model === null ? ALL_MODELS : nameOf(model)}`);
  const ours = Map.groupBy(own, ({ day, model }) => `${day} ${whole ? ALL_MODELS : nameOf(model)}`);
  return [...new Set([...theirs.keys(), ...ours.keys()])].map((key): Cell => {
    const space = key.indexOf(" ");
    return {
      day: Number(key.slice(0, space)),
      model: key.slice(space + 1),
      theirs: theirsOf(theirs.get(key)),
      ours: oursOf(ours.get(key)),
    };
  });
}

function theirsOf(rows: readonly ExportRow[] | undefined): Theirs | null {
  if (!rows) return null;
  return {
    requests: rows.reduce((sum, { requests }) => sum + requests, 0),
    figures: rows.reduce((sum, { figures }) => plus(sum, figures), NONE),
    names: [...new Set(rows.flatMap(({ model }) => model ?? []))],
  };
}

function oursOf(days: readonly OwnDay[] | undefined): Ours | null {
  return days ? days.map(({ ours }) => ours).reduce(joined) : null;
}

function joined(a: Ours, b: Ours): Ours {
  const both = (x: Part, y: Part): Part => ({ records: x.records + y.records, figures: plus(x.figures, y.figures) });
  return {
    ...both(a, b),
    late: both(a.late, b.late),
    estimated: both(a.estimated, b.estimated),
    unknown: both(a.unknown, b.unknown),
  };
}
