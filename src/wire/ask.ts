import { type Capability, type Dialect, isSurface, type Surface } from "#core";
import { governed, readBody } from "./body.ts";
import type { Ask, Body, OutputCap } from "./contract.ts";
import { readCount, readFlag, readModel, readObject, readText, requireList, requirePresent, wrong } from "./fields.ts";
import { readSurfaceAsk } from "./surface-ask.ts";
import { CONTENT, isUncountable } from "./uncountable.ts";

/** What is text for text. */
type TextCapability = Exclude<Capability, Surface>;

const encoder = new TextEncoder();

/** What the gateway reads of one capability's requests; every other field is the provider's business. */
interface Grammar {
  readonly dialect: Dialect;
  readonly caps: readonly string[];
  readonly counts: readonly string[];
  readonly streams: boolean;
  /** Where the caller names its own user. */
  readonly endUser: readonly string[];
  /** Objects of which one field is read. */
  readonly inner: Readonly<Record<string, string>>;
  readonly prompt: string;
  readonly promptIsList: boolean;
  /** Fields that refer to what the body's bytes do not bound. */
  readonly references: readonly string[];
  /** Fields that set the price of a token, the service tier first. */
  readonly tiers: readonly string[];
}

const OPENAI_USER = ["safety_identifier", "user"] as const;
const TIERS = ["service_tier"] as const;
const NOTHING = {
  caps: [],
  counts: [],
  streams: false,
  endUser: [],
  inner: {},
  promptIsList: false,
  references: [],
  tiers: TIERS,
} as const;

const GRAMMARS: Readonly<Record<TextCapability, Grammar>> = {
  "chat.completions": {
    dialect: "openai-chat",
    caps: ["max_completion_tokens", "max_tokens"],
    counts: ["n"],
    streams: true,
    endUser: OPENAI_USER,
    inner: { stream_options: "include_usage" },
    prompt: "messages",
    promptIsList: true,
    references: ["audio", "web_search_options", "search_parameters", "plugins"],
    tiers: TIERS,
  },
  responses: {
    ...NOTHING,
    dialect: "openai-responses",
    caps: ["max_output_tokens"],
    streams: true,
    endUser: OPENAI_USER,
    prompt: "input",
    references: ["previous_response_id", "conversation", "prompt"],
  },
  completions: {
    ...NOTHING,
    dialect: "openai-completions",
    caps: ["max_tokens"],
    counts: ["n", "best_of"],
    streams: true,
    endUser: OPENAI_USER,
    inner: { stream_options: "include_usage" },
    prompt: "prompt",
  },
  embeddings: { ...NOTHING, dialect: "openai-embeddings", endUser: OPENAI_USER, prompt: "input" },
  messages: {
    ...NOTHING,
    dialect: "anthropic",
    caps: ["max_tokens"],
    streams: true,
    inner: { metadata: "user_id" },
    prompt: "messages",
    promptIsList: true,
    references: ["mcp_servers", "container"],
    tiers: [...TIERS, "speed", "inference_geo"],
  },
  count_tokens: { ...NOTHING, dialect: "anthropic", prompt: "messages", promptIsList: true },
};

/**
 * Reads what the gateway must know of a request. `contentType` tells forms from JSON, where a route takes forms at all.
 * @throws TollgateError `invalid_request` naming the field: wrong type, missing, or a governed key that stands twice.
 */
export function readAsk(capability: Capability, bytes: Uint8Array, contentType: string | null = null): Ask {
  if (isSurface(capability)) return readSurfaceAsk(capability, bytes, contentType);
  const body = readBody(bytes);
  refuseDuplicates(body, GRAMMARS[capability]);
  return askOf(capability, body);
}

/**
 * The request of a body that was made here, of what a client's body said: the text is not read again, as it says nothing else and nothing
 * twice. `value` holds what JSON can say and no more.
 */
export function madeAsk(capability: TextCapability, value: Body["value"]): Ask {
  const text = JSON.stringify(value);
  return askOf(capability, { bytes: encoder.encode(text), text, value });
}

function askOf(capability: TextCapability, body: Body): Ask {
  const grammar = GRAMMARS[capability];
  const fields = body.value;
  const model = readModel(fields);
  requirePrompt(capability, fields, grammar);
  if (capability === "responses") requireForeground(fields);
  return {
    capability,
    dialect: grammar.dialect,
    model,
    stream: grammar.streams && readFlag(fields, "stream"),
    outputCaps: grammar.caps.flatMap((name): OutputCap[] => {
      const tokens = readCount(fields, name, 0);
      return tokens === null ? [] : [{ name, tokens }];
    }),
    choices: choicesOf(fields, grammar),
    wantsUsage:
      "stream_options" in grammar.inner && readFlag(readObject(fields, "stream_options"), "include_usage", "stream_options.include_usage"),
    endUser: endUserOf(fields, grammar),
    serviceTier: tierOf(fields, grammar),
    promptBytes: body.bytes.byteLength,
    uncountable: isUncountable(fields, grammar.references),
    tools: [fields["tools"], fields["functions"]].some((list) => Array.isArray(list) && list.length > 0),
    extent: null,
    body,
  };
}

function requireForeground(fields: Body["value"]): void {
  readFlag(fields, "store");
  if (readFlag(fields, "background")) {
    throw wrong("background", "is not offered: an answer that nobody streams back could not be metered");
  }
}

/** A duplicate of a key that the gateway reads could be judged by one parser and billed by another. */
function refuseDuplicates({ text }: Body, grammar: Grammar): void {
  const judged = [...grammar.caps, ...grammar.counts, ...grammar.endUser, ...grammar.references];
  const outer = ["model", "stream", ...grammar.tiers, "background", "store", "functions", ...CONTENT, ...judged];
  const found = governed(text, 0, new Set([...outer, ...Object.keys(grammar.inner)]));
  for (const [name, field] of Object.entries(grammar.inner)) {
    const object = found.get(name);
    if (object && text[object.valueStart] === "{") governed(text, object.valueStart, new Set([field]), `${name}.`);
  }
}

function requirePrompt(capability: TextCapability, fields: Body["value"], { prompt, promptIsList }: Grammar): void {
  if (promptIsList) requireList(fields, prompt);
  else if (capability === "embeddings") requirePresent(fields, prompt);
}

/** How many whole outputs may be billed: `n` or `best_of`, for each of the prompts of a legacy completion. */
function choicesOf(fields: Body["value"], { counts, prompt }: Grammar): number {
  const asked = Math.max(1, ...counts.map((name) => readCount(fields, name, 1) ?? 1));
  const prompts = counts.includes("best_of") ? fields[prompt] : null;
  const several = Array.isArray(prompts) && typeof prompts[0] !== "number" ? Math.max(1, prompts.length) : 1;
  return asked * several;
}

/** The tier that was asked for; where other fields than it set the price too, their words joined to it. Null where none is named. */
function tierOf(fields: Body["value"], { tiers }: Grammar): string | null {
  const [tier, ...others] = tiers.map((name) => readText(fields, name));
  const special = others.filter((each) => each !== null && !USUAL.has(each));
  return [tier ?? [], special].flat().join("+") || null;
}

/** Words for what costs nothing more. */
const USUAL = new Set<unknown>(["standard", "global"]);

function endUserOf(fields: Body["value"], { endUser, inner }: Grammar): string | null {
  const named = endUser.map((name) => readText(fields, name)).find((text) => text !== null && text !== "");
  if (named !== undefined && named !== null) return named;
  return "metadata" in inner ? readText(readObject(fields, "metadata"), "user_id", "metadata.user_id") || null : null;
}
