import { wrong } from "#wire";
import type { Conversation, Format, Message, Part, ReasoningPart, ResultPart, Tool, ToolChoice } from "./conversation.ts";
import { ONE_TEXT } from "./custom.ts";
import { type Effort, LEVELS } from "./effort.ts";
import type { Fields } from "./fields.ts";
import { given } from "./fits.ts";
import { kinOf } from "./kin.ts";
import type { Losses } from "./losses.ts";
import { sourceOf } from "./media.ts";
import { flatName } from "./namespaces.ts";
import { unpack } from "./seal.ts";

const CARRIED = new Set(
  "model input instructions store metadata max_output_tokens stream temperature top_p tools tool_choice include parallel_tool_calls text reasoning user safety_identifier".split(
    " ",
  ),
);

/** Reads a request of Responses. @throws TollgateError `invalid_request` naming the field. */
export function readResponses(body: Fields, losses: Losses): Conversation {
  const { kin, tier } = kinOf(body, losses);
  losses.loseRest(body.value, new Set([...CARRIED, ...Object.keys(kin), "service_tier"]));
  for (const [index, name] of body.texts("include").entries())
    if (name !== "reasoning.encrypted_content") losses.lose("include", `include.${index}`);
  const instructions = body.text("instructions");
  const text = body.object("text");
  if (text) losses.loseRestOf(text, losses.to === "anthropic" ? "format" : "format verbosity");
  return {
    model: body.needText("model"),
    stream: body.flag("stream") ?? false,
    messages: joined([
      ...(instructions
        ? [{ role: "system", parts: [{ kind: "text", text: instructions, at: "instructions" }], at: "instructions" } as const]
        : []),
      ...messagesOf(body, losses),
    ]),
    tools: body.objects("tools").flatMap((tool) => toolsOf(tool, losses)),
    toolChoice: choiceOf(body, losses),
    parallel: body.flag("parallel_tool_calls"),
    maxTokens: body.number("max_output_tokens"),
    temperature: body.number("temperature"),
    topP: body.number("top_p"),
    stop: [],
    effort: effortOf(body, losses),
    format: formatOf(text, losses),
    verbosity: losses.to === "anthropic" ? null : (text?.text("verbosity") ?? null),
    endUser: body.text("safety_identifier") ?? body.text("user"),
    tier,
    kin,
  };
}

function messagesOf(body: Fields, losses: Losses): Message[] {
  const input = body.raw("input");
  if (typeof input === "string") return [{ role: "user", parts: [{ kind: "text", text: input, at: "input" }], at: "input" }];
  return body.objects("input").flatMap((item) => messageOf(item, losses));
}

/** What the model did in a row is one turn, and so are results with what the user adds to them. */
function joined(messages: readonly Message[]): Message[] {
  const turns: Message[] = [];
  for (const message of messages) {
    const before = turns.at(-1);
    const goesOn =
      before?.role === message.role &&
      (message.role === "assistant" || (message.role === "user" && before.parts.every(({ kind }) => kind === "result")));
    if (before && goesOn) turns[turns.length - 1] = { ...before, parts: [...before.parts, ...message.parts] };
    else turns.push(message);
  }
  return turns;
}

const ITEMS = new Set(["message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning"]);
const ITEM = new Set([
  "type",
  "id",
  "status",
  "role",
  "phase",
  "content",
  "call_id",
  "namespace",
  "name",
  "arguments",
  "input",
  "output",
  "summary",
  "encrypted_content",
]);

function messageOf(item: Fields, losses: Losses): Message[] {
  const { at } = item;
  const type = item.text("type") ?? "message";
  if (!ITEMS.has(type)) losses.lose("input[].type", item.path("type"));
  losses.loseRest(item.value, ITEM, { at, prefix: "input[]." });
  switch (type) {
    case "message": {
      const role = item.word("role", ["system", "developer", "user", "assistant"]);
      if (role === null) throw wrong(item.path("role"), "is missing");
      return [{ role, parts: partsOf(item, "content", losses), at }];
    }
    case "function_call": {
      const input = item.text("arguments") || "{}";
      return [{ role: "assistant", parts: [{ kind: "call", id: item.needText("call_id"), name: calledIn(item), input, at }], at }];
    }
    case "custom_tool_call": {
      const [id, name, input] = [item.needText("call_id"), calledIn(item), item.text("input") ?? ""];
      return [{ role: "assistant", parts: [{ kind: "call", id, name, input, custom: true, at }], at }];
    }
    case "function_call_output":
    case "custom_tool_call_output":
      return [{ role: "user", parts: [resultOf(item, losses)], at }];
    default:
      return [{ role: "assistant", parts: [thoughtOf(item)], at }];
  }
}

/** The one name of a tool that an item or a choice names. */
function calledIn(item: Fields): string {
  return flatName({ namespace: item.text("namespace"), name: item.needText("name") });
}

function resultOf(item: Fields, losses: Losses): ResultPart {
  const parts = given(partsOf(item, "output", losses));
  return { kind: "result", id: item.needText("call_id"), parts, failed: false, at: item.path("output") };
}

/** Thoughts that this gateway told of another vendor's model are in their packing; all others are OpenAI's own. */
function thoughtOf(item: Fields): ReasoningPart {
  const { at } = item;
  const text = item
    .objects("summary")
    .map((each) => each.text("text") ?? "")
    .join("\n\n");
  const closed = item.text("encrypted_content");
  const packed = closed === null ? null : unpack(closed);
  if (packed) return { kind: "reasoning", ...packed, at };
  const id = item.text("id");
  const seal = closed === null ? null : ({ maker: "openai", data: closed, ...(id !== null && { id }) } as const);
  return { kind: "reasoning", text, seal, at };
}

function partsOf(holder: Fields, name: string, losses: Losses): Part[] {
  const content = holder.raw(name);
  if (content === undefined || content === "") return [];
  if (typeof content === "string") return [{ kind: "text", text: content, at: holder.path(name) }];
  return holder.objects(name).flatMap((part) => partOf(part, losses));
}

const CONTENT = "input[].content[].";

const PARTS = new Set(["input_text", "output_text", "text", "refusal", "input_image", "input_file"]);
const PART = new Set(["type", "text", "refusal", "image_url", "detail", "file_id", "file_url", "file_data", "filename"]);

function partOf(part: Fields, losses: Losses): Part[] {
  const { at } = part;
  const type = part.needText("type");
  if (!PARTS.has(type)) losses.lose(`${CONTENT}type`, part.path("type"));
  losses.loseRest(part.value, PART, { at, prefix: CONTENT });
  switch (type) {
    case "input_text":
    case "output_text":
    case "text": {
      const text = part.needText("text");
      return text === "" ? [] : [{ kind: "text", text, at }];
    }
    case "refusal":
      return [{ kind: "refusal", text: part.needText("refusal"), at }];
    case "input_image":
      return [imageOf(part, losses)];
    default:
      return [fileOf(part, losses)];
  }
}

function imageOf(part: Fields, losses: Losses): Part {
  losses.loseValue(`${CONTENT}file_id`, part.path("file_id"), part.raw("file_id"));
  const source = sourceOf(part.needText("image_url"), part.path("image_url"));
  const detail = part.text("detail");
  if (losses.to !== "anthropic") return { kind: "image", source, ...(detail !== null && { detail }), at: part.at };
  losses.loseValue(`${CONTENT}detail`, part.path("detail"), detail);
  return { kind: "image", source, at: part.at };
}

function fileOf(part: Fields, losses: Losses): Part {
  losses.loseValue(`${CONTENT}file_id`, part.path("file_id"), part.raw("file_id"));
  const field = part.raw("file_url") === undefined ? "file_data" : "file_url";
  const [name, at] = [part.text("filename"), part.path(field)];
  return { kind: "document", source: sourceOf(part.needText(field), at), ...(name !== null && { name }), at };
}

/** One tool, or those of a namespace: what that is for is told with each of them, since it has no place of its own. */
function toolsOf(tool: Fields, losses: Losses): Tool[] {
  if (tool.needText("type") !== "namespace") return [toolOf(tool, losses)];
  losses.loseRestOf(tool, "type name description tools", "tools[]");
  const [namespace, purpose] = [tool.needText("name"), tool.text("description")];
  return tool.objects("tools").map((each) => {
    const { name, description, ...rest } = toolOf(each, losses);
    const told = [purpose, description].filter((text) => text !== null && text !== "").join("\n\n");
    return { ...rest, name: flatName({ namespace, name }), description: told === "" ? null : told, spaced: { namespace, name } };
  });
}

const TOOL = new Set(["type", "name", "description", "parameters", "strict"]);

function toolOf(tool: Fields, losses: Losses): Tool {
  if (tool.needText("type") === "custom") return customOf(tool, losses);
  if (tool.needText("type") !== "function") losses.lose("tools[].type", tool.path("type"));
  losses.loseRest(tool.value, TOOL, { at: tool.at, prefix: "tools[]." });
  return {
    name: tool.needText("name"),
    description: tool.text("description"),
    schema: tool.object("parameters")?.value ?? { type: "object", properties: {} },
    strict: tool.flag("strict"),
    at: tool.at,
  };
}

/** Its grammar stands in the format itself. */
function customOf(tool: Fields, losses: Losses): Tool {
  losses.loseRestOf(tool, "type name description format", "tools[]");
  const format = tool.object("format");
  const free = (format?.word("type", ["text", "grammar"]) ?? "text") === "text";
  const grammar = format && !free ? { syntax: format.needText("syntax"), definition: format.needText("definition") } : null;
  return {
    name: tool.needText("name"),
    description: tool.text("description"),
    schema: ONE_TEXT,
    strict: null,
    custom: { grammar },
    at: tool.at,
  };
}

function choiceOf(body: Fields, losses: Losses): ToolChoice | null {
  const choice = body.raw("tool_choice");
  if (choice === undefined) return null;
  if (typeof choice === "string") {
    const word = body.word("tool_choice", ["auto", "none", "required"]);
    return { kind: word === "required" ? "any" : (word ?? "auto") };
  }
  const asked = body.needObject("tool_choice");
  if (!["function", "custom"].includes(asked.text("type") ?? "")) losses.lose("tool_choice.type", asked.path("type"));
  return { kind: "one", name: calledIn(asked) };
}

function effortOf(body: Fields, losses: Losses): Effort | null {
  const reasoning = body.object("reasoning");
  if (!reasoning) return null;
  losses.loseRestOf(reasoning, "effort summary");
  const summary = reasoning.text("summary");
  if (losses.to === "openai-chat") losses.loseValue("reasoning.summary", "reasoning.summary", summary);
  const level = reasoning.word("effort", LEVELS);
  return level === null ? null : { level, budgetTokens: null, shown: summary === null ? null : true };
}

function formatOf(text: Fields | null, losses: Losses): Format | null {
  const format = text?.object("format");
  const type = format?.word("type", ["text", "json_object", "json_schema"]) ?? "text";
  if (!format || type === "text") return null;
  if (type === "json_object") {
    if (losses.to === "anthropic") losses.lose("text.format.json_object", format.path("type"));
    return { kind: "json" };
  }
  if (losses.to === "anthropic") losses.loseValue("text.format.name", format.path("name"), format.raw("name"));
  return {
    kind: "schema",
    name: format.text("name"),
    description: format.text("description"),
    schema: format.needObject("schema").value,
    strict: format.flag("strict"),
  };
}
