/** What a policy that allows may ask for besides: a closed vocabulary, in which nothing is an address. */
export type Obligation =
  | { readonly type: "redact"; readonly text: string; readonly with: string }
  | { readonly type: "route"; readonly target: string }
  | { readonly type: "limit"; readonly max_tokens?: number; readonly rpm?: number }
  | { readonly type: "tag"; readonly tags: readonly string[] }
  | { readonly type: "require_approval"; readonly reason: string };

/** Characters of a text to be redacted, and of what takes its place: no more than a stream holds back. */
export const REDACT_MAX = 128;
const OBLIGATIONS_MAX = 256;
const TAGS_MAX = 16;
const COUNT_MAX = 1_000_000_000;
const REASON_MAX = 512;
const TARGET = /^[\w.@-]+(?:[/:][\w.@-]+)*$/;
const TAG = /^[\w.:=@-]{1,64}$/;
const REDACTED = "[redacted]";

type Fields = Readonly<Record<string, unknown>>;

/** Reads what a decision asks for; a sentence that says what is wrong where one item is not of the vocabulary. */
export function readObligations(given: readonly unknown[]): readonly Obligation[] | string {
  if (given.length > OBLIGATIONS_MAX) return `obligations: must hold at most ${OBLIGATIONS_MAX}`;
  const read: Obligation[] = [];
  for (const [at, item] of given.entries()) {
    const obligation = readOne(item);
    if (typeof obligation === "string") return `obligations.${at}${obligation}`;
    read.push(obligation);
  }
  return read;
}

function readOne(item: unknown): Obligation | string {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return ": must be an object";
  const { type, ...fields } = item as Fields;
  if (!isKnown(type)) return `.type: must be one of ${Object.keys(READERS).join(", ")}`;
  const { names, read } = READERS[type];
  const strange = Object.keys(fields).find((name) => !names.includes(name));
  return strange === undefined ? read(fields) : `.${strange.slice(0, 64)}: is not a known field`;
}

function isKnown(type: unknown): type is Obligation["type"] {
  return typeof type === "string" && Object.hasOwn(READERS, type);
}

/** How each item is read, and the fields that it may have. */
const READERS: Readonly<
  Record<Obligation["type"], { readonly names: readonly string[]; readonly read: (fields: Fields) => Obligation | string }>
> = {
  redact: {
    names: ["text", "with"],
    read({ text, with: instead = REDACTED }) {
      if (typeof text !== "string" || text === "" || text.length > REDACT_MAX) return `.text: must hold 1 to ${REDACT_MAX} characters`;
      if (typeof instead !== "string" || instead.length > REDACT_MAX) return `.with: must hold at most ${REDACT_MAX} characters`;
      if (instead.includes("://")) return ".with: must be no address";
      return { type: "redact", text, with: instead };
    },
  },
  route: {
    names: ["target"],
    read({ target }) {
      const named = typeof target === "string" && target.length <= 256 && TARGET.test(target);
      return named ? { type: "route", target } : ".target: must be the name of a model, and no address";
    },
  },
  limit: {
    names: ["max_tokens", "rpm"],
    read({ max_tokens, rpm }) {
      if (max_tokens === undefined && rpm === undefined) return ": must have max_tokens or rpm";
      if (max_tokens !== undefined && !isCount(max_tokens)) return ".max_tokens: must be a whole number of at least 1";
      if (rpm !== undefined && !isCount(rpm)) return ".rpm: must be a whole number of at least 1";
      return { type: "limit", ...(max_tokens === undefined ? {} : { max_tokens }), ...(rpm === undefined ? {} : { rpm }) };
    },
  },
  tag: {
    names: ["tags"],
    read({ tags }) {
      const named = Array.isArray(tags) && tags.length > 0 && tags.length <= TAGS_MAX;
      const sound = named && tags.every((tag): tag is string => typeof tag === "string" && TAG.test(tag));
      return sound ? { type: "tag", tags } : `.tags: must be 1 to ${TAGS_MAX} tags of 1 to 64 letters, digits and _.:=@-`;
    },
  },
  require_approval: {
    names: ["reason"],
    read({ reason = "" }) {
      if (typeof reason !== "string" || reason.length > REASON_MAX) return `.reason: must hold at most ${REASON_MAX} characters`;
      return { type: "require_approval", reason };
    },
  },
};

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= COUNT_MAX;
}

/** What the obligations of a chain come to together. */
export interface Duties {
  /** Each text once, the longest first, so that no shorter one spoils a longer one that holds it. */
  readonly redactions: readonly { readonly text: string; readonly with: string }[];
  readonly route: string | null;
  readonly maxTokens: number | null;
  readonly rpm: number | null;
  readonly tags: readonly string[];
  /** The reason of the first that demands it; null where none does. */
  readonly approval: string | null;
}

/** What there is to agree upon. */
export const DUTIES = ["redact", "route", "max_tokens", "rpm", "tag", "require_approval"] as const;

/** How two obligations of a chain agree. The documentation prints these words, and a test holds every pair to them. */
export const RULES = {
  union: "both hold; the same text or tag once, as the first says it",
  first: "the one that runs first holds",
  least: "the smaller number holds",
  both: "both hold: they touch different things",
  approval: "nothing is sent, so the other has nothing to change",
} as const;

/** How two obligations agree, for every pair; the rule of `a` and `b` is that of `b` and `a`. */
export function ruleOf(a: (typeof DUTIES)[number], b: (typeof DUTIES)[number]): keyof typeof RULES {
  if (a !== b) return a === "require_approval" || b === "require_approval" ? "approval" : "both";
  return SAME[a];
}

const SAME = {
  redact: "union",
  route: "first",
  max_tokens: "least",
  rpm: "least",
  tag: "union",
  require_approval: "first",
} as const satisfies Record<(typeof DUTIES)[number], keyof typeof RULES>;

const NO_DUTIES: Duties = { redactions: [], route: null, maxTokens: null, rpm: null, tags: [], approval: null };

/** Brings the obligations of a chain together, by the rules above; they come in the order of the chain. */
export function dutiesOf(obligations: readonly Obligation[]): Duties {
  if (obligations.length === 0) return NO_DUTIES;
  const of = <Type extends Obligation["type"]>(type: Type) =>
    obligations.filter((each): each is Extract<Obligation, { type: Type }> => each.type === type);
  const limits = of("limit");
  const redactions = new Map(
    of("redact")
      .map((each) => [each.text, each.with] as const)
      .toReversed(),
  );
  return {
    redactions: [...redactions].map(([text, instead]) => ({ text, with: instead })).toSorted((a, b) => b.text.length - a.text.length),
    route: of("route")[0]?.target ?? null,
    maxTokens: least(limits.map(({ max_tokens }) => max_tokens)),
    rpm: least(limits.map(({ rpm }) => rpm)),
    tags: [...new Set(of("tag").flatMap(({ tags }) => tags))],
    approval: of("require_approval")[0]?.reason ?? null,
  };
}

function least(numbers: readonly (number | undefined)[]): number | null {
  const known = numbers.filter((each) => each !== undefined);
  return known.length === 0 ? null : Math.min(...known);
}

/** An obligation as a log may hold it: what was to be redacted stays out of it. */
export function shown(obligation: Obligation): Readonly<Record<string, unknown>> {
  return obligation.type === "redact" ? { type: "redact", with: obligation.with } : { ...obligation };
}
