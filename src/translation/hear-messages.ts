import { fieldsOf } from "#core";
import { anthropicTier } from "#wire";
import { stringOf } from "./answers.ts";
import type { Opening, Seal, Step, Stop, Told } from "./conversation.ts";
import { anthropicFailure } from "./failure.ts";
import type { Json } from "./fields.ts";
import { type Hearer, parsed } from "./hear-chat.ts";
import { sealOf, stopOf, toldIn } from "./messages-answer.ts";

/** Hears Messages. Blocks of kinds that nobody asked for are passed over. */
export class MessagesHearer implements Hearer {
  /** The block that is open, by the provider's number. */
  #open: { readonly index: unknown; readonly kind: Opening["kind"]; grown: boolean; readonly input: unknown } | null = null;
  #signature = "";
  #over = false;
  #begun = false;
  #stop: Stop = "end";
  #sequence: string | null = null;
  #told: Told = { usage: null };
  #tier: string | null = null;

  hear(data: string, name: string): Step[] {
    if (this.#over) return [];
    const event = parsed(data);
    if (event["type"] === "error" || name === "error") return this.#fail(event["error"]);
    switch (event["type"]) {
      case "message_start":
        return this.#start(fieldsOf(event["message"]));
      case "message_delta":
        return this.#turn(event);
      case "message_stop":
        return this.#end();
      case "ping":
        return this.#begun ? [{ kind: "alive" }] : [];
      default:
        return this.#block(event);
    }
  }

  #fail(error: unknown): Step[] {
    this.#over = true;
    return [{ kind: "failed", failure: anthropicFailure(error) }];
  }

  #block(event: Json): Step[] {
    const { type, index } = event;
    if (type === "content_block_start") return this.#openBlock(index, fieldsOf(event["content_block"]));
    if (!this.#open || this.#open.index !== index) return [];
    if (type === "content_block_delta") return this.#grow(fieldsOf(event["delta"]));
    return type === "content_block_stop" ? this.#close() : [];
  }

  /** The end of the message is an event of its own; bytes that end without it end nothing. */
  end(): Step[] {
    return [];
  }

  #start(message: Json): Step[] {
    if (this.#begun) return [];
    this.#begun = true;
    this.#note(message["usage"]);
    const [id, model] = [stringOf(message["id"]) ?? "", stringOf(message["model"]) ?? ""];
    return [{ kind: "begun", id, model, told: this.#told, tier: this.#tier }];
  }

  #openBlock(index: unknown, block: Json): Step[] {
    const begun = this.#start({});
    const closed = this.#close();
    const part = openingOf(block);
    if (!part) return [...begun, ...closed];
    this.#signature = stringOf(block["signature"]) ?? "";
    this.#open = { index, kind: part.kind, grown: false, input: block["input"] };
    const first = stringOf(block["text"]) ?? stringOf(block["thinking"]) ?? "";
    return [...begun, ...closed, { kind: "opened", part }, ...this.#grown(first)];
  }

  #grow(delta: Json): Step[] {
    switch (delta["type"]) {
      case "text_delta":
        return this.#open?.kind === "text" ? this.#grown(delta["text"]) : [];
      case "thinking_delta":
        return this.#open?.kind === "reasoning" ? this.#grown(delta["thinking"]) : [];
      case "input_json_delta":
        return this.#open?.kind === "call" ? this.#grown(delta["partial_json"]) : [];
      case "signature_delta":
        this.#signature += stringOf(delta["signature"]) ?? "";
    }
    return [];
  }

  #grown(text: unknown): Step[] {
    if (typeof text !== "string" || text === "" || !this.#open) return [];
    this.#open.grown = true;
    return [{ kind: "grew", text }];
  }

  /** Arguments that came whole with the block's start, or not at all, are told when it ends. */
  #close(): Step[] {
    const open = this.#open;
    if (!open) return [];
    const whole = open.kind === "call" && !open.grown ? this.#grown(JSON.stringify(open.input ?? {})) : [];
    this.#open = null;
    const seal: Seal | null = open.kind === "reasoning" ? sealOf(this.#signature) : null;
    return [...whole, { kind: "closed", ...(seal && { seal }) }];
  }

  #turn(event: Json): Step[] {
    const delta = fieldsOf(event["delta"]);
    if (delta["stop_reason"] !== undefined && delta["stop_reason"] !== null) this.#stop = stopOf(delta["stop_reason"]);
    this.#sequence = stringOf(delta["stop_sequence"]) ?? this.#sequence;
    this.#note(event["usage"]);
    return [];
  }

  #note(usage: unknown): void {
    this.#told = toldIn(usage, this.#told.usage);
    this.#tier = anthropicTier(fieldsOf(usage)) ?? this.#tier;
  }

  #end(): Step[] {
    const steps = [...this.#start({}), ...this.#close()];
    this.#over = true;
    return [...steps, { kind: "ended", stop: this.#stop, sequence: this.#sequence, told: this.#told, tier: this.#tier }];
  }
}

function openingOf(block: Json): Opening | null {
  switch (block["type"]) {
    case "text":
      return { kind: "text" };
    case "thinking":
      return { kind: "reasoning", seal: null };
    case "redacted_thinking":
      return { kind: "reasoning", seal: { maker: "anthropic", data: stringOf(block["data"]) ?? "", hidden: true } };
    case "tool_use":
      return { kind: "call", id: stringOf(block["id"]) ?? "", name: stringOf(block["name"]) ?? "" };
    default:
      return null;
  }
}
