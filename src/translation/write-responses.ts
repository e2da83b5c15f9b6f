import type { Conversation, Format, Message, Part, ReasoningPart, ResultPart, Tool, ToolChoice } from "./conversation.ts";
import { isCustom } from "./custom.ts";
import { givenInWords } from "./fits.ts";
import { levelOf } from "./effort.ts";
import { type Json, present } from "./fields.ts";
import type { Losses } from "./losses.ts";
import { urlOf } from "./media.ts";
import { tierOf } from "./write-chat.ts";

/**
 * Writes a request of Responses. Nothing is left with the provider unless the caller asks for it, so that thoughts are asked for in
 * their closed form. @throws TollgateError `invalid_request` naming the caller's field that cannot be said.
 */
export function writeResponses(asked: Conversation, losses: Losses): Json {
  const stop = losses.from === "anthropic" ? "stop_sequences" : "stop";
  if (asked.stop.length > 0) losses.lose(stop, stop);
  const effort = asked.effort && levelOf(asked.effort);
  return {
    model: asked.model,
    input: asked.messages.flatMap((message) => itemsOf(message, customIn(asked), losses)),
    store: false,
    ...present({
      max_output_tokens: asked.maxTokens,
      tools: asked.tools.map(toolOf),
      tool_choice: asked.toolChoice && choiceOf(asked, asked.toolChoice),
      parallel_tool_calls: asked.tools.length > 0 ? asked.parallel : null,
      reasoning: present({ effort, summary: effort && asked.effort?.shown === true ? "auto" : null }),
      include: effort ? [CLOSED] : [],
      text: present({ format: asked.format && formatOf(asked.format), verbosity: asked.verbosity }),
      temperature: asked.temperature,
      top_p: asked.topP,
      user: asked.endUser,
      service_tier: tierOf(asked.tier),
      ...asked.kin,
      stream: asked.stream || null,
    }),
  };
}

const CLOSED = "reasoning.encrypted_content";

/** Ids of the calls of custom tools, whose results are items of another kind. */
function customIn({ messages }: Conversation): ReadonlySet<string> {
  const parts = messages.flatMap((message) => message.parts);
  return new Set(parts.flatMap((part) => (part.kind === "call" && part.custom ? [part.id] : [])));
}

function itemsOf({ role, parts }: Message, custom: ReadonlySet<string>, losses: Losses): Json[] {
  if (role === "assistant") return madeItems(parts, losses);
  const results = parts.filter((part) => part.kind === "result");
  const rest = parts.filter((part) => part.kind !== "result");
  const message = { type: "message", role, content: rest.flatMap((part) => contentOf(part, "input_text")) };
  return [...results.map((result) => resultOf(result, custom)), ...(rest.length > 0 || results.length === 0 ? [message] : [])];
}

function resultOf(result: ResultPart, custom: ReadonlySet<string>): Json {
  const { id } = result;
  const parts = givenInWords(result);
  const [only] = parts;
  const bare = parts.length === 1 && only?.kind === "text" ? only.text : null;
  const output = parts.length === 0 ? "" : (bare ?? parts.flatMap((part) => contentOf(part, "input_text")));
  return { type: custom.has(id) ? "custom_tool_call_output" : "function_call_output", call_id: id, output };
}

/** What the model did, in its order: texts next to each other are one message. */
function madeItems(parts: readonly Part[], losses: Losses): Json[] {
  const items: Json[] = [];
  let said: Json[] | null = null;
  for (const part of parts) {
    if (part.kind === "text" || part.kind === "refusal") {
      if (!said) items.push({ type: "message", role: "assistant", content: (said = []) });
      said.push(...contentOf(part, "output_text"));
      continue;
    }
    said = null;
    if (part.kind === "reasoning") items.push(...thoughtOf(part, losses));
    if (part.kind === "call" && part.custom) items.push({ type: "custom_tool_call", call_id: part.id, name: part.name, input: part.input });
    else if (part.kind === "call") items.push({ type: "function_call", call_id: part.id, name: part.name, arguments: part.input });
  }
  return items;
}

function thoughtOf({ text, seal, at }: ReasoningPart, losses: Losses): Json[] {
  if (seal?.maker !== "openai") {
    losses.lose(losses.from === "anthropic" ? "messages[].content[].thinking" : "messages[].reasoning_details", at);
    return [];
  }
  const summary = text === "" ? [] : [{ type: "summary_text", text }];
  return [{ type: "reasoning", ...(seal.id !== undefined && { id: seal.id }), summary, encrypted_content: seal.data }];
}

function contentOf(part: Part, text: "input_text" | "output_text"): Json[] {
  switch (part.kind) {
    case "text":
      return [{ type: text, text: part.text }];
    case "refusal":
      return [{ type: "refusal", refusal: part.text }];
    case "image":
      return [{ type: "input_image", image_url: urlOf(part.source), detail: part.detail ?? "auto" }];
    case "document": {
      const { source, name } = part;
      if (source.kind === "url") return [{ type: "input_file", file_url: source.url, ...(name !== undefined && { filename: name }) }];
      return [{ type: "input_file", filename: name ?? "document", file_data: urlOf(source) }];
    }
    case "call":
    case "result":
    case "reasoning":
      return [];
  }
}

/** Where nothing is said of it, a schema is enforced in Responses and in no other dialect. */
function toolOf({ name, description, schema, strict, custom }: Tool): Json {
  if (custom)
    return { type: "custom", ...present({ name, description, format: custom.grammar && { type: "grammar", ...custom.grammar } }) };
  return { type: "function", name, ...(description !== null && { description }), parameters: schema, strict: strict ?? false };
}

function choiceOf({ tools }: Conversation, choice: ToolChoice): unknown {
  if (choice.kind === "one") return { type: isCustom(tools, choice.name) ? "custom" : "function", name: choice.name };
  return choice.kind === "any" ? "required" : choice.kind;
}

function formatOf(format: Format): Json {
  if (format.kind === "json") return { type: "json_object" };
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    name: name ?? "answer",
    ...(description !== null && { description }),
    schema,
    ...(strict !== null && { strict }),
  };
}
