import { wrong } from "#wire";
import type { Conversation, Format, Message, Part, ReasoningPart, ResultPart, Tool, ToolChoice } from "./conversation.ts";
import { type Effort, LEVELS } from "./effort.ts";
import type { Fields } from "./fields.ts";
import { given } from "./fits.ts";
import { kinOf } from "./kin.ts";
import type { Ledger } from "./losses.ts";
import { sourceOf } from "./media.ts";
import { unpack } from "./seal.ts";

const CARRIED = new Set(
  "model input instructions store metadata max_output_tokens stream temperature top_p tools tool_choice include parallel_tool_calls text reasoning user safety_identifier".split(
    " ",
  ),
);

/** Reads a request of Responses. @throws TollgateError `invalid_request` naming the field. */
export function readResponses(body: Fields, ledger: Ledger): Conversation {
  const { kin, tier } = kinOf(body, ledger);
  ledger.loseRest(body.value, new Set([...CARRIED, ...Object.keys(kin), "service_tier"]));
  for (const [index, name] of body.texts("include").entries())
    if (name !== "reasoning.encrypted_content") ledger.lose("include", `include.${index}`);
  const instructions = body.text("instructions");
  const text = body.object("text");
  if (text) ledger.loseRestOf(text, ledger.to === "anthropic" ? "format" : "format verbosity");
  return {
    model: body.needText("model"),
    stream: body.flag("stream") ?? false,
    messages: joined([
      ...(instructions
        ? [{ role: "system", parts: [{ kind: "text", text: instructions, at: "instructions" }], at: "instructions" } as const]
        : []),
      ...messagesOf(body, ledger),
    ]),
    tools: body.objects("tools").map((tool) => toolOf(tool, ledger)),
    toolChoice: choiceOf(body, ledger),
    parallel: body.flag("parallel_tool_calls"),
    maxTokens: body.number("max_output_tokens"),
    temperature: body.number("temperature"),
    topP: body.number("top_p"),
    stop: [],
    effort: effortOf(body, ledger),
    format: formatOf(text, ledger),
    verbosity: ledger.to === "anthropic" ? null : (text?.text("verbosity") ?? null),
    endUser: body.text("safety_identifier") ?? body.text("user"),
    tier,
    kin,
  };
}

function messagesOf(body: Fields, ledger: Ledger): Message[] {
  const input = body.raw("input");
  if (typeof input === "string") return [{ role: "user", parts: [{ kind: "text", text: input, at: "input" }], at: "input" }];
  return body.objects("input").flatMap((item) => messageOf(item, ledger));
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

const ITEMS = new Set(["message", "function_call", "function_call_output", "reasoning"]);
const ITEM = new Set([
  "type",
  "id",
  "status",
  "role",
  "phase",
  "content",
  "call_id",
  "name",
  "arguments",
  "output",
  "summary",
  "encrypted_content",
]);

function messageOf(item: Fields, ledger: Ledger): Message[] {
  const { at } = item;
  const type = item.text("type") ?? "message";
  if (!ITEMS.has(type)) ledger.lose("input[].type", item.path("type"));
  ledger.loseRest(item.value, ITEM, { at, prefix: "input[]." });
  switch (type) {
    case "message": {
      const role = item.word("role", ["system", "developer", "user", "assistant"]);
      if (role === null) throw wrong(item.path("role"), "is missing");
      return [{ role, parts: partsOf(item, "content", ledger), at }];
    }
    case "function_call": {
      const input = item.text("arguments") || "{}";
      return [{ role: "assistant", parts: [{ kind: "call", id: item.needText("call_id"), name: item.needText("name"), input, at }], at }];
    }
    case "function_call_output":
      return [{ role: "user", parts: [resultOf(item, ledger)], at }];
    default:
      return [{ role: "assistant", parts: [thoughtOf(item)], at }];
  }
}

function resultOf(item: Fields, ledger: Ledger): ResultPart {
  const parts = given(partsOf(item, "output", ledger));
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

function partsOf(holder: Fields, name: string, ledger: Ledger): Part[] {
  const content = holder.raw(name);
  if (content === undefined || content === "") return [];
  if (typeof content === "string") return [{ kind: "text", text: content, at: holder.path(name) }];
  return holder.objects(name).flatMap((part) => partOf(part, ledger));
}

const CONTENT = "input[].content[].";

const PARTS = new Set(["input_text", "output_text", "text", "refusal", "input_image", "input_file"]);
const PART = new Set(["type", "text", "refusal", "image_url", "detail", "file_id", "file_url", "file_data", "filename"]);

function partOf(part: Fields, ledger: Ledger): Part[] {
  const { at } = part;
  const type = part.needText("type");
  if (!PARTS.has(type)) ledger.lose(`${CONTENT}type`, part.path("type"));
  ledger.loseRest(part.value, PART, { at, prefix: CONTENT });
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
      return [imageOf(part, ledger)];
    default:
      return [fileOf(part, ledger)];
  }
}

function imageOf(part: Fields, ledger: Ledger): Part {
  ledger.loseValue(`${CONTENT}file_id`, part.path("file_id"), part.raw("file_id"));
  const source = sourceOf(part.needText("image_url"), part.path("image_url"));
  const detail = part.text("detail");
  if (ledger.to !== "anthropic") return { kind: "image", source, ...(detail !== null && { detail }), at: part.at };
  ledger.loseValue(`${CONTENT}detail`, part.path("detail"), detail);
  return { kind: "image", source, at: part.at };
}

function fileOf(part: Fields, ledger: Ledger): Part {
  ledger.loseValue(`${CONTENT}file_id`, part.path("file_id"), part.raw("file_id"));
  const field = part.raw("file_url") === undefined ? "file_data" : "file_url";
  const [name, at] = [part.text("filename"), part.path(field)];
  return { kind: "document", source: sourceOf(part.needText(field), at), ...(name !== null && { name }), at };
}

const TOOL = new Set(["type", "name", "description", "parameters", "strict"]);

function toolOf(tool: Fields, ledger: Ledger): Tool {
  if (tool.needText("type") !== "function") ledger.lose("tools[].type", tool.path("type"));
  ledger.loseRest(tool.value, TOOL, { at: tool.at, prefix: "tools[]." });
  return {
    name: tool.needText("name"),
    description: tool.text("description"),
    schema: tool.object("parameters")?.value ?? { type: "object", properties: {} },
    strict: tool.flag("strict"),
    at: tool.at,
  };
}

function choiceOf(body: Fields, ledger: Ledger): ToolChoice | null {
  const choice = body.raw("tool_choice");
  if (choice === undefined) return null;
  if (typeof choice === "string") {
    const word = body.word("tool_choice", ["auto", "none", "required"]);
    return { kind: word === "required" ? "any" : (word ?? "auto") };
  }
  const asked = body.needObject("tool_choice");
  if (asked.text("type") !== "function") ledger.lose("tool_choice.type", asked.path("type"));
  return { kind: "one", name: asked.needText("name") };
}

function effortOf(body: Fields, ledger: Ledger): Effort | null {
  const reasoning = body.object("reasoning");
  if (!reasoning) return null;
  ledger.loseRestOf(reasoning, "effort summary");
  const summary = reasoning.text("summary");
  if (ledger.to === "openai-chat") ledger.loseValue("reasoning.summary", "reasoning.summary", summary);
  const level = reasoning.word("effort", LEVELS);
  return level === null ? null : { level, budgetTokens: null, shown: summary === null ? null : true };
}

function formatOf(text: Fields | null, ledger: Ledger): Format | null {
  const format = text?.object("format");
  const type = format?.word("type", ["text", "json_object", "json_schema"]) ?? "text";
  if (!format || type === "text") return null;
  if (type === "json_object") {
    if (ledger.to === "anthropic") ledger.lose("text.format.json_object", format.path("type"));
    return { kind: "json" };
  }
  if (ledger.to === "anthropic") ledger.loseValue("text.format.name", format.path("name"), format.raw("name"));
  return {
    kind: "schema",
    name: format.text("name"),
    description: format.text("description"),
    schema: format.needObject("schema").value,
    strict: format.flag("strict"),
  };
}
