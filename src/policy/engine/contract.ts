/** What a policy is asked about: a request before it is sent, a whole answer, a stretch of a stream. */
export const STAGES = ["evaluate", "onResponse", "onChunk"] as const;
export type Stage = (typeof STAGES)[number];

/** A policy as the engine runs it: one bundled ES module, the SDK inlined, named by the hash of its source. */
export interface Plugin {
  readonly hash: string;
  readonly source: string;
}

/** What a module said of itself when it was registered. */
export interface Described {
  readonly name: string;
  readonly version: string;
  /** Lower runs first. */
  readonly priority: number;
  readonly compose: "all" | "any";
  readonly needs: readonly string[];
  readonly stages: readonly Stage[];
  /** JSON Schema of its settings. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly loadFuel: number;
  readonly tests: { readonly passed: number; readonly failed: number };
}

/** What a policy answered, as the engine read it; what its obligations mean is judged by the chain. */
export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly obligations: readonly unknown[];
}

/** Why a policy gave no decision that counts. */
export type Failure = "fuel" | "memory" | "timeout" | "invalid_decision" | "threw" | "never_settled";

/** One evaluation as the engine ran it. Its fuel is the same on every machine. */
export interface Evaluation {
  readonly fuel: number;
  readonly result:
    | { readonly kind: "decision"; readonly value: Decision }
    | { readonly kind: "failed"; readonly failure: Failure; readonly message: string };
  /** What the policy wrote to its console; absent where that is nothing. */
  readonly logs?: string;
}

/** The facts that policies declare as needs, by need. A policy is given those it declared and nothing else. */
export interface Facts {
  readonly shared: Readonly<Record<string, unknown>>;
  /** Facts that are a policy's own, such as its counters, by its name: they come before the shared ones. */
  readonly own: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Facts as policies are given them: each as JSON, by its need. */
export interface Written {
  readonly shared: Readonly<Record<string, string>>;
  readonly own: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What the engine must know of a step of a chain. */
export interface Judged {
  readonly policy: string;
  readonly hash: string;
  readonly needs: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** How a chain is walked to what it comes to: it yields each step that is to be asked, and is told what came of it. */
export type Walk<Step extends Judged, Outcome> = (steps: readonly Step[]) => Generator<Step, Outcome, Evaluation>;

/** Walks a chain with answers that are there at once. */
export function walked<Step extends Judged, Outcome>(
  walk: Generator<Step, Outcome, Evaluation>,
  answer: (step: Step) => Evaluation,
): Outcome {
  // prettier-ignore
  for (let next = walk.next(); ; next = walk.next(answer(next.value))) if (next.done) return next.value;
}

/** Walks a chain as far as it is known; null where it comes to a step of which nothing is. */
export function reached<Step extends Judged, Outcome>(
  walk: Generator<Step, Outcome, Evaluation>,
  answer: (step: Step) => Evaluation | null,
): { readonly outcome: Outcome } | null {
  for (let next = walk.next(); ;) {
    if (next.done) return { outcome: next.value };
    const evaluation = answer(next.value);
    if (!evaluation) return null;
    next = walk.next(evaluation);
  }
}
