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

/** What a candidate would have said of requests that were. */
export interface Replay {
  readonly evaluated: number;
  readonly changed: number;
  /** Requests of which too little was kept: what a policy is given of their content is not. */
  readonly notReplayable: number;
  readonly changes: readonly Change[];
}

const CHANGES_MAX = 1_000;
const AT_ONCE = 8;

/** Asks a version about requests as its policy was asked about them then: the same facts, the time of then among them. */
export async function replay(judge: Judge, trial: ActiveStep, decisions: readonly DecisionRow[]): Promise<Replay> {
  const { needs } = trial.step;
  const requests = onePerRequest(decisions);
  const replayable = requests.filter(({ facts }) => facts !== null && needs.every((need) => Object.hasOwn(facts, need)));
  const changes: Change[] = [];
  for (let at = 0; at < replayable.length; at += AT_ONCE) {
    const found = await Promise.all(
      replayable.slice(at, at + AT_ONCE).map(async ({ request, outcome: before, facts }) => {
        const { outcome: after, reason } = await tryOut(judge, trial, { stage: "evaluate", facts: { shared: facts ?? {}, own: {} } });
        return { request, before, after, reason };
      }),
    );
    changes.push(...found.filter(({ before, after }) => before !== after));
  }
  return {
    evaluated: replayable.length,
    changed: changes.length,
    notReplayable: requests.length - replayable.length,
    changes: changes.slice(0, CHANGES_MAX),
  };
}

/** What counted of each request: the version in force, where one was, and else the one that looked on. */
function onePerRequest(decisions: readonly DecisionRow[]): readonly DecisionRow[] {
  const inForceFirst = decisions.toSorted((a, b) => Number(a.mode === "shadow") - Number(b.mode === "shadow"));
  return [...Map.groupBy(inForceFirst, ({ request }) => request).values()].map(([first]) => first!);
}
