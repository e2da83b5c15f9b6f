import type { Finding, Step, Verdict } from "./contract.ts";
import type { Decision, Evaluation, Failure } from "./engine/contract.ts";
import { cleaned } from "./engine/read.ts";
import { readObligations } from "./obligations.ts";

/**
 * Walks a chain: ascending priority, equal priorities as one group of which every member runs. The first group that denies ends it.
 * Shadows run behind all that enforce, so that nothing they do, or burn, comes before a decision that counts.
 */
export function* walk(steps: readonly Step[]): Generator<Step, Verdict, Evaluation> {
  const findings: Finding[] = [];
  let denial: Finding | null = null;
  for (const group of groupsOf(steps.filter(({ mode }) => mode === "enforce"))) {
    const found = yield* askedOf(group);
    findings.push(...found);
    denial = denialOf(found);
    if (denial) break;
  }
  const obligations = denial ? [] : findings.flatMap(({ obligations }) => obligations);
  const shadows = yield* askedOf(ordered(steps.filter(({ mode }) => mode === "shadow")));
  return { denial, findings: [...findings, ...shadows], obligations };
}

function* askedOf(steps: readonly Step[]): Generator<Step, Finding[], Evaluation> {
  const found: Finding[] = [];
  for (const step of steps) found.push(findingOf(step, yield step));
  return found;
}

/** A stable order: what stands first among equals goes first. */
function ordered(steps: readonly Step[]): Step[] {
  return steps.toSorted((a, b) => a.priority - b.priority);
}

function groupsOf(steps: readonly Step[]): Iterable<Step[]> {
  return Map.groupBy(ordered(steps), ({ priority }) => priority).values();
}

/**
 * The denial of a group; null where it allows. A failure that is let through vouches for nothing: it neither denies, nor does it
 * stand for the one that allows among those that say `any`.
 */
function denialOf(group: readonly Finding[]): Finding | null {
  const anyAllows = group.some(({ step, outcome }) => step.compose === "any" && outcome === "allowed");
  const binding = group.filter((found) => denies(found) && !(found.step.compose === "any" && anyAllows));
  return binding.toSorted((a, b) => byName(a.step.policy, b.step.policy))[0] ?? null;
}

function denies({ step, outcome }: Finding): boolean {
  return outcome === "denied" || (outcome === "failed" && step.onError === "deny");
}

/** By code unit, so that the order is the same in every locale. */
function byName(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function findingOf(step: Step, { fuel, result, logs = "" }: Evaluation): Finding {
  if (result.kind === "failed") return failed(step, result.failure, { message: result.message, fuel, logs });
  const { allowed, reason, metadata, obligations }: Decision = result.value;
  const read = readObligations(obligations);
  if (typeof read === "string") return failed(step, "invalid_decision", { message: read, fuel, logs });
  return {
    step,
    outcome: allowed ? "allowed" : "denied",
    failure: null,
    reason: cleaned(reason),
    metadata,
    obligations: allowed ? read : [],
    fuel,
    logs,
  };
}

/** What was burnt and written before it failed. */
interface Burnt {
  readonly message: string;
  readonly fuel: number;
  readonly logs: string;
}

function failed(step: Step, failure: Failure, { message, fuel, logs }: Burnt): Finding {
  return { step, outcome: "failed", failure, reason: cleaned(message), metadata: {}, obligations: [], fuel, logs };
}
