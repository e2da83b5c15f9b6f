import { fieldsOf } from "#core";
import { objectsOf, stringOf, wordOf } from "./answers.ts";
import type { Opening, Part, Step } from "./conversation.ts";
import { openaiFailure } from "./failure.ts";
import type { Json } from "./fields.ts";
import { type Hearer, parsed } from "./hear-chat.ts";
import { BETWEEN, callIdOf, sealOf, stopOf, toldIn } from "./responses-answer.ts";

/** The parts that a delta may belong to, by the event's type. */
const DELTAS: Readonly<Record<string, Opening["kind"]>> = {
  "response.output_text.delta": "text",
  "response.refusal.delta": "refusal",
  "response.reasoning_summary_text.delta": "reasoning",
  "response.reasoning_text.delta": "reasoning",
  "response.function_call_arguments.delta": "call",
  "response.custom_tool_call_input.delta": "call",
};

/** Hears Responses. Items of kinds that nobody asked for are passed over. */
export class ResponsesHearer implements Hearer {
  #open: { readonly key: string; readonly kind: Opening["kind"]; grown: boolean; part: unknown } | null = null;
  readonly #made = new Set<Part["kind"]>();
  #begun = false;
  #over = false;

  hear(data: string): Step[] {
    if (this.#over) return [];
    const event = parsed(data);
    const type = stringOf(event["type"]) ?? "";
    const kind = DELTAS[type];
    if (kind) return this.#delta(kind, event);
    switch (type) {
      case "response.created":
        return this.#begin(fieldsOf(event["response"]));
      case "response.completed":
      case "response.incomplete":
        return this.#end(fieldsOf(event["response"]));
      case "response.failed":
        return this.#fail(fieldsOf(event["response"])["error"]);
      case "error":
        return this.#fail(event["error"] ?? event);
      default:
        return this.#part(type, event);
    }
  }

  #fail(error: unknown): Step[] {
    this.#over = true;
    return [{ kind: "failed", failure: openaiFailure(error) }];
  }

  #part(type: string, event: Json): Step[] {
    if (type === "response.output_item.added") return this.#item(event);
    if (type === "response.output_item.done") return this.#itemDone(event);
    return type === "response.content_part.done" && this.#open?.key === keyOf(event) ? this.#close() : [];
  }

  /** The end of a response is an event of its own; bytes that end without it end nothing. */
  end(): Step[] {
    return [];
  }

  #begin(response: Json): Step[] {
    if (this.#begun) return [];
    this.#begun = true;
    const [id, model] = [stringOf(response["id"]) ?? "", stringOf(response["model"]) ?? ""];
    return [{ kind: "begun", id, model, told: { usage: null }, tier: null }];
  }

  /** A message's parts open with their first words; calls and thoughts with their item. */
  #item(event: Json): Step[] {
    const item = fieldsOf(event["item"]);
    const named = { kind: "call", id: callIdOf(item), name: stringOf(item["name"]) ?? "" } as const;
    if (item["type"] === "function_call") return this.#opened(named, keyOf(event));
    if (item["type"] === "custom_tool_call") return this.#opened({ ...named, custom: true }, keyOf(event));
    return item["type"] === "reasoning" ? this.#opened({ kind: "reasoning", seal: null }, keyOf(event)) : [];
  }

  #opened(part: Opening, key: string): Step[] {
    const before = [...this.#begin({}), ...this.#close()];
    this.#open = { key, kind: part.kind, grown: false, part: undefined };
    this.#made.add(part.kind);
    return [...before, { kind: "opened", part }];
  }

  #delta(kind: Opening["kind"], event: Json): Step[] {
    const text = wordOf(event["delta"]);
    if (text === null) return [];
    const key = keyOf(event);
    if (this.#open?.key === key) return this.#grew(text, event["summary_index"]);
    // Only words open a part of themselves; a call that nobody announced has no name.
    return kind === "text" || kind === "refusal" ? [...this.#opened({ kind }, key), ...this.#grew(text, undefined)] : [];
  }

  #grew(text: string, part: unknown): Step[] {
    const open = this.#open!;
    const apart = open.grown && part !== undefined && part !== open.part;
    open.grown = true;
    open.part = part;
    return [{ kind: "grew", text: apart ? BETWEEN + text : text }];
  }

  #close(): Step[] {
    const open = this.#open;
    this.#open = null;
    return open ? [{ kind: "closed" }] : [];
  }

  /** What came in no delta stands in the item that is done. */
  #itemDone(event: Json): Step[] {
    const item = fieldsOf(event["item"]);
    if (item["type"] === "reasoning") return this.#thought(event, item);
    if (this.#open?.key !== keyOf(event)) return [];
    if (this.#open.kind !== "call") return this.#close();
    const text = wordOf(item["arguments"]) ?? wordOf(item["input"]);
    const whole = !this.#open.grown && text !== null ? this.#grew(text, undefined) : [];
    return [...whole, ...this.#close()];
  }

  #thought(event: Json, item: Json): Step[] {
    const steps = this.#open?.key === keyOf(event) ? [] : this.#opened({ kind: "reasoning", seal: null }, keyOf(event));
    const text = objectsOf(item["summary"])
      .map((each) => stringOf(each["text"]) ?? "")
      .join(BETWEEN);
    if (!this.#open!.grown && text !== "") steps.push(...this.#grew(text, undefined));
    this.#open = null;
    const seal = sealOf(item);
    return [...steps, { kind: "closed", ...(seal && { seal }) }];
  }

  #end(response: Json): Step[] {
    const steps = [...this.#begin(response), ...this.#close()];
    this.#over = true;
    const stop = stopOf(response, this.#made);
    return [...steps, { kind: "ended", stop, sequence: null, told: toldIn(response), tier: wordOf(response["service_tier"]) }];
  }
}

/** Items are known by their number, a message's parts by theirs as well. */
function keyOf(event: Json): string {
  const { output_index: item, content_index: part, type } = event;
  const inMessage = /^response\.(output_text|refusal|content_part)\./.test(String(type));
  return inMessage ? `${String(item)}/${String(part)}` : String(item);
}
