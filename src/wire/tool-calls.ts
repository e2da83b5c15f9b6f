import { type Capability, type Fields, fieldsOf, isObject } from "#core";
import { SseReader } from "./sse.ts";

/** A call of a tool that a model has made, as an answer tells it. */
export interface CalledTool {
  /** As the answer names it; empty where it does not. */
  readonly id: string;
  /** The tool's name; of one of the vendor's own its type, of one in a namespace both. */
  readonly name: string;
  /** The text of a JSON value, or a text in the tool's own form. */
  readonly input: string;
}

/** The calls of a whole JSON answer, in order. */
export function callsInAnswer(capability: Capability, text: string): CalledTool[] {
  const answer = parsed(text);
  switch (capability) {
    case "chat.completions":
      return objects(answer["choices"]).flatMap((choice) => callsOfMessage(fieldsOf(choice["message"])));
    case "messages":
      return objects(answer["content"]).flatMap((block) => callOfBlock(block) ?? []);
    case "responses":
      return callsOfItems(answer["output"]);
    default:
      return [];
  }
}

/** Tells the calls of a stream as they become whole: at the latest with the event from which a client may take one for whole. */
export class CallReader {
  readonly #events: SseReader;
  readonly #found: CalledTool[] = [];
  /** Calls that have begun, by where they stand. */
  readonly #open = new Map<string, CalledTool & { readonly choice: string; readonly fresh: boolean }>();
  /** Calls of Responses are told up to three times. */
  readonly #told = new Set<string>();

  constructor(capability: Capability) {
    const see = SEEING[capability];
    this.#events = new SseReader((data) => see && see(this, parsed(data), data));
  }

  /** Takes the bytes of whole events; answers the calls that they complete. */
  push(bytes: Uint8Array): CalledTool[] {
    this.#events.push(bytes);
    return this.#found.splice(0);
  }

  /** A call begins with what it says at once; pieces take the place of its input. */
  begin(at: string, call: CalledTool): void {
    this.#open.set(at, { ...call, choice: "", fresh: true });
  }

  /** A piece of a call. A name that is told again is the same name; two names are none that anybody knows. */
  grow(at: string, choice: string, { id, name, input }: CalledTool): void {
    const open = this.#open.get(at) ?? { id: "", name: "", input: "", fresh: true };
    const named = name === "" || name === open.name ? open.name : open.name + name;
    this.#open.set(at, { id: open.id || id, name: named, input: (open.fresh ? "" : open.input) + input, choice, fresh: false });
  }

  /** Takes what has begun for whole: all of it, or what stands at a place or in a choice. */
  close(where: (at: string, choice: string) => boolean = () => true): void {
    for (const [at, { id, name, input, choice }] of this.#open) {
      if (!where(at, choice)) continue;
      this.#open.delete(at);
      this.#found.push({ id, name, input });
    }
  }

  /** What has begun at a place. */
  begun(at: string): Pick<CalledTool, "id" | "name"> | undefined {
    return this.#open.get(at);
  }

  /** A call that is told whole; told again as the same it is the same. */
  tell(call: CalledTool): void {
    const mark = JSON.stringify(call);
    if (this.#told.has(mark)) return;
    this.#told.add(mark);
    this.#found.push(call);
  }
}

const SEEING: Readonly<Partial<Record<Capability, (reader: CallReader, event: Fields, data: string) => void>>> = {
  "chat.completions": seeChunk,
  messages: seeBlock,
  responses: seeItem,
};

/** Chat Completions: a call is whole when the next one begins, or when its choice gives its reason to end. */
function seeChunk(reader: CallReader, chunk: Fields, data: string): void {
  if (data.trim() === "[DONE]") reader.close();
  for (const { index, delta, message, finish_reason: over } of objects(chunk["choices"])) {
    const choice = place(index);
    for (const call of callsOfMessage(fieldsOf(message))) reader.tell(call);
    const { tool_calls: calls, function_call: legacy } = fieldsOf(delta);
    const pieces = [...objects(calls), ...(isObject(legacy) ? [{ index: "legacy", function: legacy }] : [])];
    for (const piece of pieces) {
      const at = `${choice}.${place(piece["index"])}`;
      reader.close((other, owner) => owner === choice && other !== at);
      reader.grow(at, choice, callOfPiece(piece));
    }
    if (typeof over === "string") reader.close((_, owner) => owner === choice);
  }
}

/** Messages: a call is whole where its block stops, and where the message does. */
function seeBlock(reader: CallReader, event: Fields): void {
  const { type, index } = event;
  const at = place(index);
  if (type === "content_block_start") {
    reader.close();
    const call = callOfBlock(fieldsOf(event["content_block"]));
    if (call) reader.begin(at, call);
  } else if (type === "content_block_delta" && reader.begun(at)) {
    const { partial_json: piece } = fieldsOf(event["delta"]);
    if (typeof piece === "string") reader.grow(at, "", { id: "", name: "", input: piece });
  } else if (type === "content_block_stop") reader.close((place) => place === at);
  else if (type === "message_delta" || type === "message_stop") reader.close();
}

/** Responses: a call is told when its arguments are done, again when its item is, and again with the whole. */
function seeItem(reader: CallReader, event: Fields): void {
  const { type, item, output_index: index, arguments: whole, input } = event;
  const at = place(index);
  if (type === "response.output_item.added") {
    const call = callOfItem(fieldsOf(item));
    if (call) reader.begin(at, call);
  } else if (type === "response.function_call_arguments.done" || type === "response.custom_tool_call_input.done") {
    const begun = reader.begun(at);
    if (begun) reader.tell({ id: begun.id, name: begun.name, input: text(whole ?? input) });
  } else if (type === "response.output_item.done") {
    for (const call of callsOfItems([item])) reader.tell(call);
  } else if (type === "response.completed" || type === "response.incomplete") {
    for (const call of callsOfItems(fieldsOf(event["response"])["output"])) reader.tell(call);
  }
}

function callsOfMessage({ tool_calls: calls, function_call: legacy }: Fields): CalledTool[] {
  return [...objects(calls), ...(isObject(legacy) ? [{ function: legacy }] : [])].map(callOfPiece);
}

/** A call of Chat Completions, or a piece of one. */
function callOfPiece(call: Fields): CalledTool {
  const { name, arguments: given, input } = fieldsOf(call["function"] ?? call["custom"]);
  return { id: text(call["id"]), name: text(name), input: text(given ?? input) };
}

/** `tool_use`, and those that the provider runs itself. */
function callOfBlock({ type, id, name, input, server_name: server }: Fields): CalledTool | null {
  if (type === "mcp_tool_use") return { id: text(id), name: `mcp__${text(server)}__${text(name)}`, input: JSON.stringify(input ?? {}) };
  if (type !== "tool_use" && type !== "server_tool_use") return null;
  return { id: text(id), name: text(name), input: JSON.stringify(input ?? {}) };
}

function callsOfItems(items: unknown): CalledTool[] {
  return objects(items).flatMap((item) => callOfItem(item) ?? []);
}

/** Fields of an item of Responses that say nothing of what is called. */
const ABOUT_ITEM: ReadonlySet<string> = new Set(["id", "call_id", "type", "status", "name", "namespace", "output", "result", "results"]);

/** An item that is a call: of a function, of a custom tool, or of a tool of the vendor's own. */
function callOfItem(item: Fields): CalledTool | null {
  const type = text(item["type"]);
  const id = text(item["call_id"] ?? item["id"]);
  if (type === "function_call" || type === "custom_tool_call") {
    const { namespace, name, arguments: given, input } = item;
    const whole = typeof namespace === "string" && namespace !== "" ? `${namespace}__${text(name)}` : text(name);
    return { id, name: whole, input: text(given ?? input) };
  }
  if (!type.endsWith("_call") && type !== "mcp_approval_request") return null;
  if (type.startsWith("mcp_"))
    return { id, name: `mcp__${text(item["server_label"])}__${text(item["name"])}`, input: text(item["arguments"]) };
  return { id, name: type, input: JSON.stringify(Object.fromEntries(Object.entries(item).filter(([key]) => !ABOUT_ITEM.has(key)))) };
}

function parsed(data: string): Fields {
  try {
    return fieldsOf(JSON.parse(data));
  } catch {
    return {};
  }
}

function objects(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** Where a piece stands, as its number says. */
function place(index: unknown): string {
  return typeof index === "number" || typeof index === "string" ? String(index) : "0";
}
