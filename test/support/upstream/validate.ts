/**
 * What the vendors refuse, in the words that they publish and that their users quote: each function returns the message of the first
 * thing that is wrong with a request, or null.
 */

type Json = Readonly<Record<string, unknown>>;

const objects = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const ID = /^[a-zA-Z0-9_-]+$/;
const IMAGES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** Thinking as this vendor closed it: text and signature belong together. */
export interface Thought {
  readonly thinking: string;
  readonly signature: string;
}

/** Messages: https://docs.claude.com/en/api/errors, …/build-with-claude/extended-thinking, …/tool-use/implement-tool-use. */
export function refusedMessages(body: Json, own: Thought): string | null {
  return refusedSettings(body) ?? refusedTurns(objects(body["messages"]), own) ?? refusedThinking(body) ?? refusedTools(body);
}

function refusedSettings({ max_tokens, thinking, temperature, tool_choice }: Json): string | null {
  if (max_tokens === undefined) return "max_tokens: Field required";
  if (typeof temperature === "number" && temperature > 1) return "temperature: Input should be less than or equal to 1";
  const { type, budget_tokens } = (thinking ?? {}) as { type?: string; budget_tokens?: number };
  if (type !== "enabled") return null;
  if ((budget_tokens ?? 0) < 1_024) return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
  if (budget_tokens! >= Number(max_tokens)) {
    return "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size";
  }
  if (temperature !== undefined && temperature !== 1) return "`temperature` may only be set to 1 when thinking is enabled.";
  const forced = ["any", "tool"].includes((tool_choice as { type?: string } | undefined)?.type ?? "");
  return forced ? "Thinking may not be enabled when tool_choice forces tool use." : null;
}

/** Tool results answer the calls of the turn before, every call is answered, and thinking comes back as it was. */
function refusedTurns(messages: readonly Json[], own: Thought): string | null {
  let open = new Set<string>();
  const seen = new Set<string>();
  for (const [at, { role, content }] of messages.entries()) {
    if (content === "" && at < messages.length - 1)
      return `messages.${at}: all messages must have non-empty content except for the optional final assistant message`;
    const blocks = objects(content);
    for (const [index, block] of blocks.entries()) {
      const wrong = refusedBlock(block, `messages.${at}.content.${index}`, own);
      if (wrong !== null) return wrong;
    }
    for (const [index, { tool_use_id = "" }] of blocks.filter(({ type }) => type === "tool_result").entries()) {
      if (!open.delete(tool_use_id as string) || blocks[index]?.["type"] !== "tool_result") {
        return `messages.${at}.content.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(tool_use_id)}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`;
      }
    }
    if (open.size > 0) {
      return `messages.${at - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...open].join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`;
    }
    const calls = blocks.filter(({ type }) => type === "tool_use").map(({ id }) => String(id));
    if (calls.length > 0 && role !== "assistant") return `messages.${at}: \`tool_use\` blocks can only be in \`assistant\` messages`;
    if (calls.some((id) => seen.has(id)) || new Set(calls).size < calls.length) return "messages: `tool_use` ids must be unique";
    for (const id of calls) seen.add(id);
    open = new Set(calls);
  }
  return null;
}

function refusedBlock(block: Json, at: string, own: Thought): string | null {
  switch (block["type"]) {
    case "text":
      return block["text"] === "" ? "messages: text content blocks must be non-empty" : null;
    case "thinking":
      return block["signature"] === own.signature && block["thinking"] === own.thinking
        ? null
        : `${at}: Invalid \`signature\` in \`thinking\` block`;
    case "tool_use":
      if (!ID.test(String(block["id"]))) return `${at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`;
      return typeof block["input"] === "object" ? null : `${at}.tool_use.input: Input should be a valid dictionary`;
    case "image": {
      const { type, media_type } = (block["source"] ?? {}) as { type?: string; media_type?: string };
      if (type !== "base64" || IMAGES.includes(media_type ?? "")) return null;
      return `${at}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'`;
    }
    default:
      return null;
  }
}

/** A turn that goes on after tools must begin with the thinking that led to them. */
function refusedThinking({ thinking, messages }: Json): string | null {
  if ((thinking as { type?: string } | undefined)?.type !== "enabled") return null;
  const turns = objects(messages);
  const at = turns.findLastIndex(({ role }) => role === "assistant");
  const after = objects(turns[at + 1]?.["content"]);
  const [first] = objects(turns[at]?.["content"]);
  if (!first || !after.some(({ type }) => type === "tool_result") || String(first["type"]).endsWith("thinking")) return null;
  return `messages.${at}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${String(first["type"])}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks).`;
}

function refusedTools({ tools }: Json): string | null {
  const own = objects(tools).filter(({ type = "custom" }) => type === "custom");
  if (new Set(own.map(({ name }) => name)).size < own.length) return "tools: Tool names must be unique.";
  const at = own.findIndex(({ input_schema }) => (input_schema as Json | undefined)?.["type"] !== "object");
  return at === -1 ? null : `tools.${at}.custom.input_schema.type: Field required`;
}

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];
const CHAT_ID_MAX = 40;

/** Chat Completions: https://platform.openai.com/docs/api-reference/chat/create, …/guides/function-calling. */
export function refusedChat(body: Json): string | null {
  return refusedChatTurns(objects(body["messages"])) ?? refusedChatShape(body);
}

function refusedChatTurns(messages: readonly Json[]): string | null {
  let open = new Set<string>();
  for (const [at, message] of messages.entries()) {
    const { tool_call_id, content } = message;
    const role = message["role"] as string | undefined;
    // Tests of bodies without any meaning want an answer.
    if (role === undefined) continue;
    if (!ROLES.includes(role))
      return `Invalid value: '${role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.`;
    if (role === "tool") {
      if (!open.delete(String(tool_call_id)))
        return `Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. [${at}]`;
      continue;
    }
    if (open.size > 0) break;
    const calls = objects(message["tool_calls"]);
    if ((content === null || content === undefined) && calls.length === 0 && role !== "assistant")
      return `Invalid value for 'content': expected a string, got null.`;
    const long = calls.findIndex(({ id }) => String(id).length > CHAT_ID_MAX);
    if (long !== -1) {
      const { length } = String(calls[long]!["id"]);
      return `Invalid 'messages[${at}].tool_calls[${long}].id': string too long. Expected a string with maximum length 40, but got a string with length ${length} instead.`;
    }
    open = new Set(calls.map(({ id }) => String(id)));
  }
  if (open.size === 0) return null;
  return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...open].join(", ")}`;
}

const PDF = "data:application/pdf";
const PARTS = ["text", "image_url", "input_audio", "refusal", "audio", "file"];

function refusedChatShape({ messages, tools, response_format, stop }: Json): string | null {
  for (const [at, { content }] of objects(messages).entries()) {
    const part = objects(content).findIndex(({ type }) => !PARTS.includes(String(type)));
    if (part !== -1) {
      const { type } = objects(content)[part]!;
      return `Invalid value: '${String(type)}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'. [messages[${at}].content[${part}].type]`;
    }
  }
  const files = objects(messages).flatMap(({ content }) => objects(content).filter(({ type }) => type === "file"));
  const other = files.map(({ file }) => (file as Json)["file_data"]).find((each) => typeof each === "string" && !each.startsWith(PDF));
  if (other !== undefined) return "Invalid file data: 'file_data'. Expected a base64-encoded data URL with an application/pdf MIME type.";
  const named = objects(tools).findIndex(({ function: made }) => made !== undefined && !ID.test(String((made as Json)["name"])));
  if (named !== -1)
    return `Invalid 'tools[${named}].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`;
  if (Array.isArray(stop) && stop.length > 4)
    return `Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length ${stop.length} instead.`;
  const wantsJson = (response_format as Json | undefined)?.["type"] === "json_object";
  return wantsJson && !/json/i.test(JSON.stringify(messages))
    ? "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    : null;
}

/** Responses: https://platform.openai.com/docs/guides/conversation-state, …/guides/reasoning. `stored` are calls known by reference. */
export function refusedResponses(body: Json, stored: Readonly<Record<string, string>>, closed: string): string | null {
  const items = objects(body["input"]);
  const strange = items.findIndex((item: unknown) => typeof item !== "object" || item === null || Array.isArray(item));
  if (strange !== -1) return `Invalid type for 'input[${strange}]': expected an input item.`;
  const ids = (type: string) => items.filter((item) => item["type"] === type).map(({ call_id }) => String(call_id));
  const referred = items.flatMap(({ type, id }) => (type === "item_reference" && stored[String(id)] ? [stored[String(id)]!] : []));
  const [calls, outputs] = [[...ids("function_call"), ...referred], ids("function_call_output")];
  const orphan = outputs.find((id) => !calls.includes(id));
  if (orphan !== undefined) return `No tool call found for function call output with call_id ${orphan}.`;
  const unanswered = calls.find((id) => !outputs.includes(id));
  if (unanswered !== undefined) return `No tool output found for function call ${unanswered}.`;
  const forged = items.find(
    ({ type, encrypted_content: content }) => type === "reasoning" && typeof content === "string" && content !== closed,
  );
  if (forged) return `The encrypted content for item ${String(forged["id"])} could not be verified.`;
  for (const [at, { role, content }] of items.entries()) {
    const allowed = role === "assistant" ? ["output_text", "refusal"] : ["input_text", "input_image", "input_file", "input_audio"];
    const part = objects(content).findIndex(({ type }) => role !== undefined && !allowed.includes(String(type)));
    if (part !== -1)
      return `Invalid value: '${String(objects(content)[part]!["type"])}'. Supported values are: ${allowed.map((each) => `'${each}'`).join(", ")}. [input[${at}].content[${part}]]`;
  }
  return null;
}

const FIELDS = {
  messages:
    "model messages max_tokens system metadata stop_sequences stream temperature top_p top_k tools tool_choice thinking output_config service_tier cache_control container inference_geo speed",
  chat: "model messages max_tokens max_completion_tokens stream stream_options temperature top_p stop tools tool_choice parallel_tool_calls response_format user safety_identifier reasoning_effort service_tier verbosity metadata store prompt_cache_key prompt_cache_retention prompt_cache_options moderation seed n logprobs",
  responses:
    "model input instructions max_output_tokens stream temperature top_p tools tool_choice parallel_tool_calls text reasoning include store user safety_identifier service_tier metadata prompt_cache_key prompt_cache_retention prompt_cache_options moderation",
} as const;

/** A field that the vendor does not know, in its words. Only who asks for it is held to this: a gateway passes what it does not know. */
export function refusedField(kind: keyof typeof FIELDS, body: Json): string | null {
  const unknown = Object.keys(body).find((name) => !FIELDS[kind].split(" ").includes(name));
  if (unknown === undefined) return null;
  if (kind === "messages") return `${unknown}: Extra inputs are not permitted`;
  return kind === "chat" ? `Unrecognized request argument supplied: ${unknown}` : `Unknown parameter: '${unknown}'.`;
}
