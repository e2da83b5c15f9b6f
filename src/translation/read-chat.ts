import { wrong } from "#wire";
import type { CallPart, Conversation, Format, Mark, Message, Part, ReasoningPart, Tool, ToolChoice } from "./conversation.ts";
import { ONE_TEXT } from "./custom.ts";
import { type Effort, LEVELS } from "./effort.ts";
import type { Fields } from "./fields.ts";
import { given } from "./fits.ts";
import { kinOf } from "./kin.ts";
import type { Losses } from "./losses.ts";
import { sourceOf } from "./media.ts";
import { unpack } from "./seal.ts";

const CARRIED = new Set(
  "model messages max_tokens max_completion_tokens stream stream_options temperature top_p stop tools tool_choice parallel_tool_calls response_format user safety_identifier reasoning_effort".split(
    " ",
  ),
);

/** Reads a request of Chat Completions. @throws TollgateError `invalid_request` naming the field. */
export function readChat(body: Fields, losses: Losses): Conversation {
  const { kin, tier } = kinOf(body, losses);
  losses.loseRest(
    body.value,
    new Set([...CARRIED, ...Object.keys(kin), "service_tier", ...(losses.to === "anthropic" ? [] : ["verbosity"])]),
  );
  const stop = body.raw("stop");
  const level = body.word("reasoning_effort", LEVELS);
  return {
    model: body.needText("model"),
    stream: body.flag("stream") ?? false,
    messages: messagesOf(body, losses),
    tools: body.objects("tools").map((tool) => toolOf(tool, losses)),
    toolChoice: choiceOf(body, losses),
    parallel: body.flag("parallel_tool_calls"),
    maxTokens: body.number("max_completion_tokens") ?? body.number("max_tokens"),
    temperature: body.number("temperature"),
    topP: body.number("top_p"),
    stop: typeof stop === "string" ? [stop] : body.texts("stop"),
    effort: level === null ? null : ({ level, budgetTokens: null, shown: null } satisfies Effort),
    format: formatOf(body, losses),
    verbosity: losses.to === "anthropic" ? null : body.text("verbosity"),
    endUser: body.text("safety_identifier") ?? body.text("user"),
    tier,
    kin,
  };
}

/** Tool messages in a row, and the user's message behind them, are one turn of the user's. */
function messagesOf(body: Fields, losses: Losses): Message[] {
  const messages: Message[] = [];
  for (const each of body.objects("messages")) {
    const message = messageOf(each, losses);
    const before = messages.at(-1);
    const joins = before?.role === "user" && before.parts.every(({ kind }) => kind === "result") && message.role === "user";
    if (before && joins) messages[messages.length - 1] = { ...before, parts: [...before.parts, ...message.parts] };
    else messages.push(message);
  }
  return messages;
}

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
const MESSAGE = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "tool_call_id",
  "reasoning_content",
  "reasoning_details",
  "reasoning",
]);

function messageOf(message: Fields, losses: Losses): Message {
  const { at } = message;
  const role = message.word("role", ROLES);
  if (role === null) throw wrong(message.path("role"), "is missing");
  losses.loseRest(message.value, MESSAGE, { at, prefix: "messages[]." });
  if (role === "tool") {
    const parts = given(partsOf(message, losses));
    const result = { kind: "result", id: message.needText("tool_call_id"), parts, failed: false, at: message.path("content") } as const;
    return { role: "user", parts: [result], at };
  }
  if (role !== "assistant") return { role, parts: partsOf(message, losses), at };
  const refusal = message.text("refusal");
  const parts: Part[] = [
    ...reasoningOf(message),
    ...partsOf(message, losses),
    ...(refusal === null ? [] : [{ kind: "refusal", text: refusal, at: message.path("refusal") } as const]),
    ...message.objects("tool_calls").map((call) => callOf(call, losses)),
  ];
  return { role, parts, at };
}

/** Empty text says nothing, and the other dialects refuse it. */
function partsOf(message: Fields, losses: Losses): Part[] {
  const content = message.raw("content");
  const at = message.path("content");
  if (content === undefined || content === "") return [];
  if (typeof content === "string") return [{ kind: "text", text: content, at }];
  return message.objects("content").flatMap((part) => partOf(part, losses));
}

const PARTS = new Set(["text", "refusal", "image_url", "file"]);
const PART = new Set(["type", "text", "refusal", "image_url", "file", "cache_control", "prompt_cache_breakpoint"]);

function partOf(part: Fields, losses: Losses): Part[] {
  const { at } = part;
  const type = part.needText("type");
  if (!PARTS.has(type)) losses.lose("messages[].content[].type", part.path("type"));
  losses.loseRest(part.value, PART, { at, prefix: "messages[].content[]." });
  const mark = markOf(part, "messages[].content[].", losses);
  const marked = mark && { mark };
  switch (type) {
    case "text": {
      const text = part.needText("text");
      return text === "" ? [] : [{ kind: "text", text, ...marked, at }];
    }
    case "refusal":
      return [{ kind: "refusal", text: part.needText("refusal"), at }];
    case "image_url": {
      const image = part.needObject("image_url");
      losses.loseRestOf(image, "url detail", "messages[].content[].image_url");
      if (losses.to === "anthropic") losses.loseValue("messages[].content[].image_url.detail", image.path("detail"), image.raw("detail"));
      const detail = losses.to === "anthropic" ? null : image.text("detail");
      const source = sourceOf(image.needText("url"), image.path("url"));
      return [{ kind: "image", source, ...(detail !== null && { detail }), ...marked, at }];
    }
    default:
      return [fileOf(part.needObject("file"), losses, marked)];
  }
}

function fileOf(file: Fields, losses: Losses, marked: { mark: Mark } | null): Part {
  losses.loseRestOf(file, "file_data filename", "messages[].content[].file");
  const name = file.text("filename");
  const source = sourceOf(file.needText("file_data"), file.path("file_data"));
  return { kind: "document", source, ...(name !== null && { name }), ...marked, at: file.path("file_data") };
}

/** Anthropic's mark as some clients send it in this dialect, and OpenAI's own. */
function markOf(part: Fields, prefix: string, losses: Losses): Mark | null {
  if (losses.to !== "anthropic")
    for (const hint of ["cache_control", "prompt_cache_breakpoint"]) losses.loseValue(prefix + hint, part.path(hint), part.raw(hint));
  const control = part.object("cache_control");
  if (control) return { ttl: control.word("ttl", ["5m", "1h"]) };
  return part.object("prompt_cache_breakpoint") ? { ttl: null } : null;
}

const CALL = new Set(["id", "type", "index", "function", "custom", "cache_control"]);

function callOf(call: Fields, losses: Losses): CallPart {
  const type = call.text("type") ?? "function";
  if (type === "custom") {
    const made = call.needObject("custom");
    const [id, name, input] = [call.needText("id"), made.needText("name"), made.text("input") ?? ""];
    return { kind: "call", id, name, input, custom: true, at: call.at };
  }
  if (type !== "function") losses.lose("messages[].tool_calls[].type", call.path("type"));
  const made = call.needObject("function");
  losses.loseRest(call.value, CALL, { at: call.at, prefix: "messages[].tool_calls[]." });
  const mark = markOf(call, "messages[].tool_calls[].", losses);
  const input = made.text("arguments") || "{}";
  return { kind: "call", id: call.needText("id"), name: made.needText("name"), input, ...(mark && { mark }), at: call.at };
}

/** What the model thought, as answers of this gateway tell it (`reasoning_details`), or as a provider wants it back (`reasoning_content`). */
function reasoningOf(message: Fields): ReasoningPart[] {
  const details = message.objects("reasoning_details");
  if (details.length > 0) return details.map(detailOf);
  const text = message.text("reasoning_content") ?? message.text("reasoning");
  return text ? [{ kind: "reasoning", text, seal: { maker: "chat", data: "" }, at: message.path("reasoning_content") }] : [];
}

function detailOf(detail: Fields): ReasoningPart {
  const { at } = detail;
  if (detail.text("type") === "reasoning.encrypted") {
    const seal = { maker: "anthropic", data: detail.needText("data"), hidden: true } as const;
    return { kind: "reasoning", text: "", seal, at };
  }
  const signature = detail.text("signature") ?? "";
  const own = signature === "" ? null : ({ maker: "anthropic", data: signature } as const);
  return { kind: "reasoning", text: detail.text("text") ?? "", seal: unpack(signature)?.seal ?? own, at };
}

const FUNCTION = new Set(["name", "description", "parameters", "strict"]);

/** Its grammar stands in an object of its own. */
function customOf(tool: Fields, losses: Losses): Tool {
  const made = tool.needObject("custom");
  losses.loseRestOf(tool, "type custom cache_control prompt_cache_breakpoint", "tools[]");
  losses.loseRestOf(made, "name description format", "tools[].custom");
  const format = made.object("format");
  const free = (format?.word("type", ["text", "grammar"]) ?? "text") === "text";
  const told = format && !free ? format.needObject("grammar") : null;
  const grammar = told && { syntax: told.needText("syntax"), definition: told.needText("definition") };
  const mark = markOf(tool, "tools[].", losses);
  return {
    name: made.needText("name"),
    description: made.text("description"),
    schema: ONE_TEXT,
    strict: null,
    custom: { grammar },
    ...(mark && { mark }),
    at: tool.at,
  };
}

function toolOf(tool: Fields, losses: Losses): Tool {
  if (tool.needText("type") === "custom") return customOf(tool, losses);
  if (tool.needText("type") !== "function") losses.lose("tools[].type", tool.path("type"));
  const made = tool.needObject("function");
  losses.loseRestOf(tool, "type function cache_control prompt_cache_breakpoint", "tools[]");
  losses.loseRest(made.value, FUNCTION, { at: made.at, prefix: "tools[].function." });
  const mark = markOf(tool, "tools[].", losses);
  return {
    name: made.needText("name"),
    description: made.text("description"),
    schema: made.object("parameters")?.value ?? { type: "object", properties: {} },
    strict: made.flag("strict"),
    ...(mark && { mark }),
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
  if (asked.text("type") === "custom") return { kind: "one", name: asked.needObject("custom").needText("name") };
  if (asked.text("type") !== "function") losses.lose("tool_choice.type", asked.path("type"));
  return { kind: "one", name: asked.needObject("function").needText("name") };
}

function formatOf(body: Fields, losses: Losses): Format | null {
  const format = body.object("response_format");
  const type = format?.word("type", ["text", "json_object", "json_schema"]) ?? "text";
  if (!format || type === "text") return null;
  if (type === "json_object") {
    if (losses.to === "anthropic") losses.lose("response_format.json_object", format.path("type"));
    return { kind: "json" };
  }
  const asked = format.needObject("json_schema");
  if (losses.to === "anthropic") losses.loseValue("response_format.json_schema.name", asked.path("name"), asked.raw("name"));
  return {
    kind: "schema",
    name: asked.text("name"),
    description: asked.text("description"),
    schema: asked.needObject("schema").value,
    strict: asked.flag("strict"),
  };
}
