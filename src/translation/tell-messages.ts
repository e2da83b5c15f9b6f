import type { Opening, Seal, Step } from "./conversation.ts";
import { anthropicError } from "./failure.ts";
import type { Json } from "./fields.ts";
import { answerIdFor } from "./ids.ts";
import { signatureOf, stopReason, writeMessagesUsage } from "./messages-answer.ts";
import type { Teller, Telling } from "./tell-chat.ts";

/** Tells Messages. */
export class MessagesTeller implements Teller {
  readonly #telling: Telling;
  #index = -1;
  #open: Opening["kind"] | null = null;
  #hidden = false;

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  tell(step: Step): string {
    switch (step.kind) {
      case "begun":
        return this.#begun(step);
      case "opened":
        return this.#opened(step.part);
      case "grew":
        return this.#grew(step.text);
      case "closed":
        return this.#closed(step.seal ?? null);
      case "alive":
        return event("ping", {});
      case "ended": {
        const delta = { stop_reason: stopReason(step.stop), stop_sequence: step.sequence };
        return event("message_delta", { delta, usage: writeMessagesUsage(step.told, step.tier) }) + event("message_stop", {});
      }
      case "failed":
        return event("error", anthropicError(step.failure, null, this.#telling.requestId));
    }
  }

  /** What the input came to is often told at the end only; until then it is nought. */
  #begun({ id, model, told, tier }: Extract<Step, { kind: "begun" }>): string {
    const message = {
      id: answerIdFor("msg_", id),
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: writeMessagesUsage(told, tier),
    };
    return event("message_start", { message });
  }

  #opened(part: Opening): string {
    this.#index++;
    this.#open = part.kind;
    this.#hidden = part.kind === "reasoning" && part.seal?.hidden === true;
    return event("content_block_start", { index: this.#index, content_block: blockOf(part) });
  }

  #grew(text: string): string {
    switch (this.#open) {
      case "text":
      case "refusal":
        return this.#delta({ type: "text_delta", text });
      case "reasoning":
        return this.#delta({ type: "thinking_delta", thinking: text });
      case "call":
        return this.#delta({ type: "input_json_delta", partial_json: text });
      case null:
        return "";
    }
  }

  #closed(seal: Seal | null): string {
    const signature = this.#open === "reasoning" && !this.#hidden ? signatureOf(seal) : "";
    this.#open = null;
    const closing = signature === "" ? "" : this.#delta({ type: "signature_delta", signature });
    return closing + event("content_block_stop", { index: this.#index });
  }

  #delta(delta: Json): string {
    return event("content_block_delta", { index: this.#index, delta });
  }
}

function blockOf(part: Opening): Json {
  switch (part.kind) {
    case "text":
    case "refusal":
      return { type: "text", text: "" };
    case "reasoning":
      return part.seal?.hidden ? { type: "redacted_thinking", data: part.seal.data } : { type: "thinking", thinking: "", signature: "" };
    case "call":
      return { type: "tool_use", id: part.id, name: part.name, input: {} };
  }
}

function event(type: string, facts: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`;
}
