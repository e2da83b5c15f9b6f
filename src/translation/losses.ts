import { type Dialect, TollgateError } from "#core";
import { type Fields, isIdle, type Json } from "./fields.ts";

/** The dialects between which is translated. */
export type Tongue = Extract<Dialect, "openai-chat" | "openai-responses" | "anthropic">;

/** A field that a dialect has and another cannot say, and what becomes of a request that sets it. */
export interface Loss {
  readonly from: Tongue;
  readonly to: readonly Tongue[];
  /** The field's path; `[]` stands for each of a list. */
  readonly field: string;
  /** `dropped` is listed in `x-tollgate-dropped`; `refused` is a 400 that names the field. */
  readonly fate: "dropped" | "refused";
  readonly why: string;
  /** Where a vendor says that it can be left out, or what it is, so that leaving it out changes no answer; null of what is refused. */
  readonly word: string | null;
  /** Values that ask for nothing, and so are no loss. */
  readonly idle?: readonly unknown[];
}

const OPENAI = ["openai-chat", "openai-responses"] as const;
const ANTHROPIC = ["anthropic"] as const;
const CHAT = ["openai-chat"] as const;
const RESPONSES = ["openai-responses"] as const;
const NOT_CHAT = ["anthropic", "openai-responses"] as const;
const NOT_RESPONSES = ["anthropic", "openai-chat"] as const;

const NO_FIELD = "changes what is sampled, and has no counterpart";
const STORED = "is stored beside the answer and changes nothing in it";
const CACHE_HINT = "is a hint to a cache; the answer is the same without it";
const STATE = "is state that the provider does not keep";
const PREFILL = "ends with the model's own words: Messages goes on with them, and every other dialect answers them";
const LATE = "moves before the conversation for models before Claude 4.8, which take instructions nowhere else";
const NO_ROOM = "leaves no room to think under the cap, or came with tool calls whose reasoning was left out";
const FOREIGN = "was not closed by the maker that answers, which could not take it back";
const GRAMMAR = "is told in the tool's description, where nothing enforces it";
const HOSTED = "names what only the vendor's own servers hold or run";

const CLAUDE = "https://platform.claude.com/docs/en";
const OPENAI_DOCS = "https://developers.openai.com/api/docs/guides";
/** The vendors' own words, by what they speak of. */
const WORDS = {
  compatible: `${CLAUDE}/cli-sdks-libraries/libraries/openai-sdk`,
  claudeCache: `${CLAUDE}/build-with-claude/prompt-caching`,
  claudeThoughts: `${CLAUDE}/build-with-claude/extended-thinking`,
  citations: `${CLAUDE}/build-with-claude/citations`,
  openaiCache: `${OPENAI_DOCS}/prompt-caching`,
  openaiThoughts: `${OPENAI_DOCS}/reasoning`,
  formats: `${OPENAI_DOCS}/structured-outputs`,
  customTools: `${OPENAI_DOCS}/function-calling#custom-tools`,
  chat: "https://platform.openai.com/docs/api-reference/chat/create",
  responses: "https://platform.openai.com/docs/api-reference/responses/create",
} as const;

function refused(from: Tongue, to: readonly Tongue[], fields: Record<string, readonly [why: string, ...idle: unknown[]]>): Loss[] {
  return Object.entries(fields).map(([field, [why, ...idle]]) => loss({ from, to, field, fate: "refused", why, word: null }, idle));
}

function dropped(
  from: Tongue,
  to: readonly Tongue[],
  fields: Record<string, readonly [why: string, word: string, ...idle: unknown[]]>,
): Loss[] {
  return Object.entries(fields).map(([field, [why, word, ...idle]]) => loss({ from, to, field, fate: "dropped", why, word }, idle));
}

function loss(loss: Loss, idle: readonly unknown[]): Loss {
  return idle.length > 0 ? { ...loss, idle } : loss;
}

/** Everything that translation loses. What stands neither here nor among the fields that are carried is refused as unknown. */
export const LOSSES: readonly Loss[] = [
  ...refused("openai-chat", NOT_CHAT, {
    frequency_penalty: [NO_FIELD, 0],
    presence_penalty: [NO_FIELD, 0],
    logit_bias: [NO_FIELD, {}],
    n: ["asks for several answers; one is made", 1],
    logprobs: ["is told by Chat Completions only", false],
    top_logprobs: ["is told by Chat Completions only", 0],
    audio: ["asks for a spoken answer"],
    modalities: ["asks for a spoken answer", ["text"]],
    web_search_options: [HOSTED],
    functions: ["is the older form of `tools`, which is translated"],
    function_call: ["is the older form of `tool_choice`, which is translated", "auto", "none"],
    "messages[].function_call": ["is the older form of `tool_calls`, which is translated"],
    "messages[].audio": ["refers to a spoken answer that only its maker holds"],
    "messages[].content[].type": ["is a kind of content without a counterpart"],
    "messages[].content[].file.file_id": [HOSTED],
    "tools[].type": ["is a kind of tool without a counterpart"],
    "messages[].tool_calls[].type": ["is a kind of call without a counterpart"],
    "tool_choice.type": ["is a kind of choice without a counterpart"],
  }),
  ...refused("openai-chat", ANTHROPIC, {
    temperature: ["may be at most 1 there"],
    service_tier: ["has no counterpart but for `auto` and `default`"],
    moderation: ["asks for a judgement that is not made there"],
    verbosity: ["has no counterpart", "medium"],
    "messages[]": [PREFILL],
    "messages[].content[].file.file_data": ["is neither a PDF nor text"],
  }),
  ...dropped("openai-chat", NOT_CHAT, {
    seed: ["is best effort by its own documentation", WORDS.chat],
    prediction: ["makes a known answer faster and changes nothing in it", `${OPENAI_DOCS}/predicted-outputs`],
    "messages[].annotations": [
      "told the reader where an earlier answer was found",
      "https://platform.openai.com/docs/api-reference/chat/object",
    ],
    "messages[].reasoning_details": [FOREIGN, WORDS.claudeThoughts],
  }),
  ...dropped("openai-chat", ANTHROPIC, {
    metadata: [STORED, WORDS.compatible],
    store: ["asks the provider to keep the answer", WORDS.compatible, false],
    prompt_cache_key: [CACHE_HINT, WORDS.openaiCache],
    prompt_cache_retention: [CACHE_HINT, WORDS.openaiCache],
    prompt_cache_options: [CACHE_HINT, WORDS.openaiCache],
    "response_format.json_object": ["is asked for in the system prompt instead; a schema is enforced", WORDS.compatible],
    "response_format.json_schema.name": ["labels the schema", WORDS.formats],
    reasoning_effort: [NO_ROOM, WORDS.compatible],
    "tools[].custom.format": [GRAMMAR, WORDS.customTools],
    "messages[].name": ["is an optional hint that nothing else refers to", WORDS.compatible],
    "messages[].role": [LATE, WORDS.compatible],
    "messages[].content[].image_url.detail": ["bounds what a picture costs; pictures are seen as they are", WORDS.compatible, "auto"],
  }),
  ...refused("openai-chat", RESPONSES, {
    stop: ["does not exist in Responses"],
    "messages[].name": ["tells participants of one role apart, which Responses does not"],
  }),
  ...dropped("openai-chat", RESPONSES, {
    "messages[].content[].cache_control": [CACHE_HINT, WORDS.claudeCache],
    "messages[].content[].prompt_cache_breakpoint": [CACHE_HINT, WORDS.openaiCache],
    "messages[].tool_calls[].cache_control": [CACHE_HINT, WORDS.claudeCache],
    "tools[].cache_control": [CACHE_HINT, WORDS.claudeCache],
  }),

  ...refused("anthropic", OPENAI, {
    top_k: [NO_FIELD],
    container: [HOSTED],
    mcp_servers: [HOSTED],
    inference_geo: ["promises where the answer is made", "global", "not_available"],
    speed: ["has no counterpart", "standard"],
    workspace_id: [HOSTED],
    user_profile_id: [HOSTED],
    "output_config.task_budget": ["has no counterpart"],
    "thinking.type": ["is a kind of thinking without a counterpart"],
    "messages[]": [PREFILL],
    "messages[].content[].type": ["is a kind of content without a counterpart"],
    "messages[].content[].source.type": [HOSTED],
    "messages[].content[].citations": ["asks for citations, which are not made there", { enabled: false }],
    "messages[].content[].context": ["has no counterpart"],
    "tools[].type": [HOSTED],
    "tools[].defer_loading": [HOSTED, false],
    "tools[].allowed_callers": [HOSTED, ["direct"]],
    "messages[].content[].caller": ["says that code of the vendor's own called", { type: "direct" }],
    "tool_choice.type": ["is a kind of choice without a counterpart"],
  }),
  ...refused("anthropic", CHAT, {
    stop_sequences: ["may hold at most 4 there"],
    "messages[].content[].source.url": ["is an address of a document; Chat Completions takes its content only"],
    "messages[].content[].source.data": ["is neither a PDF nor text"],
    "messages[].content[].content": ["is a picture or a document in a tool's result; Chat Completions takes text only"],
  }),
  ...refused("anthropic", RESPONSES, { stop_sequences: ["does not exist in Responses"] }),
  ...dropped("anthropic", OPENAI, {
    cache_control: [CACHE_HINT, WORDS.claudeCache],
    "system[].cache_control": [CACHE_HINT, WORDS.claudeCache],
    "messages[].content[].cache_control": [CACHE_HINT, WORDS.claudeCache],
    "tools[].cache_control": [CACHE_HINT, WORDS.claudeCache],
    diagnostics: ["asks why a cache was missed", `${CLAUDE}/build-with-claude/cache-diagnostics`],
    "metadata.user_id": [
      "is longer than the 64 characters that are taken there; the gateway's own records keep it",
      `${OPENAI_DOCS}/safety-best-practices#implement-safety-identifiers`,
    ],
    context_management: ["trims what is sent again of earlier turns; it is sent whole", `${CLAUDE}/build-with-claude/context-editing`],
    "thinking.display": [
      "thoughts that are not told need no hiding",
      `${CLAUDE}/build-with-claude/thinking#controlling-thinking-display`,
      "summarized",
    ],
    "messages[].content[].citations[]": ["told the reader where an earlier answer was found", WORDS.citations],
    "messages[].content[].thinking": [FOREIGN, WORDS.claudeThoughts],
    "tools[].eager_input_streaming": ["makes arguments arrive earlier", `${CLAUDE}/agents-and-tools/tool-use/fine-grained-tool-streaming`],
  }),

  ...refused("openai-responses", NOT_RESPONSES, {
    previous_response_id: [STATE],
    conversation: [STATE],
    prompt: [STATE],
    background: [STATE, false],
    max_tool_calls: ["counts calls of tools that the provider runs"],
    top_logprobs: ["has no counterpart", 0],
    truncation: ["cuts the conversation unseen", "disabled"],
    context_management: ["cuts the conversation unseen"],
    include: [HOSTED],
    image: ["asks for a picture"],
    access_programs: [HOSTED],
    "input[].type": ["is a kind of item without a counterpart"],
    "input[].content[].type": ["is a kind of content without a counterpart"],
    "input[].content[].file_id": [HOSTED],
    "tools[].type": [HOSTED],
    "tool_choice.type": ["is a kind of choice without a counterpart"],
  }),
  ...refused("openai-responses", ANTHROPIC, {
    temperature: ["may be at most 1 there"],
    service_tier: ["has no counterpart but for `auto` and `default`"],
    moderation: ["asks for a judgement that is not made there"],
    "text.verbosity": ["has no counterpart", "medium"],
    "input[]": [PREFILL],
    "input[].content[].file_data": ["is neither a PDF nor text"],
  }),
  ...refused("openai-responses", CHAT, {
    "input[].content[].file_url": ["is an address of a document; Chat Completions takes its content only"],
    "input[].content[].file_data": ["is neither a PDF nor text"],
    "input[].output": ["is a picture or a document in a tool's result; Chat Completions takes text only"],
  }),
  ...dropped("openai-responses", NOT_RESPONSES, {
    stream_options: ["pads events against eavesdroppers", WORDS.responses, { include_obfuscation: false }, { include_obfuscation: true }],
    client_metadata: [STORED, "https://github.com/openai/codex/blob/main/codex-rs/codex-api/src/common.rs"],
    "tools[].format": [GRAMMAR, WORDS.customTools],
    "reasoning.summary": ["chooses the length of a summary; thoughts are told as the provider tells them", WORDS.openaiThoughts],
    "input[].reasoning": [FOREIGN, WORDS.openaiThoughts],
    "input[].content[].annotations": ["told the reader where an earlier answer was found", WORDS.responses],
    "input[].content[].logprobs": ["told the reader how sure an earlier answer was", WORDS.responses],
    "input[].content[].prompt_cache_breakpoint": [CACHE_HINT, WORDS.openaiCache],
  }),
  ...dropped("openai-responses", ANTHROPIC, {
    prompt_cache_key: [CACHE_HINT, WORDS.openaiCache],
    prompt_cache_retention: [CACHE_HINT, WORDS.openaiCache],
    prompt_cache_options: [CACHE_HINT, WORDS.openaiCache],
    "text.format.json_object": ["is asked for in the system prompt instead; a schema is enforced", WORDS.compatible],
    "text.format.name": ["labels the schema", WORDS.formats],
    "reasoning.effort": [NO_ROOM, WORDS.compatible],
    "input[].role": [LATE, WORDS.compatible],
    "input[].content[].detail": ["bounds what a picture costs; pictures are seen as they are", WORDS.compatible, "auto"],
  }),
];

/** Header lists are short: a conversation may lose the same field in each of a thousand turns. */
const LISTED_MAX = 32;

/** The losses of one request on its way between two dialects. */
export class Losses {
  readonly from: Tongue;
  readonly to: Tongue;
  readonly #dropped = new Set<string>();

  constructor(from: Tongue, to: Tongue) {
    this.from = from;
    this.to = to;
  }

  /** The fields that were dropped, by the table's names. */
  get dropped(): readonly string[] {
    return [...this.#dropped].slice(0, LISTED_MAX);
  }

  /**
   * Loses a field: lists it, or refuses the request, as the table says.
   * @throws TollgateError `invalid_request` naming the field by `at`.
   */
  lose(field: string, at: string): void {
    const loss = this.#find(field);
    if (loss?.fate === "dropped") this.#dropped.add(field);
    else throw this.#refusal(at, loss?.why ?? "is not known to the translation");
  }

  /** The same of a field that may be absent, or hold what asks for nothing. */
  loseValue(field: string, at: string, value: unknown): void {
    if (isIdle(value)) return;
    const same = JSON.stringify(value);
    if (!this.#find(field)?.idle?.some((idle) => JSON.stringify(idle) === same)) this.lose(field, at);
  }

  /** Loses every field of `value` that is not among `carried`; `prefix` is how the table names where they stand. */
  loseRest(value: Json, carried: ReadonlySet<string>, { at = "", prefix = "" } = {}): void {
    for (const [field, each] of Object.entries(value))
      if (!carried.has(field)) this.loseValue(prefix + field, at === "" ? field : `${at}.${field}`, each);
  }

  /** The same of an object within a request. */
  loseRestOf({ value, at }: Fields, carried: string, prefix = at): void {
    this.loseRest(value, new Set(carried.split(" ")), { at, prefix: `${prefix}.` });
  }

  #find(field: string): Loss | undefined {
    return LOSSES.find((loss) => loss.from === this.from && loss.to.includes(this.to) && loss.field === field);
  }

  #refusal(at: string, why: string): TollgateError {
    const message = `${at} cannot be said in ${NAMES[this.to]}, which this model speaks: it ${why}`;
    return new TollgateError("invalid_request", message, { param: at });
  }
}

/** The dialects by the names that their vendors give them. */
export const NAMES: Readonly<Record<Tongue, string>> = {
  "openai-chat": "Chat Completions",
  "openai-responses": "Responses",
  anthropic: "Messages",
};
