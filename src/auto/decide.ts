import type { AutoTable, Candidate, Decision, Features, Out } from "./contract.ts";
import { nearest, tryRules } from "./rules.ts";

/** What a decision is made of beside the request's features. */
export interface Choices {
  readonly table: AutoTable;
  /** What else is at hand, the preferred first; asked only where nothing of the table can take the request. */
  readonly others: () => readonly string[];
  /** Whether a model can take the request; null where it can. */
  readonly judge: (model: string) => Promise<Out | null>;
  /** Whether every candidate is judged, or those up to the first that can take it. */
  readonly all: boolean;
}

/**
 * Chooses a model. The same features, table and judgements give the same decision, whoever asks and for what purpose: requests are
 * routed by this function and explained by it.
 */
export async function decide(features: Features, { table, others, judge, all }: Choices): Promise<Decision> {
  const { tried, tier } = tryRules(table, features);
  const listed = nearest(table.tiers, tier).flatMap(({ name, models }) => models.map((model) => ({ model, tier: name })));
  const candidates: Candidate[] = [];
  const consider = async (names: readonly Pick<Candidate, "model" | "tier">[]): Promise<string | null> => {
    let chosen: string | null = null;
    for (const each of names) {
      if (candidates.some(({ model }) => model === each.model)) continue;
      const out = await judge(each.model);
      candidates.push({ ...each, out });
      if (out === null) chosen ??= each.model;
      if (chosen !== null && !all) break;
    }
    return chosen;
  };
  const model = (await consider(listed)) ?? (await consider(others().map((model) => ({ model, tier: null }))));
  const rule = tried.find(({ matched }) => matched)?.name ?? null;
  return { features, rules: tried, rule, tier, candidates, model };
}

/** A decision in one line, for a header: the rule and tier that it followed, and what had to be passed over before the choice. */
export function reasonOf({ rule, tier, candidates, model }: Decision): string {
  const passed = candidates
    .slice(
      0,
      candidates.findIndex((each) => each.model === model),
    )
    .filter(({ out }) => out !== null);
  const asked = `rule ${rule ?? "none"}, tier ${tier}`;
  const chosen = candidates.find((each) => each.model === model)?.tier ?? "none";
  const from = chosen === tier ? "" : `, chosen from tier ${chosen}`;
  return passed.length === 0 ? asked : `${asked}${from}, passed over ${passed.length}: ${tally(passed)}`;
}

function tally(passed: readonly Candidate[]): string {
  const codes = Map.groupBy(passed, ({ out }) => out!.code);
  return [...codes].map(([code, each]) => `${each.length} ${code}`).join(", ");
}
