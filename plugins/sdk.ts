/**
 * Everything that a policy is made of. A policy is a module whose default export says its name, its version, what it needs to know and
 * what it decides:
 *
 * ```ts
 * import { definePolicy } from "#plugin-sdk";
 *
 * export default definePolicy({
 *   name: "no-tools",
 *   version: "1.0.0",
 *   needs: ["request"],
 *   evaluate: ({ request }) => (request.tools ? { allowed: false, reason: "Tools are not allowed here." } : { allowed: true }),
 *   tests: [{ context: { request: { tools: true } }, expect: { allowed: false } }],
 * });
 * ```
 *
 * Policies run in a machine of their own: plain JavaScript and nothing of a host. There is no network, no timer, no `Intl` and no `eval`;
 * `Date.now()` is always 0 and `Math.random()` gives the same numbers each time, so that a decision can be replayed. The time is a fact
 * like others: declare `clock` for the minute, or `time` for the moment. A policy that needs nothing beside `clock`, `key`, `metadata` and `request` is
 * not asked again while they are what they were, which makes it all but free. What a policy remembers is gone with the evaluation; to count across requests, declare a counter.
 */

/** What a policy may ask to be told. What it does not declare it is not given. */
export type Need =
  | "time"
  | "clock"
  | "key"
  | "budget"
  | "estimate"
  | "request"
  | "messages"
  | "metadata"
  | "response"
  | `counters:${string}`;

/**
 * The time of the request, as a clock on the wall of a zone shows it: that of the setting `time_zone`, such as `Asia/Tokyo`, which the policy
 * declares in its `config`, else UTC.
 */
export interface Time {
  /** Milliseconds since 1970, UTC. */
  readonly now: number;
  /** The same moment as ISO 8601, UTC. */
  readonly iso: string;
  readonly time_zone: string;
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  /** 1 is Monday, 7 is Sunday. */
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Who is asking. */
export interface Key {
  readonly id: string;
  readonly name: string;
  readonly team: string;
  readonly user: string | null;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** The customer's customer, where the request names one. */
  readonly end_user: string | null;
  readonly session: string | null;
}

/** One budget that binds the key, as it stood before this request. Amounts are decimal text: US dollars or tokens, as `unit` says. */
export interface Budget {
  readonly id: string;
  readonly scope: { readonly kind: "deployment" | "team" | "user" | "key" | "tag" | "end_user" | "task"; readonly id: string };
  readonly window: unknown;
  readonly unit: string;
  readonly limit: string;
  readonly spent: string;
  readonly reserved: string;
  readonly remaining: string;
  readonly resets_at: string | null;
}

/** What the request will come to. Amounts are decimal text in US dollars. */
export interface Estimate {
  readonly input_tokens: number;
  readonly max_output_tokens: number;
  readonly expected_usd: string;
  /** The most that it can come to, which is what its budgets reserve. */
  readonly most_usd: string;
  readonly price_state: "priced" | "free" | "unknown";
}

/** What is asked for, without what is said. */
export interface Request {
  readonly operation:
    | "chat.completions"
    | "completions"
    | "responses"
    | "embeddings"
    | "messages"
    | "count_tokens"
    | "images.generations"
    | "images.edits"
    | "images.variations"
    | "audio.speech"
    | "audio.transcriptions"
    | "audio.translations"
    | "moderations"
    | "rerank";
  /** The model as the caller names it, which may be an alias of the deployment's. */
  readonly requested: string;
  /** The provider that will be called. */
  readonly provider: string;
  /** The model that will be called, by the provider's name for it. Judge this one: no alias leads around it. */
  readonly model: string;
  readonly stream: boolean;
  /** The caller's own limit of output; null where there is none. */
  readonly max_tokens: number | null;
  readonly tools: boolean;
  /** The numbers, switches and short texts of the body, such as `temperature`. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Something that somebody said. */
export interface Message {
  readonly role: string;
  readonly text: string;
}

/** What the request says about itself. */
export interface Metadata {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

/** A whole answer, which `onResponse` judges. */
export interface Answer {
  readonly texts: readonly Message[];
}

/** A stretch of a stream, which `onChunk` judges before it goes on to the caller. */
export interface Stretch {
  /** What has gone already stands in front, so that what lies across two stretches can be seen. */
  readonly text: string;
  /** Characters in front that have gone, and can be changed no more. */
  readonly gone: number;
  /** Nothing follows. */
  readonly last: boolean;
}

/**
 * A counter of the host's: requests in a window that slides. The settings say of what: `per`, which is `key` (the default), `team`, `user`
 * or `end_user`, and `window_s`, its length in seconds, 60 where nothing is said.
 */
export interface Count {
  /** Requests in the window, this one among them: no two requests are told the same number. */
  readonly count: number;
  readonly window_s: number;
  /** Seconds until the oldest of them leaves the window. */
  readonly resets_in_s: number;
}

interface Facts {
  readonly time: Time;
  /** The same without a second hand: `second` is 0, and `now` the beginning of the minute. */
  readonly clock: Time;
  readonly key: Key;
  readonly budget: readonly Budget[];
  readonly estimate: Estimate;
  readonly request: Request;
  readonly messages: readonly Message[];
  readonly metadata: Metadata;
}

type CounterName<Needs extends Need> = Needs extends `counters:${infer Name}` ? Name : never;
type Counters<Needs extends Need> = [CounterName<Needs>] extends [never] ? unknown : { readonly counters: { readonly [Name in CounterName<Needs>]: Count } }; // prettier-ignore

/** What `evaluate` is given: the policy's settings, and the facts that it declared. */
export type Context<Needs extends Need, Config> = Pick<Facts, Extract<Needs, keyof Facts>> & Counters<Needs> & { readonly config: Config };
type Judged<Needs extends Need, Said> = "response" extends Needs ? { readonly response: Said } : unknown;
/** What `onResponse` is given: with `response` among the needs, the whole answer. */
export type AnswerContext<Needs extends Need, Config> = Context<Needs, Config> & Judged<Needs, Answer>;
/** What `onChunk` is given: with `response` among the needs, the stretch that is about to go. */
export type StretchContext<Needs extends Need, Config> = Context<Needs, Config> & Judged<Needs, Stretch>;

/**
 * What a policy that allows may ask for besides. There are no others, and none of them names an address.
 *
 * Where policies of a chain ask for different things: the smallest limit holds, every redaction and tag, and of routes the first in order.
 */
export type Obligation =
  /** Every place where `text` stands, 1 to 128 characters, is written as `with`, else as `[redacted]`: in the prompt, or in the answer. */
  | { readonly type: "redact"; readonly text: string; readonly with?: string }
  /** Another model is asked, by the name that a caller could have used. */
  | { readonly type: "route"; readonly target: string }
  /** The answer may have `max_tokens` at most; the key may make `rpm` requests a minute at most. */
  | { readonly type: "limit"; readonly max_tokens?: number; readonly rpm?: number }
  /** The request is recorded with these tags, up to 16 of letters, digits and `_.:=@-`. */
  | { readonly type: "tag"; readonly tags: readonly string[] }
  /** A person must agree first. A request that cannot wait is refused, and told that this is why. */
  | { readonly type: "require_approval"; readonly reason: string };

/** What a policy decides. Any other member, or a value of another kind, is a failure of the policy. */
export interface Decision {
  readonly allowed: boolean;
  /** What the caller is told: one line of up to 512 characters. */
  readonly reason?: string;
  /** What the caller is told for programs, and the log keeps: plain data, up to 16 deep. The whole decision may have 64 KB. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Only heeded where the policy allows. */
  readonly obligations?: readonly Obligation[];
}

type MaybePromise<Value> = Value | Promise<Value>;

/** JSON Schema of one setting; its `default` is filled in where a setting is not given. */
export interface SettingSchema {
  readonly type?: "string" | "number" | "integer" | "boolean" | "array" | "object";
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly items?: SettingSchema;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

/** JSON Schema of a policy's settings. */
export interface ConfigSchema {
  readonly type: "object";
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly required?: readonly string[];
}

type Setting<Schema> = Schema extends { readonly enum: readonly (infer Value)[] }
  ? Value
  : Schema extends { readonly type: "string" }
    ? string
    : Schema extends { readonly type: "number" | "integer" }
      ? number
      : Schema extends { readonly type: "boolean" }
        ? boolean
        : Schema extends { readonly type: "array"; readonly items: infer Item }
          ? readonly Setting<Item>[]
          : Schema extends { readonly type: "object"; readonly properties: infer Properties }
            ? { readonly [Name in keyof Properties]?: Setting<Properties[Name]> }
            : unknown;

type Given<Schema, Name> = Schema extends { readonly required: readonly (infer Required)[] } ? (Name extends Required ? true : false) : false; // prettier-ignore

/** The settings that a schema describes: what is required or has a default is there. */
export type Config<Schema> = Schema extends { readonly properties: infer Properties }
  ? {
      readonly [Name in keyof Properties]: Properties[Name] extends { readonly default: unknown }
        ? Setting<Properties[Name]>
        : Given<Schema, Name> extends true
          ? Setting<Properties[Name]>
          : Setting<Properties[Name]> | undefined;
    }
  : Readonly<Record<string, unknown>>;

/** A policy's own test, which runs whenever it is registered: one that does not hold keeps it from being uploaded. */
export interface Test {
  readonly name?: string;
  /** The first stage that the policy has, where nothing is said. */
  readonly stage?: "evaluate" | "onResponse" | "onChunk";
  /** Settings, as an operator would give them. */
  readonly config?: Readonly<Record<string, unknown>>;
  /**
   * The facts, or as much of them as the policy looks at; none that it does not declare. Of `time` a moment is enough, as `now` or as `iso`:
   * `{ iso: "2026-01-04T00:30:00+09:00" }` is told by the clock of the setting `time_zone`, as it would be in traffic.
   */
  readonly context: Readonly<Record<string, unknown>>;
  /** What must be so of the decision; what is not named may be anything. */
  readonly expect: Partial<Decision>;
}

/** What a policy says of itself, whatever its shape. */
export interface Identity<Needs extends Need, Schema extends ConfigSchema> {
  /** Small letters, digits and hyphens, up to 63. */
  readonly name: string;
  /** Three numbers. A version never changes; a change is a new version. */
  readonly version: string;
  /** Lower runs first; 100 where nothing is said. The first denial ends the chain. */
  readonly priority?: number;
  /** Among policies of equal priority: `all` denies if it denies; of those that say `any`, one that allows is enough. */
  readonly compose?: "all" | "any";
  readonly needs?: readonly Needs[];
  /** JSON Schema of the settings. */
  readonly config?: Schema;
  readonly tests?: readonly Test[];
}

/** A policy. At least one of `evaluate`, `onResponse` and `onChunk` is there; each may be async. */
export interface Policy<Needs extends Need = Need, Schema extends ConfigSchema = ConfigSchema> extends Identity<Needs, Schema> {
  /** Runs once for each set of settings. What is made ready here is there, unchanged, at the beginning of every evaluation. */
  onLoad?(config: Config<Schema>): MaybePromise<void>;
  /**
   * Runs once, when the policy is registered, after its tests: what it throws, or burns beyond what loading may, refuses the policy. In traffic
   * there is nothing to unload, since nothing that an evaluation does outlives it, and nobody calls it.
   */
  onUnload?(): MaybePromise<void>;
  /** Before the call: may it be made? */
  evaluate?(context: Context<Needs, Config<Schema>>): MaybePromise<Decision>;
  /** After it: may the answer go to the caller? */
  onResponse?(context: AnswerContext<Needs, Config<Schema>>): MaybePromise<Decision>;
  /** While it streams: may this stretch go on? */
  onChunk?(context: StretchContext<Needs, Config<Schema>>): MaybePromise<Decision>;
}

/** Declares a policy as a plain object: the types of its context follow from its `needs` and its `config`. */
export function definePolicy<const Needs extends Need = never, const Schema extends ConfigSchema = ConfigSchema>(
  policy: Policy<Needs, Schema>,
): Policy<Needs, Schema> {
  return policy;
}

/** A policy as a class: extend it, and export the class or an instance of it as the default. */
export abstract class PolicyPlugin {
  abstract readonly name: string;
  abstract readonly version: string;
  readonly priority?: number;
  readonly compose?: "all" | "any";
  readonly needs?: readonly Need[];
  readonly config?: ConfigSchema;
  readonly tests?: readonly Test[];
}

/** A policy in the shape of a Worker's entrypoint: a class with the members of a policy. It has no bindings and no execution context. */
export abstract class WorkerEntrypoint extends PolicyPlugin {}
