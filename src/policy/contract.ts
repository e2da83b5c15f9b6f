import type { Failure, Judged, Stage } from "./engine/contract.ts";
import type { Obligation } from "./obligations.ts";

/** One active policy, as the chain walks it: whose canary it is has been decided before. */
export interface Step extends Judged {
  readonly version: string;
  /** Lower runs first; equal numbers are one group. */
  readonly priority: number;
  /** How it stands in its group: each `all` binds by itself, of those that say `any` one that allows is enough. */
  readonly compose: "all" | "any";
  /** A shadow is asked and recorded, and changes nothing. */
  readonly mode: "enforce" | "shadow";
  /** What a failure comes to. */
  readonly onError: "deny" | "allow";
  readonly stages: readonly Stage[];
}

/** What one step came to. */
export interface Finding {
  readonly step: Step;
  readonly outcome: "allowed" | "denied" | "failed";
  /** `unavailable` is of a shadow alone: what it needs could not be read. One that enforces lets nothing pass then. */
  readonly failure: Failure | "unavailable" | null;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly obligations: readonly Obligation[];
  readonly fuel: number;
  /** What it wrote to its console. */
  readonly logs: string;
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
