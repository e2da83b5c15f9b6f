import { type Amount, type Asked, type Elsewhere, type Granted, type LedgerStub, lesser, type Refusal } from "#budget";
import type { Draft, Gateway } from "./contract.ts";

/** How much longer a wider budget holds than the team's ledger, which says how the request ended. */
const LONGER_MS = 3_600_000;

/** What the ledgers of wider budgets hold for a request, beside its team's. */
export interface Wider {
  readonly elsewhere: readonly Elsewhere[];
  readonly ledgers: readonly LedgerStub[];
  readonly granted: readonly Granted[];
}

/** The ledgers of the budgets across teams that bind a request. */
export async function widerLedgersOf(
  { arrival, caller, asked }: Pick<Draft, "arrival" | "caller" | "asked">,
  at: Gateway,
): Promise<string[]> {
  const { wider } = await at.directory.get(at.background);
  return wider.of({ tags: [...caller.tags, ...arrival.tags], endUser: arrival.endUser ?? asked.endUser });
}

/**
 * Holds a request in each ledger named, or in none: the first refusal gives the others back. Their holds bear no record; they end as
 * the team's ledger says.
 */
export async function holdWider(admission: Asked, names: readonly string[], at: Gateway): Promise<Wider | Refusal> {
  const asked = { ...admission, event: () => "", ttlMs: admission.ttlMs + LONGER_MS };
  const ledgers = names.map((name) => at.ledger(name));
  const answers = await Promise.allSettled(ledgers.map((ledger) => ledger.reserve(asked)));
  const granted = answers.map((answer) => (answer.status === "fulfilled" && answer.value.kind === "granted" ? answer.value : null));
  if (granted.every((each) => each !== null)) {
    const binding = granted.flatMap((each, of) => (each.legs.length === 0 ? [] : [{ each, name: names[of]!, ledger: ledgers[of]! }]));
    return {
      elsewhere: binding.map(({ each, name }) => ({ ledger: name, legs: each.legs })),
      ledgers: binding.map(({ ledger }) => ledger),
      granted: binding.map(({ each }) => each),
    };
  }
  // One whose answer was lost may hold all the same.
  at.background(Promise.all(ledgers.map((ledger) => ledger.release(admission.id))));
  for (const answer of answers) {
    if (answer.status === "rejected") throw answer.reason;
    if (answer.value.kind !== "granted") return answer.value;
  }
  throw new Error("a reservation was neither granted nor refused");
}

/** An admission that asks for no more than the wider budgets have granted. */
export function within(admission: Asked, { elsewhere, granted }: Wider): Asked {
  const least = (amount: Amount) => granted.reduce((most, each) => lesser(most, each.granted), amount);
  return { ...admission, ceiling: least(admission.ceiling), likely: least(admission.likely), elsewhere };
}

/** What a request was granted by all its ledgers together. */
export function together(team: Granted, { granted }: Wider): Granted {
  const tightest = [team, ...granted].flatMap((each) => each.tightest ?? []);
  return {
    ...team,
    bound: team.bound || granted.some(({ bound }) => bound),
    tightest: tightest.reduce<Granted["tightest"]>((least, each) => (least && least.remaining <= each.remaining ? least : each), null),
  };
}
