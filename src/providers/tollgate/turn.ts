import { type Fields, fieldsOf } from "#core";

/** A tool as any of the dialects offers it. */
export interface Tool {
  readonly name: string;
  readonly schema: Fields;
}

/** What the built-in models understand of a request, whatever its dialect. */
export interface Turn {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly inputTokens: number;
  readonly maxTokens: number;
  readonly userText: string;
  readonly toolResult: string | null;
  readonly tools: readonly Tool[];
  /** The tool that must be called, if the request forces one. */
  readonly forced: string | null;
}

/** What the built-in models answer: text or one tool call, in token-sized pieces. */
export interface Answer {
  readonly tool: string | null;
  readonly pieces: readonly string[];
  readonly truncated: boolean;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** Splits text into tokens of at most four visible characters, each with the white space before it; joined they are the text. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,4}|\s+$/gu) ?? [];
}

/** Text of a message's content in any dialect: a string, or parts with `text`, `content` or `output`. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textOf).filter(Boolean).join("\n");
  const part = fieldsOf(content);
  const inner = part["text"] ?? part["content"] ?? part["output"];
  return inner === undefined || inner === null ? "" : textOf(inner);
}

function messagesOf(body: Fields): readonly Fields[] {
  const source = body["messages"] ?? body["input"] ?? body["prompt"];
  if (typeof source === "string") return [{ role: "user", content: source }];
  return listOf(source).map((item) => (typeof item === "string" ? { role: "user", content: item } : fieldsOf(item)));
}

function toolResultOf(message: Fields | undefined): string | null {
  if (message === undefined) return null;
  if (message["role"] === "tool" || message["type"] === "function_call_output") return textOf(message);
  const result = listOf(message["content"]).find((part) => fieldsOf(part)["type"] === "tool_result");
  return result === undefined ? null : textOf(result);
}

function toolsOf(body: Fields): Tool[] {
  if (body["tool_choice"] === "none" || fieldsOf(body["tool_choice"])["type"] === "none") return [];
  return listOf(body["tools"]).flatMap((item) => {
    const tool = fieldsOf(fieldsOf(item)["function"] ?? item);
    return typeof tool["name"] === "string" ? [{ name: tool["name"], schema: fieldsOf(tool["parameters"] ?? tool["input_schema"]) }] : [];
  });
}

function forcedTool(choice: unknown, tools: readonly Tool[]): string | null {
  const fields = fieldsOf(choice);
  if (choice === "required" || fields["type"] === "any") return tools[0]?.name ?? null;
  const name = fields["name"] ?? fieldsOf(fields["function"])["name"];
  return tools.find((tool) => tool.name === name)?.name ?? null;
}

function maxTokensOf(body: Fields): number {
  const given = body["max_completion_tokens"] ?? body["max_output_tokens"] ?? body["max_tokens"];
  return typeof given === "number" && given >= 1 ? Math.floor(given) : 4096;
}

/** Reads a request of any dialect. */
export function readTurn(body: Fields): Turn {
  const messages = messagesOf(body);
  const tools = toolsOf(body);
  const prompt = [textOf(body["system"] ?? body["instructions"]), ...messages.map(textOf)].join("\n");
  const offered = body["tools"] === undefined ? "" : JSON.stringify(body["tools"]);
  return {
    model: typeof body["model"] === "string" ? body["model"].replace(/^tollgate\//, "") : "",
    stream: body["stream"] === true,
    includeUsage: fieldsOf(body["stream_options"])["include_usage"] === true,
    inputTokens: tokensOf(prompt).length + tokensOf(offered).length + 4 * messages.length,
    maxTokens: maxTokensOf(body),
    userText: textOf(messages.findLast((message) => message["role"] === "user")),
    toolResult: toolResultOf(messages.at(-1)),
    tools,
    forced: forcedTool(body["tool_choice"], tools),
  };
}

function valueOf(schema: Fields, userText: string): unknown {
  const allowed = listOf(schema["enum"]);
  if (allowed.length > 0) return allowed[0];
  switch (schema["type"]) {
    case "number":
    case "integer":
      return 0;
    case "boolean":
      return false;
    case "array":
      return [];
    case "object":
      return argumentsOf(schema, userText);
    default:
      return userText.slice(0, 80);
  }
}

function argumentsOf(schema: Fields, userText: string): Fields {
  const properties = fieldsOf(schema["properties"]);
  const names = listOf(schema["required"]).filter((name) => typeof name === "string");
  return Object.fromEntries(names.map((name) => [name, valueOf(fieldsOf(properties[name]), userText)]));
}

/** Answers a turn, the same way every time. A tool call that does not fit the token limit becomes text, so that its JSON is never cut. */
export function answerTo(turn: Turn): Answer {
  if (turn.toolResult === null) {
    const tool = turn.tools.find(({ name }) => name === turn.forced || (turn.forced === null && turn.userText.includes(name)));
    const pieces = tool ? tokensOf(JSON.stringify(argumentsOf(tool.schema, turn.userText))) : [];
    if (tool && pieces.length <= turn.maxTokens) return { tool: tool.name, pieces, truncated: false };
  }
  const pieces = tokensOf(turn.toolResult === null ? `You said: ${turn.userText}` : `The tool answered: ${turn.toolResult}`);
  return { tool: null, pieces: pieces.slice(0, turn.maxTokens), truncated: pieces.length > turn.maxTokens };
}
