import type { Decision } from "#auto";
import type { LedgerStub } from "#budget";
import type { Cache, Facts } from "#cache";
import type { Config } from "#config";
import type { Content } from "#content";
import type { Caller, Nano } from "#core";
import type { Event, RequestEvent } from "#audit";
import type { Estimators, TokenCounts } from "#estimate";
import type { Bounds, Limits, Price, Receipt, Target } from "#models";
import type { ActivePolicies, ActiveStep, Counter, Counters, Facts as PolicyFacts, Judge, Obligation, Ticket } from "#policy";
import type { Guard, Upstream } from "#providers";
import type { Responses } from "#responses";
import type { Health, Perseverance } from "#routes";
import type { Pair, Spaces } from "#translation";
import type { Ask, CalledTool } from "#wire";
import type { DirectoryCache } from "./directory.ts";
import type { Judgement } from "./judgement.ts";
import type { Keeper } from "./keeper.ts";
import type { Timers } from "./timers.ts";

/** Everything one inference request is served with; capabilities are given, never reached for. */
export interface Gateway {
  readonly config: Config;
  readonly directory: DirectoryCache;
  /** What calls to providers may reach, and through what. */
  readonly outbound: Guard;
  readonly estimators: Estimators;
  readonly ledger: (team: string) => LedgerStub;
  /** How the places do that requests may fall back from. */
  readonly health: Health;
  /** Asks a chain of policies; never asked where no policy is active for the caller. */
  readonly judge: Judge;
  /** What the policies of a team count. */
  readonly counters: (team: string) => Counters;
  /** Answers that were given before. Never asked where the caller's key has no cache. */
  readonly cache: Cache;
  /** What each key may name again; asked only where a request of Responses leaves or names something. */
  readonly responses: Responses;
  /** Delivers an event that no ledger will: a request that was refused before anything was reserved. */
  readonly record: (event: Event) => Promise<void>;
  /** What governs a task's calls. */
  readonly governor: (task: string) => Promise<Governor>;
  /** Keeps what was said, for a key that has it logged. */
  readonly keep: (content: Content) => Promise<void>;
  readonly now: () => number;
  readonly timers: Timers;
  /** Whoever reads the answer may stand still for long: nothing is read far ahead of it. */
  readonly paced: boolean;
  /** Keeps the isolate alive for work that outlasts the answer. */
  readonly background: (work: Promise<unknown>) => void;
}

/** What governs the calls of one task: what its agent may use, and where what it does is taken down. Asked for no other request. */
export interface Governor {
  /** Whether the model may be told of a tool, by a function's name or the type of one of the vendor's own. */
  offers(tool: string): boolean;
  /**
   * Takes down calls of tools, before whoever called the model has them. Null where it may have them; else why its answer ends here.
   * What this throws ends the answer as well.
   */
  called(calls: readonly CalledTool[], place: CallsPlace): Promise<string | null>;
  /** Takes down what became of a call to a model. */
  settled(event: RequestEvent): Promise<void>;
}

/** Where calls of tools stand: in the answer to which request, and how many of it come before them. */
export interface CallsPlace {
  readonly request: string;
  readonly before: number;
}

/** What a caller says of one request beside its body. */
export interface Directions {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly endUser: string | null;
  readonly session: string | null;
  /** Milliseconds; null means the deployment's own. */
  readonly timeoutMs: number | null;
  /** The most that this request may cost; null means what the budgets allow. */
  readonly costMax: Nano | null;
  /** The cost goes into the answer's usage. */
  readonly costInUsage: boolean;
  /** Whether an answer may come out of the cache and into it; a lifetime in milliseconds, or null for the deployment's. */
  readonly cache: { readonly mode: "use" | "refresh" | "no-store"; readonly ttlMs: number | null };
}

/** Facts of one request beside its body. */
export interface Arrival extends Directions {
  readonly id: string;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly caller: Caller;
  /** Reads the caller's facts anew, when the ledger finds them stale. */
  reauthenticate(): Promise<Caller>;
  readonly headers: Headers;
  readonly search: string;
  readonly signal: AbortSignal;
  /** Present where a task calls. */
  readonly governor?: Governor;
}

/** That a provider answers in another dialect than its caller speaks. */
export interface Translation {
  readonly pair: Pair;
  /** Fields of the request that the provider's dialect has no words for. */
  readonly dropped: readonly string[];
  readonly requestId: string;
  /** The caller wants the usage at the end of a stream. */
  readonly includeUsage: boolean;
  /** Names of custom tools that the provider was told of as functions. */
  readonly custom: ReadonlySet<string>;
  /** Tools that the provider was told of under one name in place of two. */
  readonly spaces: Spaces;
  /** Whether responses are kept here at all. */
  readonly keeps: boolean;
  /** The id of a response, which a provider of another dialect gives none. */
  readonly responseId: string;
}

/** A request as it is sent, as it was asked, and what stands between the two: null where both are one. */
export interface Spoken {
  readonly ask: Ask;
  readonly asked: Ask;
  readonly translation: Translation | null;
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
  /** Why this model, where the caller left the choice; absent where it named one. */
  readonly auto?: Decision;
  /** The policies that this request, its answer and its stream are judged by, all of one read. */
  readonly policies: Enforcement;
  /** Where it may go instead; null where there is one place only, and one attempt. */
  readonly course: Course | null;
  readonly recall: Recall;
}

/** What a request falls back on: drafts for further targets, in order, each allowed to its caller. */
export interface Course {
  readonly perseverance: Perseverance;
  readonly rest: readonly Draft[];
}

/** What the cache has to do with a request. */
export interface Recall {
  readonly outcome: "bypass" | "miss" | "hit" | "coalesced";
  /** Tells the answer to the cache as it comes; null where it is not kept. */
  readonly keeper: Keeper | null;
  /** Of an answer that was made for another request; null for one of the request's own. */
  readonly original: Facts | null;
  /** What the answer cost when it was made, in USD; null where it saved nothing, or nobody knows yet. */
  savedUsd: string | null;
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

/** What a chain came to before a request was sent: of which draft, by what facts, and what it asks for. */
export interface Standing {
  readonly counts: Counts;
  readonly gathered: Gathered;
  readonly judged: Draft;
  readonly obligations: readonly Obligation[];
}

/** A ticket that a request took of a counter, for the policy that declares it. */
export interface Taken {
  readonly policy: string;
  /** The need that declares it. */
  readonly need: string;
  readonly counter: Counter;
  readonly ticket: Ticket;
}

/** Needs that could not be read, and that only shadows have: they are not asked, and the request goes on without them. */
export type Unread = ReadonlySet<string>;

/** Where a request was counted. */
export interface Counts {
  readonly taken: readonly Taken[];
  readonly unread: Unread;
}

/** What a chain is given. */
export interface Gathered {
  readonly facts: PolicyFacts;
  readonly unread: Unread;
}

/** What a request is billed. `chargedNano` stands where the amount is no receipt's sum, because nobody can say what the provider billed. */
export interface Bill {
  readonly receipt: Receipt;
  readonly status: "actual" | "estimated";
  readonly chargedNano?: number;
}
