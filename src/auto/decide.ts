import type { AutoTable, Candidate, Decision, Features, Out } from "./contract.ts";
import { nearest, tryRules } from "./rules.ts";

/** How many models of the tier stand behind the chosen one: each is drafted, and the dearest is reserved for. */
const SPARES_MAX = 2;

/** What a decision is made of beside the request's features. */
export interface Choices {
  readonly table: AutoTable;
  /** What else is at hand, the preferred first; asked only where nothing of the table can take the request. */
  readonly others: () => readonly string[];
  /** Whether a model can take the request; null where it can. */
  readonly judge: (model: string) => Promise<Out | null>;
  /** Whether every candidate is judged, or those up to the last that is of use. */
  readonly all: boolean;
}

/**
 * Chooses a model. The same features, table and judgements give the same decision, whoever asks and for what purpose: requests are
 * routed by this function and explained by it.
 */
export async function decide(features: Features, { table, others: atHand, judge, all }: Choices): Promise<Decision> {
  const { tried, tier } = tryRules(table, features);
  const listed = nearest(table.tiers, tier).flatMap(({ name, models }) => models.map((model) => ({ model, tier: name })));
  const candidates: Candidate[] = [];
  const consider = async (names: readonly Pick<Candidate, "model" | "tier">[]): Promise<readonly Candidate[]> => {
    const fit: Candidate[] = [];
    for (const each of names) {
      if (!all && isEnough(fit, each.tier)) break;
      if (candidates.some(({ model }) => model === each.model)) continue;
      const candidate = { ...each, out: await judge(each.model) };
      candidates.push(candidate);
      if (candidate.out === null) fit.push(candidate);
    }
    return fit;
  };
  const ofTable = await consider(listed);
  const [chosen, ...others] = ofTable.length > 0 ? ofTable : await consider(atHand().map((model) => ({ model, tier: null })));
  const rule = tried.find(({ matched }) => matched)?.name ?? null;
  const spares = others.filter(({ tier: from }) => from !== null && from === chosen?.tier).slice(0, SPARES_MAX);
  return { features, rules: tried, rule, tier, candidates, model: chosen?.model ?? null, spares: spares.map(({ model }) => model) };
}

/** Whether nothing more is of use: what is of another tier than the chosen one, or of none, is no match for it. */
function isEnough([chosen, ...spares]: readonly Candidate[], tier: string | null): boolean {
  return chosen !== undefined && (chosen.tier === null || chosen.tier !== tier || spares.length >= SPARES_MAX);
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
