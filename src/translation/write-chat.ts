import type {
  CallPart,
  Conversation,
  DocumentPart,
  Format,
  Message,
  Part,
  ReasoningPart,
  ResultPart,
  TextPart,
  Tool,
  ToolChoice,
} from "./conversation.ts";
import { argumentsOf, describedTo, isCustom } from "./custom.ts";
import type { Dress } from "./dress.ts";
import { givenInWords } from "./fits.ts";
import { levelOf } from "./effort.ts";
import { type Json, present } from "./fields.ts";
import type { Losses } from "./losses.ts";
import { textOf, urlOf } from "./media.ts";

const STOP_MAX = 4;

/** Writes a request of Chat Completions. @throws TollgateError `invalid_request` naming the caller's field that cannot be said. */
export function writeChat(asked: Conversation, losses: Losses, dress: Dress): Json {
  if (asked.stop.length > STOP_MAX) losses.lose("stop_sequences", "stop_sequences");
  const cap = dress.openai ? "max_completion_tokens" : "max_tokens";
  return {
    model: asked.model,
    messages: asked.messages.flatMap((message) => messagesOf(message, losses, dress)),
    ...present({
      [cap]: asked.maxTokens,
      tools: asked.tools.map((tool) => toolOf(tool, losses, dress)),
      tool_choice: asked.toolChoice && choiceOf(asked, asked.toolChoice, dress),
      parallel_tool_calls: asked.tools.length > 0 ? asked.parallel : null,
      reasoning_effort: asked.effort && levelOf(asked.effort),
      response_format: asked.format && formatOf(asked.format),
      temperature: asked.temperature,
      top_p: asked.topP,
      stop: asked.stop,
      verbosity: asked.verbosity,
      user: asked.endUser,
      service_tier: tierOf(asked.tier),
      ...asked.kin,
      ...(asked.stream && { stream: true, stream_options: { include_usage: true } }),
    }),
  };
}

/** The tier in OpenAI's words. */
export function tierOf(tier: Conversation["tier"]): string | null {
  return tier === "standard" ? "default" : tier;
}

/** Results are messages of their own there, before what the user adds. */
function messagesOf({ role, parts }: Message, losses: Losses, dress: Dress): Json[] {
  if (role === "assistant") return assistantOf(parts, losses, dress);
  const results = parts.filter((part) => part.kind === "result");
  const rest = parts.filter((part) => part.kind !== "result");
  const named = role === "developer" && !dress.openai ? "system" : role;
  return [
    ...results.map((result) => resultOf(result, losses)),
    ...(rest.length > 0 || results.length === 0 ? [{ role: named, content: contentOf(rest, losses) }] : []),
  ];
}

function resultOf(result: ResultPart, losses: Losses): Json {
  const { id } = result;
  const parts = givenInWords(result);
  const other = parts.find(({ kind }) => kind !== "text");
  if (other) losses.lose(losses.from === "anthropic" ? "messages[].content[].content" : "input[].output", other.at);
  return { role: "tool", tool_call_id: id, content: contentOf(parts, losses) };
}

/** One text stands for itself, as every compatible provider takes it. */
function contentOf(parts: readonly Part[], losses: Losses): unknown {
  const [only] = parts;
  if (parts.length === 0) return "";
  return parts.length === 1 && only?.kind === "text" ? only.text : parts.flatMap((part) => partOf(part, losses));
}

function partOf(part: Part, losses: Losses): Json[] {
  switch (part.kind) {
    case "text":
      return [{ type: "text", text: part.text }];
    case "image":
      return [{ type: "image_url", image_url: { url: urlOf(part.source), ...(part.detail !== undefined && { detail: part.detail }) } }];
    case "document":
      return [documentOf(part, losses)];
    case "refusal":
    case "call":
    case "result":
    case "reasoning":
      return [];
  }
}

/** Only a PDF is a document there; a text is said as what it is. */
function documentOf({ source, name, at }: DocumentPart, losses: Losses): Json {
  const prefix = losses.from === "anthropic" ? "messages[].content[].source" : "input[].content[].file";
  const separator = losses.from === "anthropic" ? "." : "_";
  if (source.kind === "url") {
    losses.lose(`${prefix}${separator}url`, at);
  } else if (source.mediaType !== "application/pdf") {
    const text = source.mediaType.startsWith("text/") ? textOf(source.base64) : null;
    if (text === null) losses.lose(`${prefix}${separator}data`, at);
    return { type: "text", text: [name, text].filter((each) => each !== undefined && each !== null).join("\n\n") };
  }
  return { type: "file", file: { filename: name ?? "document", file_data: urlOf(source) } };
}

/** A turn of the model's with nothing left in it is none. */
function assistantOf(parts: readonly Part[], losses: Losses, dress: Dress): Json[] {
  const texts = parts.filter((part): part is TextPart => part.kind === "text");
  const refusal = parts.flatMap((part) => (part.kind === "refusal" ? [part.text] : [])).join("");
  const said = present({
    refusal,
    ...thoughtsOf(
      parts.filter((part) => part.kind === "reasoning"),
      losses,
    ),
    tool_calls: parts.flatMap((part) => (part.kind === "call" ? [callOf(part, dress)] : [])),
  });
  if (texts.length === 0 && Object.keys(said).length === 0) return [];
  return [{ role: "assistant", content: texts.length === 0 ? null : contentOf(texts, losses), ...said }];
}

function callOf({ id, name, input, custom }: CallPart, { openai }: Dress): Json {
  if (custom && openai) return { id, type: "custom", custom: { name, input } };
  if (custom) return { id, type: "function", function: { name, arguments: JSON.stringify(argumentsOf(input)) } };
  return { id, type: "function", function: { name, arguments: input } };
}

/** Providers that show what they think want it back as it was; what others closed is nothing to them. */
function thoughtsOf(parts: readonly ReasoningPart[], losses: Losses): Json {
  const own = parts.filter(({ seal }) => seal?.maker === "chat");
  for (const { seal, at } of parts)
    if (seal?.maker !== "chat") losses.lose(losses.from === "anthropic" ? "messages[].content[].thinking" : "input[].reasoning", at);
  return own.length > 0 ? { reasoning_content: own.map(({ text }) => text).join("") } : {};
}

/** Custom tools are OpenAI's own: a compatible provider is told of a function. */
function toolOf(tool: Tool, losses: Losses, { openai }: Dress): Json {
  const { name, schema, strict, custom } = tool;
  if (custom && openai) {
    const format = custom.grammar && { type: "grammar", grammar: custom.grammar };
    return { type: "custom", custom: present({ name, description: tool.description, format }) };
  }
  const description = describedTo(tool, losses);
  return {
    type: "function",
    function: { name, ...(description !== null && { description }), parameters: schema, ...(strict !== null && { strict }) },
  };
}

function choiceOf({ tools }: Conversation, choice: ToolChoice, { openai }: Dress): unknown {
  if (choice.kind === "one" && openai && isCustom(tools, choice.name)) return { type: "custom", custom: { name: choice.name } };
  if (choice.kind === "one") return { type: "function", function: { name: choice.name } };
  return choice.kind === "any" ? "required" : choice.kind;
}

function formatOf(format: Format): Json {
  if (format.kind === "json") return { type: "json_object" };
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    json_schema: {
      name: name ?? "answer",
      ...(description !== null && { description }),
      schema,
      ...(strict !== null && { strict }),
    },
  };
}
