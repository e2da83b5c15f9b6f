import { isObject } from "#core";
import type {
  CallPart,
  Conversation,
  DocumentPart,
  Format,
  ImagePart,
  Mark,
  Message,
  Part,
  ReasoningPart,
  ResultPart,
  Source,
  Tool,
} from "./conversation.ts";
import type { Dress } from "./dress.ts";
import type { Level } from "./effort.ts";
import { type Json, present } from "./fields.ts";
import { toolIdFor } from "./ids.ts";
import { argumentsOf, describedTo } from "./custom.ts";
import type { Losses } from "./losses.ts";
import { textOf } from "./media.ts";
import { Turns } from "./turns.ts";

/** Writes a request of Messages. @throws TollgateError `invalid_request` naming the caller's field that cannot be said. */
export function writeMessages(asked: Conversation, losses: Losses, dress: Dress): Json {
  const { leading, rest } = apart(asked, losses);
  const system = [...leading.flatMap(({ parts }) => parts.flatMap((part) => blockOf(part, losses))), ...jsonAsked(asked.format)];
  const maxTokens = asked.maxTokens ?? dress.maxTokens;
  if (asked.temperature !== null && asked.temperature > 1) losses.lose("temperature", "temperature");
  return {
    model: asked.model,
    max_tokens: maxTokens,
    messages: turnsOf(rest, losses),
    ...present({
      system,
      tools: asked.tools.map((tool) => toolOf(tool, losses)),
      ...choiceOf(asked),
      ...thinkingOf(asked, maxTokens, losses),
      temperature: asked.temperature,
      top_p: asked.topP,
      stop_sequences: asked.stop,
      metadata: present({ user_id: asked.endUser }),
      service_tier: asked.tier === "standard" ? "standard_only" : asked.tier,
      stream: asked.stream || null,
    }),
  };
}

/** JSON without a schema is asked for in words: OpenAI's JSON mode wants them in the prompt as well. */
function jsonAsked(format: Format | null): Json[] {
  return format?.kind === "json" ? [{ type: "text", text: "Answer with one JSON object and nothing else." }] : [];
}

/** Models that take instructions before the conversation only; later ones take them behind a turn of the user's as well. */
const EARLY_ONLY = /claude-(3|(opus|sonnet|haiku)-4(?!-[89]))/;

/** The messages that go before the conversation, and those that are in it. */
function apart(
  { messages, model }: Conversation,
  losses: Losses,
): { readonly leading: readonly Message[]; readonly rest: readonly Message[] } {
  const begins = messages.findIndex(({ role }) => role === "user" || role === "assistant");
  const from = begins === -1 ? messages.length : begins;
  if (!EARLY_ONLY.test(model)) return { leading: messages.slice(0, from), rest: messages.slice(from) };
  const instructs = ({ role }: Message) => role === "system" || role === "developer";
  const late = messages.slice(from).find(instructs);
  if (late) losses.lose(losses.from === "openai-chat" ? "messages[].role" : "input[].role", `${late.at}.role`);
  return { leading: messages.filter(instructs), rest: messages.filter((message) => !instructs(message)) };
}

/** A last turn of the model's own would be gone on with there, where every other dialect answers it. */
function turnsOf(messages: readonly Message[], losses: Losses): Json[] {
  const turns = new Turns();
  for (const { role, parts } of messages) {
    const content = parts.flatMap((part) => blockOf(part, losses));
    turns.add(role === "developer" ? "system" : role, content);
  }
  if (turns.all.at(-1)?.role === "assistant") losses.lose(losses.from === "openai-chat" ? "messages[]" : "input[]", messages.at(-1)!.at);
  return turns.all.map(({ role, content }) => ({ role, content: inOrder(content) }));
}

const FIRST: ReadonlySet<unknown> = new Set(["tool_result", "thinking", "redacted_thinking"]);

/** What a turn answers stands before what it adds: results in the user's, thoughts in the model's. */
function inOrder(content: readonly Json[]): readonly Json[] {
  return [...content.filter(({ type }) => FIRST.has(type)), ...content.filter(({ type }) => !FIRST.has(type))];
}

function marked(mark: Mark | undefined): Json {
  return mark ? { cache_control: { type: "ephemeral", ...(mark.ttl !== null && { ttl: mark.ttl }) } } : {};
}

function blockOf(part: Part, losses: Losses): Json[] {
  switch (part.kind) {
    case "text":
      return [{ type: "text", text: part.text, ...marked(part.mark) }];
    case "refusal":
      return [{ type: "text", text: part.text }];
    case "image":
      return [imageOf(part)];
    case "document":
      return [documentOf(part, losses)];
    case "call":
      return [{ type: "tool_use", id: toolIdFor(part.id), name: part.name, input: inputOf(part), ...marked(part.mark) }];
    case "result":
      return [resultOf(part, losses)];
    case "reasoning":
      return thoughtOf(part, losses);
  }
}

/** Arguments are an object there; what a model wrote that is none is told as it is. */
function inputOf({ input: text, custom }: CallPart): Json {
  if (custom) return argumentsOf(text);
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // A model may have been cut off in the middle of its arguments.
  }
  return { arguments: text };
}

function imageOf({ source, mark }: ImagePart): Json {
  return { type: "image", source: plainSource(source), ...marked(mark) };
}

function plainSource(source: Source): Json {
  return source.kind === "url" ? { type: "url", url: source.url } : { type: "base64", media_type: source.mediaType, data: source.base64 };
}

function documentOf({ source, name, mark, at }: DocumentPart, losses: Losses): Json {
  const rest = { ...(name !== undefined && { title: name }), ...marked(mark) };
  if (source.kind === "url" || source.mediaType === "application/pdf") return { type: "document", source: plainSource(source), ...rest };
  const text = source.mediaType.startsWith("text/") ? textOf(source.base64) : null;
  if (text === null) losses.lose(losses.from === "openai-chat" ? "messages[].content[].file.file_data" : "input[].content[].file_data", at);
  return { type: "document", source: { type: "text", media_type: "text/plain", data: text ?? "" }, ...rest };
}

function resultOf({ id, parts, failed, mark }: ResultPart, losses: Losses): Json {
  const [only] = parts;
  const bare = parts.length === 1 && only?.kind === "text" && !only.mark ? only.text : null;
  const content = bare ?? parts.flatMap((part) => blockOf(part, losses));
  return {
    type: "tool_result",
    tool_use_id: toolIdFor(id),
    ...(parts.length > 0 && { content }),
    ...(failed && { is_error: true }),
    ...marked(mark),
  };
}

/** Only what its own models closed is taken back there. */
function thoughtOf({ text, seal, at }: ReasoningPart, losses: Losses): Json[] {
  if (seal?.maker !== "anthropic") {
    losses.lose(losses.from === "openai-chat" ? "messages[].reasoning_details" : "input[].reasoning", at);
    return [];
  }
  return [seal.hidden ? { type: "redacted_thinking", data: seal.data } : { type: "thinking", thinking: text, signature: seal.data }];
}

function toolOf(tool: Tool, losses: Losses): Json {
  const { name, schema, strict, mark } = tool;
  const description = describedTo(tool, losses);
  return {
    name,
    ...(description !== null && { description }),
    input_schema: schema["type"] === undefined ? { type: "object", ...schema } : schema,
    ...(strict !== null && { strict }),
    ...marked(mark),
  };
}

function choiceOf({ toolChoice, parallel, tools }: Conversation): Json {
  const alone = parallel === false && tools.length > 0 && toolChoice?.kind !== "none" ? { disable_parallel_tool_use: true } : {};
  if (toolChoice === null) return parallel === false && tools.length > 0 ? { tool_choice: { type: "auto", ...alone } } : {};
  const choice = toolChoice.kind === "one" ? { type: "tool", name: toolChoice.name } : { type: toolChoice.kind };
  return { tool_choice: { ...choice, ...alone } };
}

/** Models that are told how many tokens they may think; later ones are told how hard, and refuse a number. */
const BUDGETED = /claude-(3|(opus|sonnet)-4(?!-[6-9])|haiku-4)/;
const BUDGET_TOKENS: Readonly<Record<Exclude<Level, "none">, number>> = {
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};
const BUDGET_TOKENS_MIN = 1_024;

/** How much is thought, and in which form the answer stands: both are told in `output_config`. */
function thinkingOf(asked: Conversation, maxTokens: number, losses: Losses): Json {
  const { format } = asked;
  const formed = format?.kind === "schema" ? { format: { type: "json_schema", schema: format.schema } } : {};
  const { thinking, effort } = thoughtAsked(asked, maxTokens, losses);
  const config = { ...(effort !== undefined && { effort }), ...formed };
  return { ...(thinking && { thinking }), ...(Object.keys(config).length > 0 && { output_config: config }) };
}

function thoughtAsked({ effort, model, messages }: Conversation, maxTokens: number, losses: Losses): { thinking?: Json; effort?: string } {
  if (!effort || effort.level === null) return {};
  if (effort.level === "none") return { thinking: { type: "disabled" } };
  const shown = effort.shown === true ? { display: "summarized" } : {};
  if (!BUDGETED.test(model)) return { thinking: { type: "adaptive", ...shown }, effort: effort.level === "minimal" ? "low" : effort.level };
  const budget = Math.min(BUDGET_TOKENS[effort.level], maxTokens - 1);
  if (budget >= BUDGET_TOKENS_MIN && !thoughtless(messages)) return { thinking: { type: "enabled", budget_tokens: budget } };
  const field = losses.from === "openai-chat" ? "reasoning_effort" : "reasoning.effort";
  losses.lose(field, field);
  return {};
}

/** Whether the turn that goes on called tools without the thoughts that led to the calls: such a turn may not begin to think. */
function thoughtless(messages: readonly Message[]): boolean {
  const from = messages.findLastIndex(({ role, parts }) => role === "user" && parts.some(({ kind }) => kind !== "result")) + 1;
  const made = messages.slice(from).filter(({ role }) => role === "assistant");
  return made.some(
    ({ parts }) =>
      parts.some(({ kind }) => kind === "call") && !parts.some((part) => part.kind === "reasoning" && part.seal?.maker === "anthropic"),
  );
}
