import type { ActiveStep } from "./active.ts";
import type { DecisionRow } from "./decisions.ts";
import type { Judge } from "./judge.ts";
import { tryOut } from "./try-out.ts";

/** A request that would have come out otherwise. */
export interface Change {
  readonly request: string;
  readonly before: DecisionRow["outcome"];
  readonly after: DecisionRow["outcome"];
  readonly reason: string;
}

/** Why a request cannot be asked about again. */
type Gap =
  /** Its facts were too many to be kept, or hold none of a kind that the version needs. */
  | "facts_missing"
  /** The version reads messages, and the key had none logged, or not for so long. */
  | "content_not_logged"
  /** What was logged is not what was said to the letter: something was masked or cut off. */
  | "content_altered";

/** What a candidate would have said of requests that were. */
export interface Replay {
  readonly evaluated: number;
  readonly changed: number;
  /** Requests of which too little was kept, by what is lacking. */
  readonly gaps: Readonly<Record<Gap, number>>;
  readonly changes: readonly Change[];
}

/** What requests said, by their ids, as far as it was kept. */
export type Recorded = (requests: readonly string[]) => Promise<ReadonlyMap<string, { readonly said: unknown; readonly altered: boolean }>>;

const MESSAGES = "messages";
const CHANGES_MAX = 1_000;
/** Requests whose contents are held at once, and asked about beside each other. */
const AT_ONCE = 16;

/**
 * Asks a version about requests as its policy was asked about them then: the same facts, the time of then among them, and the same words
 * where they were logged to the letter.
 */
export async function replay(judge: Judge, trial: ActiveStep, decisions: readonly DecisionRow[], recorded: Recorded): Promise<Replay> {
  const requests = onePerRequest(decisions);
  const gaps = { facts_missing: 0, content_not_logged: 0, content_altered: 0 };
  const changes: Change[] = [];
  let evaluated = 0;
  for (let at = 0; at < requests.length; at += AT_ONCE) {
    const some = await factsOf(requests.slice(at, at + AT_ONCE), trial, recorded);
    for (const { facts } of some) if (typeof facts === "string") gaps[facts]++;
    const found = await Promise.all(
      some.map(async ({ decision: { request, outcome: before }, facts }) => {
        if (typeof facts === "string") return [];
        const { outcome: after, reason } = await tryOut(judge, trial, { stage: "evaluate", facts: { shared: facts, own: {} } });
        return [{ request, before, after, reason }];
      }),
    );
    evaluated += found.flat().length;
    changes.push(...found.flat().filter(({ before, after }) => before !== after));
  }
  return { evaluated, changed: changes.length, gaps, changes: changes.slice(0, CHANGES_MAX) };
}

/** What a version is given of each request, or what is lacking. */
async function factsOf(decisions: readonly DecisionRow[], { step: { needs } }: ActiveStep, recorded: Recorded) {
  const reads = needs.includes(MESSAGES);
  const contents = reads ? await recorded(decisions.map(({ request }) => request)) : new Map<string, never>();
  return decisions.map((decision): { readonly decision: DecisionRow; readonly facts: Readonly<Record<string, unknown>> | Gap } => {
    const { facts, request } = decision;
    // An answer is not there yet before the call, then as now.
    const needed = needs.filter((need) => need !== MESSAGES && need !== "response");
    if (facts === null || !needed.every((need) => Object.hasOwn(facts, need))) return { decision, facts: "facts_missing" };
    if (!reads) return { decision, facts };
    const content = contents.get(request);
    if (!content) return { decision, facts: "content_not_logged" };
    return { decision, facts: content.altered ? "content_altered" : { ...facts, [MESSAGES]: content.said } };
  });
}

/** What counted of each request: the version in force, where one was, and else the one that looked on. */
function onePerRequest(decisions: readonly DecisionRow[]): readonly DecisionRow[] {
  const inForceFirst = decisions.toSorted((a, b) => Number(a.mode === "shadow") - Number(b.mode === "shadow"));
  return [...Map.groupBy(inForceFirst, ({ request }) => request).values()].map(([first]) => first!);
}
