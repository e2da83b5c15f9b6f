import type { Obligation } from "./obligations.ts";

/** What a policy is asked about: a request before it is sent, a whole answer, a stretch of a stream. */
export const STAGES = ["evaluate", "onResponse", "onChunk"] as const;
export type Stage = (typeof STAGES)[number];

/** What a module said of itself when it was registered. */
export interface Described {
  readonly name: string;
  readonly version: string;
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

/** One evaluation as the engine ran it. */
export interface Evaluation {
  readonly fuel: number;
  readonly result:
    | { readonly kind: "decision"; readonly value: Decision }
    | { readonly kind: "failed"; readonly failure: Failure; readonly message: string };
}

/** One active policy, as the chain walks it: whose canary it is has been decided before. */
export interface Step {
  readonly policy: string;
  readonly version: string;
  readonly hash: string;
  /** Lower runs first; equal numbers are one group. */
  readonly priority: number;
  /** How it stands in its group: each `all` binds by itself, of those that say `any` one that allows is enough. */
  readonly compose: "all" | "any";
  /** A shadow is asked and recorded, and changes nothing. */
  readonly mode: "enforce" | "shadow";
  /** What a failure comes to. */
  readonly onError: "deny" | "allow";
  readonly stages: readonly Stage[];
  readonly needs: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What one step came to. */
export interface Finding {
  readonly step: Step;
  readonly outcome: "allowed" | "denied" | "failed";
  readonly failure: Failure | null;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly obligations: readonly Obligation[];
  readonly fuel: number;
}

/** What a chain came to. */
export interface Verdict {
  /** The denial that is told: the first by name of the group that ended the chain. */
  readonly denial: Finding | null;
  /** Of every step that ran: those that enforce in the order of the chain, then the shadows. */
  readonly findings: readonly Finding[];
  /** What the enforcing steps that allowed ask for, in the order of the chain; none where the chain was denied. */
  readonly obligations: readonly Obligation[];
}
