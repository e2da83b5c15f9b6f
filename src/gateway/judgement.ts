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

/** What one policy said at a stage, and what it was given. It becomes a record when its request is booked. */
interface Word {
  readonly finding: Finding;
  readonly active: ActiveStep;
  readonly stage: Stage;
  readonly given: Given;
}

/** What the policies of one request said, as it goes: gathered for its record, and told to nobody before. */
export class Judgement {
  #words = new Map<string, Word>();
  /** What was said of targets that the request did not go to after all. */
  readonly #elsewhere: Word[] = [];
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
      const before = this.#words.get(name);
      const now = { finding, active, stage, given };
      this.#words.set(name, before ? together(before, now) : now);
    }
  }

  /** What was said so far was said of another target: it stays on record, and the next is judged afresh. */
  moveOn(): void {
    this.#elsewhere.push(...this.#words.values());
    this.#words = new Map();
  }

  /** The records of a request's decisions; nothing where no policy was asked. */
  recordsOf(request: string): { readonly policies?: PolicyDecision[] } {
    const words = [...this.#elsewhere, ...this.#words.values()];
    if (words.length === 0) return {};
    const suffix = request.replace(/^req_/, "");
    return { policies: words.map((word, at) => decisionOf(word, `dec_${suffix}_${at}`)) };
  }

  /** What a caller is told of the policies that its request passed. Shadows are not among them: they change nothing, this neither. */
  get header(): string | null {
    const enforced = [...this.#words.values()].filter(({ active }) => active.activatedAs !== "shadow");
    const told = enforced.map(({ finding: { step, outcome } }) => `${step.policy}@${step.version} ${outcome}`);
    return told.length === 0 ? null : [...new Set(told)].join(", ");
  }
}

function decisionOf({ finding, active, stage, given }: Word, id: string): PolicyDecision {
  const { step, outcome, failure, reason, metadata, obligations, fuel } = finding;
  const { scope, activatedAs } = active;
  return {
    id,
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
function together(a: Word, b: Word): Word {
  const [worse, other] = WORST[b.finding.outcome] > WORST[a.finding.outcome] ? [b, a] : [a, b];
  const obligations = worse.finding.obligations.length > 0 ? worse.finding.obligations : other.finding.obligations;
  const failure = worse.finding.failure ?? other.finding.failure;
  return { ...worse, finding: { ...worse.finding, failure, obligations, fuel: a.finding.fuel + b.finding.fuel } };
}

function within<Value extends object>(value: Value): Value | null {
  return JSON.stringify(value).length <= JSON_MAX ? value : null;
}
