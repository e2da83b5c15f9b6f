import { fieldsOf, TollgateError } from "#core";
import type { Here, Json } from "./contract.ts";

/** What an item's id begins with, by its type, as the vendor's do. */
const PREFIXES: Readonly<Record<string, string>> = {
  message: "msg",
  reasoning: "rs",
  function_call: "fc",
  function_call_output: "fco",
  custom_tool_call: "ctc",
  custom_tool_call_output: "ctco",
};

/** A request's input as items: a text is a message of the user's, and what is no object says nothing. */
export function itemsOf(input: unknown): Json[] {
  if (typeof input === "string") return [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }];
  return Array.isArray(input) ? input.map(fieldsOf) : [];
}

/** The same with an id for each, as they can be listed; `response` is the id of the one that was given them. */
export function listed(items: readonly Json[], response: string): Json[] {
  const word = response.replaceAll(/[^a-zA-Z0-9]/g, "").slice(-32);
  return items.map((item, index) => {
    const type = typeof item["type"] === "string" ? item["type"] : "message";
    const id = typeof item["id"] === "string" ? item["id"] : `${PREFIXES[type] ?? "item"}_${word}_in${index}`;
    return { ...item, id, type, ...(typeof item["content"] === "string" && { content: contentOf(item["content"], item["role"]) }) };
  });
}

function contentOf(text: string, role: unknown): Json[] {
  return [role === "assistant" ? { type: "output_text", text, annotations: [] } : { type: "input_text", text }];
}

/** A response with what led to it: what the next turn goes on from. */
export function conversationOf({ input, response }: Here): Json[] {
  return [...input, ...itemsOf(response["output"])];
}

/** The item of that id, in a response or before it; null where there is none. */
export function itemIn(here: Here, id: string): Json | null {
  return conversationOf(here).find((item) => item["id"] === id) ?? null;
}

/** The response that an item is of, where its id tells: those that are made here do. */
export function responseOf(item: string): string | null {
  const word = /^[a-z]+_([0-9a-f]{32})(?:_(?:in)?\d+)?$/.exec(item)?.[1];
  return word === undefined ? null : `resp_${word}`;
}

/** Which of a response's input is asked for: `after` is an item's id. */
export interface Slice {
  readonly after: string | null;
  readonly limit: number;
  readonly order: "asc" | "desc";
}

/** A page of a response's input, in the vendor's shape. @throws TollgateError `invalid_request` for an `after` that is not there. */
export function inputPage({ input }: Here, { after, limit, order }: Slice): Json {
  const ordered = order === "asc" ? input : input.toReversed();
  const from = after === null ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== null && from === 0) throw new TollgateError("invalid_request", "after names no item of this response", { param: "after" });
  const data = ordered.slice(from, from + limit);
  const [first, last] = [data[0]?.["id"] ?? null, data.at(-1)?.["id"] ?? null];
  return { object: "list", data, first_id: first, last_id: last, has_more: from + limit < ordered.length };
}
