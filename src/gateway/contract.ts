import type { LedgerStub } from "#budget";
import type { Config } from "#config";
import type { Caller } from "#core";
import type { Event } from "#audit";
import type { Estimators, TokenCounts } from "#estimate";
import type { Bounds, Limits, Price, Target } from "#models";
import type { ActivePolicies, ActiveStep, Counters, Duties, Judge } from "#policy";
import type { Upstream } from "#providers";
import type { Responses } from "#responses";
import type { Health, Perseverance } from "#routes";
import type { DirectoryCache } from "./directory.ts";
import type { Spoken } from "./translate.ts";
import type { Counted } from "./facts.ts";
import type { Judgement } from "./judgement.ts";

/** Everything one inference request is served with; capabilities are given, never reached for. */
export interface Gateway {
  readonly config: Config;
  readonly directory: DirectoryCache;
  readonly estimators: Estimators;
  readonly ledger: (team: string) => LedgerStub;
  /** How the places do that requests may fall back from. */
  readonly health: Health;
  /** Asks a chain of policies; never asked where no policy is active for the caller. */
  readonly judge: Judge;
  /** What the policies of a team count. */
  readonly counters: (team: string) => Counters;
  /** What each key may name again; asked only where a request of Responses leaves or names something. */
  readonly responses: Responses;
  /** Delivers an event that no ledger will: a request that was refused before anything was reserved. */
  readonly record: (event: Event) => Promise<void>;
  readonly now: () => number;
  /** Keeps the isolate alive for work that outlasts the answer. */
  readonly background: (work: Promise<unknown>) => void;
}

/** Facts of one request beside its body. */
export interface Arrival {
  readonly id: string;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly caller: Caller;
  /** Reads the caller's facts anew, when the ledger finds them stale. */
  reauthenticate(): Promise<Caller>;
  readonly headers: Headers;
  readonly search: string;
  readonly signal: AbortSignal;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly endUser: string | null;
  readonly session: string | null;
  readonly timeoutMs: number | null;
  /** The most that the caller lets this request cost, in nano-USD. */
  readonly costMax: number | null;
  /** The caller wants the cost inside the answer's usage. */
  readonly costInUsage: boolean;
}

/** One request with all decided but its money: who asks, which upstream answers, at which price. */
export interface Draft extends Spoken {
  readonly arrival: Arrival;
  readonly caller: Caller;
  readonly target: Target;
  readonly upstream: Upstream;
  /** What the operator says of an alias's model; null for other names. */
  readonly limits: Limits | null;
  readonly price: Price;
  readonly tableHash: string;
  /** The prompt's tokens as estimated; none where counting is free. */
  readonly input: TokenCounts;
  readonly bounds: Bounds;
  /** The policies that this request, its answer and its stream are judged by, all of one read. */
  readonly policies: Enforcement;
  /** Where it may go instead; null where there is one place only, and one attempt. */
  readonly course: Course | null;
}

/** What a request falls back on: drafts for further targets, in order, each allowed to its caller. */
export interface Course {
  readonly perseverance: Perseverance;
  readonly rest: readonly Draft[];
}

/** The policies of one request and what they came to. */
export interface Enforcement {
  /** Empty where none is active for the caller. */
  readonly chain: readonly ActiveStep[];
  readonly active: ActivePolicies;
  readonly judgement: Judgement;
  /** What they cap the output at; null where they do not. */
  readonly outputMax: number | null;
  /** What they said of the first target, by which others are judged; null before, and where none is active. */
  readonly standing: Standing | null;
}

/** What a chain came to before a request was sent. */
export interface Standing {
  readonly counted: readonly Counted[];
  readonly duties: Duties;
}
