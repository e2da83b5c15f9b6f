import { type Fields, fieldsOf, type Usage } from "#core";
import { isCount, pieces } from "./usage.ts";

/** What an answer shows to have been made or called that vendors bill by the piece, beside the tokens. */
export type Pieces = Partial<Pick<Usage, "images" | "webSearches" | "fileSearches" | "extras">>;

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** Opening a page that was found, or looking for a text in it, is not billed (OpenAI's guide to web search). */
const READING = new Set<unknown>(["open_page", "find_in_page"]);
/** OpenAI's earlier search, which models that do not reason are billed another price for. */
const PREVIEW = /^web_search_preview/;

/**
 * Pieces of a Responses object: by the vendor's own count of what it bills where it tells one (OpenAI's `tool_usage`, xAI's
 * `server_side_tool_usage_details`), else by the items of the output.
 */
export function responsesPieces(response: unknown): Pieces {
  const fields = fieldsOf(response);
  const told = fieldsOf(fieldsOf(fields["usage"])["server_side_tool_usage_details"]);
  if (Object.keys(told).length > 0) return toldPieces(told);
  const items = listOf(fields["output"]);
  const of = (type: string) => items.filter((item) => item["type"] === type);
  const billed = fieldsOf(fieldsOf(fields["tool_usage"])["web_search"])["num_requests"];
  const shown = of("web_search_call").filter(({ action }) => !READING.has(fieldsOf(action)["type"])).length;
  const searches = isCount(billed) ? pieces(billed) : pieces(shown);
  const otherPrice = listOf(fields["tools"]).some(({ type }) => PREVIEW.test(String(type))) && !reasons(fields);
  return {
    images: pieces(of("image_generation_call").length),
    fileSearches: pieces(of("file_search_call").length),
    webSearches: otherPrice ? 0 : searches,
    extras: containersOf(items) + (otherPrice ? searches : 0),
  };
}

/** Whether the model reasons: an answer names the effort of those that do. */
function reasons(response: Fields): boolean {
  return typeof fieldsOf(response["reasoning"])["effort"] === "string";
}

/** Containers that code ran in: each is billed once, however often it was called. */
function containersOf(items: readonly Fields[]): number {
  const used = items.flatMap((item, at) => {
    if (item["type"] === "code_interpreter_call") return [item["container_id"] ?? at];
    const { type, container_id } = fieldsOf(item["environment"]);
    return item["type"] === "shell_call" && String(type).startsWith("container") ? [container_id ?? at] : [];
  });
  return pieces(new Set(used).size);
}

/** xAI's counters of successful calls, by what its price list calls them; calls of the client's own servers are free. */
function toldPieces(told: Fields): Pieces {
  const { web_search_calls, x_search_calls, file_search_calls, image_generation_calls, mcp_calls: _free, ...others } = told;
  return {
    images: pieces(image_generation_calls),
    fileSearches: pieces(file_search_calls),
    webSearches: pieces(web_search_calls) + pieces(x_search_calls),
    extras: pieces(Object.values(others).reduce<number>((sum, each) => sum + pieces(each), 0)),
  };
}

/** OpenAI's models that search before each answer, in Chat Completions; nothing else in the answer counts their searches. */
const SEARCHES = /^gpt-[\w.-]*-search-(preview|api)(-|$)/;

/** Searches that a chat answer must have made, by the model that names itself in it. */
export function searchesOf(model: unknown): number {
  return typeof model === "string" && SEARCHES.test(model) ? 1 : 0;
}

/** Calls of tools that Groq runs itself, by their place among the answer's. */
export function executedTools(message: Fields): readonly unknown[] {
  return listOf(message["executed_tools"]).map(({ index }, at) => (typeof index === "number" ? index : at));
}

const CODE = /^(bash_|text_editor_)?code_execution$/;

/** Whether a content block of a message calls Anthropic's code execution, whose container is billed by its time. */
export function runsCode({ type, name }: Fields): boolean {
  return type === "server_tool_use" && CODE.test(String(name));
}
