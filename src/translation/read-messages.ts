import { wrong } from "#wire";
import type {
  Conversation,
  DocumentPart,
  Format,
  ImagePart,
  Mark,
  Message,
  Part,
  ResultPart,
  Source,
  TextPart,
  Tool,
  ToolChoice,
} from "./conversation.ts";
import { type Effort, LEVELS } from "./effort.ts";
import type { Fields } from "./fields.ts";
import { toolIdFrom } from "./ids.ts";
import { given } from "./fits.ts";
import type { Losses } from "./losses.ts";
import { base64Of, sourceOf } from "./media.ts";
import { unpack } from "./seal.ts";

const CARRIED = new Set(
  "model messages system max_tokens stream temperature top_p stop_sequences tools tool_choice thinking output_config metadata service_tier".split(
    " ",
  ),
);

/** Reads a request of Messages. @throws TollgateError `invalid_request` naming the field. */
export function readMessages(body: Fields, losses: Losses): Conversation {
  losses.loseRest(body.value, CARRIED);
  const choice = body.object("tool_choice");
  const system = partsOf(body, "system", losses);
  const turns = body.objects("messages").map((message) => messageOf(message, losses));
  const last = turns.at(-1);
  if (last?.role === "assistant") losses.lose("messages[]", last.at);
  const tier = body.word("service_tier", ["auto", "standard_only"]);
  return {
    model: body.needText("model"),
    stream: body.flag("stream") ?? false,
    messages: [...(system.length > 0 ? [{ role: "system", parts: system, at: "system" } as const] : []), ...turns],
    tools: body.objects("tools").map((tool) => toolOf(tool, losses)),
    toolChoice: choice && choiceOf(choice, losses),
    parallel: choice?.flag("disable_parallel_tool_use") === true ? false : null,
    maxTokens: body.number("max_tokens"),
    temperature: body.number("temperature"),
    topP: body.number("top_p"),
    stop: body.texts("stop_sequences"),
    effort: effortOf(body, losses),
    format: formatOf(body, losses),
    verbosity: null,
    endUser: endUserOf(body, losses),
    tier: tier === "standard_only" ? "standard" : tier,
    kin: {},
  };
}

/** OpenAI takes no longer name, and coding agents have one. */
const USER_MAX = 64;

function endUserOf(body: Fields, losses: Losses): string | null {
  const metadata = body.object("metadata");
  if (metadata) losses.loseRestOf(metadata, "user_id");
  const user = metadata?.text("user_id") ?? null;
  if (user === null || user.length <= USER_MAX) return user;
  losses.lose("metadata.user_id", "metadata.user_id");
  return null;
}

function messageOf(message: Fields, losses: Losses): Message {
  const role = message.word("role", ["user", "assistant", "system"]);
  if (role === null) throw wrong(message.path("role"), "is missing");
  return { role, parts: partsOf(message, "content", losses), at: message.at };
}

function partsOf(holder: Fields, name: string, losses: Losses): Part[] {
  const content = holder.raw(name);
  if (content === undefined || content === "") return [];
  if (typeof content === "string") return [{ kind: "text", text: content, at: holder.path(name) }];
  return holder.objects(name).flatMap((block) => partOf(block, losses));
}

const BLOCK = "messages[].content[].";
const KNOWN: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(["type", "text", "cache_control", "citations"]),
  image: new Set(["type", "source", "cache_control"]),
  document: new Set(["type", "source", "title", "cache_control"]),
  tool_use: new Set(["type", "id", "name", "input", "cache_control"]),
  tool_result: new Set(["type", "tool_use_id", "content", "is_error", "cache_control"]),
  thinking: new Set(["type", "thinking", "signature"]),
  redacted_thinking: new Set(["type", "data"]),
};

function partOf(block: Fields, losses: Losses): Part[] {
  const { at } = block;
  const type = block.needText("type");
  const known = KNOWN[type];
  if (!known) losses.lose(`${BLOCK}type`, block.path("type"));
  else losses.loseRest(block.value, known, { at, prefix: BLOCK });
  const mark = markOf(block, losses);
  switch (type) {
    case "text":
      return textOf(block, mark, losses);
    case "image":
      return [imageOf(block, mark, losses)];
    case "document":
      return [documentOf(block, mark, losses)];
    case "tool_use": {
      const input = JSON.stringify(block.object("input")?.value ?? {});
      return [{ kind: "call", id: toolIdFrom(block.needText("id")), name: block.needText("name"), input, ...mark, at }];
    }
    case "tool_result":
      return [resultOf(block, mark, losses)];
    case "thinking":
      return [thoughtOf(block)];
    default:
      return [{ kind: "reasoning", text: "", seal: { maker: "anthropic", data: block.needText("data"), hidden: true }, at }];
  }
}

type Marked = { readonly mark: Mark } | null;

/** OpenAI's dialects have a mark for their newest models only, so that this one is lost on the way there. */
function markOf(block: Fields, losses: Losses): Marked {
  const control = block.object("cache_control");
  if (!control) return null;
  losses.lose(block.at.startsWith("system") ? "system[].cache_control" : `${BLOCK}cache_control`, block.path("cache_control"));
  return { mark: { ttl: control.word("ttl", ["5m", "1h"]) } };
}

function textOf(block: Fields, mark: Marked, losses: Losses): TextPart[] {
  losses.loseValue(`${BLOCK}citations[]`, block.path("citations"), block.raw("citations"));
  const text = block.needText("text");
  return text === "" ? [] : [{ kind: "text", text, ...mark, at: block.at }];
}

function sourceIn(block: Fields, losses: Losses): Source {
  const source = block.needObject("source");
  losses.loseRestOf(source, "type media_type data url file_id content", `${BLOCK}source`);
  switch (source.needText("type")) {
    case "base64":
      return { kind: "data", mediaType: source.needText("media_type"), base64: source.needText("data") };
    case "url":
      return sourceOf(source.needText("url"), source.path("url"));
    case "text":
      return { kind: "data", mediaType: "text/plain", base64: base64Of(source.needText("data")) };
    default:
      losses.lose(`${BLOCK}source.type`, source.path("type"));
      throw wrong(source.path("type"), "is not known");
  }
}

function imageOf(block: Fields, mark: Marked, losses: Losses): ImagePart {
  return { kind: "image", source: sourceIn(block, losses), ...mark, at: block.at };
}

function documentOf(block: Fields, mark: Marked, losses: Losses): DocumentPart {
  const name = block.text("title");
  return { kind: "document", source: sourceIn(block, losses), ...(name !== null && { name }), ...mark, at: block.path("source") };
}

function resultOf(block: Fields, mark: Marked, losses: Losses): ResultPart {
  const parts = given(partsOf(block, "content", losses));
  return {
    kind: "result",
    id: toolIdFrom(block.needText("tool_use_id")),
    parts,
    failed: block.flag("is_error") ?? false,
    ...mark,
    at: block.path("content"),
  };
}

function thoughtOf(block: Fields): Part {
  const { at } = block;
  const signature = block.text("signature") ?? "";
  const own = signature === "" ? null : ({ maker: "anthropic", data: signature } as const);
  return { kind: "reasoning", text: block.text("thinking") ?? "", seal: unpack(signature)?.seal ?? own, at };
}

const TOOL = new Set(["type", "name", "description", "input_schema", "input_examples", "strict", "cache_control"]);

function toolOf(tool: Fields, losses: Losses): Tool {
  const { at } = tool;
  const type = tool.text("type");
  if (type !== null && type !== "custom") losses.lose("tools[].type", tool.path("type"));
  losses.loseRest(tool.value, TOOL, { at, prefix: "tools[]." });
  losses.loseValue("tools[].cache_control", tool.path("cache_control"), tool.raw("cache_control"));
  return {
    name: tool.needText("name"),
    description: withExamples(tool),
    schema: tool.needObject("input_schema").value,
    strict: tool.flag("strict"),
    at,
  };
}

/** Examples have no field of their own elsewhere: they are told in words. */
function withExamples(tool: Fields): string | null {
  const [description, examples] = [tool.text("description"), tool.list("input_examples")];
  if (examples.length === 0) return description;
  const told = ["Examples of its input:", ...examples.map((each) => JSON.stringify(each))].join("\n");
  return description === null ? told : `${description}\n\n${told}`;
}

function choiceOf(choice: Fields, losses: Losses): ToolChoice {
  const type = choice.needText("type");
  if (type === "auto" || type === "none" || type === "any") return { kind: type };
  if (type !== "tool") losses.lose("tool_choice.type", choice.path("type"));
  return { kind: "one", name: choice.needText("name") };
}

/**
 * Thinking that is off is not asked for: most models of other vendors would not know the word. Nor is what the model decides for itself,
 * which is what others do unasked.
 */
function effortOf(body: Fields, losses: Losses): Effort | null {
  const level = body.object("output_config")?.word("effort", LEVELS) ?? null;
  const thinking = body.object("thinking");
  if (!thinking) return level === null ? null : { level, budgetTokens: null, shown: null };
  losses.loseRestOf(thinking, "type budget_tokens");
  const type = thinking.needText("type");
  if (type === "disabled") return null;
  if (type !== "enabled" && type !== "adaptive") losses.lose("thinking.type", "thinking.type");
  const budgetTokens = type === "enabled" ? thinking.number("budget_tokens") : null;
  if (level === null && budgetTokens === null) return null;
  return { level, budgetTokens, shown: thinking.text("display") !== "omitted" };
}

const OUTPUT = new Set(["effort", "format"]);

function formatOf(body: Fields, losses: Losses): Format | null {
  const config = body.object("output_config");
  if (!config) return null;
  losses.loseRest(config.value, OUTPUT, { at: "output_config", prefix: "output_config." });
  const format = config.object("format");
  if (!format) return null;
  if (format.needText("type") !== "json_schema") throw wrong(format.path("type"), "must be json_schema");
  return { kind: "schema", name: null, description: null, schema: format.needObject("schema").value, strict: true };
}
