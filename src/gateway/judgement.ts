import type { PolicyDecision } from "#audit";
import type { TollgateError } from "#core";
import { type ActiveStep, type Finding, shown, type Stage, type Verdict } from "#policy";

/** What a policy was given: as a digest, and as facts without what anybody said. */
export interface Given {
  readonly digest: string;
  factsFor(step: Finding["step"]): Readonly<Record<string, unknown>>;
}

/** Characters of JSON that one record of a decision has room for. */
const JSON_MAX = 4_096;
const WORST = { allowed: 0, failed: 1, denied: 2 } as const;

/** What the policies of one request said, as it goes: gathered for its record, and told to nobody before. */
export class Judgement {
  #decisions = new Map<string, PolicyDecision>();
  /** What was said of targets that the request did not go to after all. */
  readonly #elsewhere: PolicyDecision[] = [];
  /** An answer was refused after it had been paid for, and its record is on its way. */
  booked = false;
  /** Why a stream was stopped; null while it goes on. */
  stopped: TollgateError | null = null;

  /** Takes down what a chain came to at a stage. Of the stretches of a stream the worst counts, and their fuel is summed. */
  add(stage: Stage, { findings }: Verdict, { chain, given }: { readonly chain: readonly ActiveStep[]; readonly given: Given }): void {
    for (const finding of findings) {
      const active = chain.find(({ step }) => step.policy === finding.step.policy && step.mode === finding.step.mode);
      if (!active) continue;
      const name = `${stage} ${finding.step.policy} ${active.activatedAs}`;
      const before = this.#decisions.get(name);
      const now = decisionOf(finding, active, { stage, given });
      this.#decisions.set(name, before ? together(before, now) : now);
    }
  }

  /** What was said so far was said of another target: it stays on record, and the next is judged afresh. */
  moveOn(): void {
    this.#elsewhere.push(...this.#decisions.values());
    this.#decisions = new Map();
  }

  /** The records of a request's decisions; nothing where no policy was asked. */
  recordsOf(request: string): { readonly policies?: PolicyDecision[] } {
    const decisions = [...this.#elsewhere, ...this.#decisions.values()];
    if (decisions.length === 0) return {};
    const suffix = request.replace(/^req_/, "");
    return { policies: decisions.map((decision, at) => ({ ...decision, id: `dec_${suffix}_${at}` })) };
  }

  /** What a caller is told of the policies that its request passed. Shadows are not among them: they change nothing, this neither. */
  get header(): string | null {
    const enforced = [...this.#decisions.values()].filter(({ mode }) => mode !== "shadow");
    const told = enforced.map(({ policy, version, outcome }) => `${policy}@${version} ${outcome}`);
    return told.length === 0 ? null : [...new Set(told)].join(", ");
  }
}

function decisionOf(
  { step, outcome, failure, reason, metadata, obligations, fuel }: Finding,
  { scope, activatedAs }: ActiveStep,
  { stage, given }: { readonly stage: Stage; readonly given: Given },
): PolicyDecision {
  return {
    id: "",
    policy: step.policy,
    version: step.version,
    hash: step.hash,
    mode: activatedAs,
    scope: { kind: scope.scopeKind, id: scope.scopeId },
    stage,
    outcome,
    failure,
    reason,
    metadata: within(metadata) ?? { truncated: true },
    obligations: obligations.slice(0, 16).map((each) => ({ ...shown(each) })),
    fuel,
    contextDigest: given.digest,
    facts: within(given.factsFor(step)),
  };
}

/** The worse of two, with the fuel of both; a failure stands beside a denial, since neither may be silent. */
function together(a: PolicyDecision, b: PolicyDecision): PolicyDecision {
  const [worse, other] = WORST[b.outcome] > WORST[a.outcome] ? [b, a] : [a, b];
  const obligations = worse.obligations.length > 0 ? worse.obligations : other.obligations;
  return { ...worse, failure: worse.failure ?? other.failure, obligations, fuel: a.fuel + b.fuel };
}

function within<Value extends object>(value: Value): Value | null {
  return JSON.stringify(value).length <= JSON_MAX ? value : null;
}
