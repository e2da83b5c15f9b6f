import { detailOf, finishReason, writeChatUsage } from "./chat-answer.ts";
import type { Echo, Opening, Seal, Step } from "./conversation.ts";
import { openaiError } from "./failure.ts";
import type { Json } from "./fields.ts";
import { answerIdFor } from "./ids.ts";
import type { Spaces } from "./namespaces.ts";

/** Tells one dialect's stream: steps go in, the text of server-sent events comes out. */
export interface Teller {
  tell(step: Step): string;
}

/** What a stream is told with, beside what is said. */
export interface Telling {
  readonly requestId: string;
  /** Unix seconds. */
  readonly created: number;
  /** The caller asked for the usage chunk. */
  readonly includeUsage: boolean;
  /** What a response says of its request; absent for the other dialects. */
  readonly echo?: Echo;
  /** Names of custom tools that the provider was told of as functions. */
  readonly custom?: ReadonlySet<string>;
  /** Tools that the provider was told of under one name in place of two. */
  readonly spaces?: Spaces;
}

/** Tells Chat Completions. */
export class ChatTeller implements Teller {
  readonly #telling: Telling;
  #head: Json = {};
  #open: Opening | null = null;
  #calls = 0;
  #thoughts = 0;
  #text = "";

  constructor(telling: Telling) {
    this.#telling = telling;
  }

  tell(step: Step): string {
    switch (step.kind) {
      case "begun": {
        const id = answerIdFor("chatcmpl-", step.id);
        this.#head = { id, object: "chat.completion.chunk", created: this.#telling.created, model: step.model };
        return this.#chunk({ role: "assistant", content: "", refusal: null });
      }
      case "opened":
        return this.#opened(step.part);
      case "grew":
        return this.#grew(step.text);
      case "closed":
        return this.#closed(step.seal ?? null);
      case "alive":
        return ": the provider is at work\n\n";
      case "ended":
        return this.#ended(step);
      case "failed":
        return data({ error: openaiError(step.failure) });
    }
  }

  #chunk(delta: Json, finish: string | null = null): string {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return data({ ...this.#head, choices: [choice], ...(this.#telling.includeUsage && { usage: null }) });
  }

  #opened(part: Opening): string {
    this.#open = part;
    this.#text = "";
    if (part.kind !== "call") return "";
    const { id, name, custom } = part;
    const made = custom ? { type: "custom", custom: { name, input: "" } } : { type: "function", function: { name, arguments: "" } };
    return this.#chunk({ tool_calls: [{ index: this.#calls++, id, ...made }] });
  }

  #grew(text: string): string {
    const open = this.#open;
    switch (open?.kind) {
      case "text":
        return this.#chunk({ content: text });
      case "refusal":
        return this.#chunk({ refusal: text });
      case "reasoning":
        this.#text += text;
        return this.#chunk({ reasoning_content: text });
      case "call":
        return this.#chunk({
          tool_calls: [{ index: this.#calls - 1, ...(open.custom ? { custom: { input: text } } : { function: { arguments: text } }) }],
        });
      case undefined:
        return "";
    }
  }

  /** Thoughts are told as they come, and once more in whole with what closes them, as they are to be sent back. */
  #closed(closing: Seal | null): string {
    const open = this.#open;
    this.#open = null;
    if (open?.kind !== "reasoning") return "";
    const details = detailOf({ text: this.#text, seal: closing ?? open.seal }, this.#thoughts++);
    return details.length > 0 ? this.#chunk({ reasoning_details: details }) : "";
  }

  #ended({ stop, told, tier }: Extract<Step, { kind: "ended" }>): string {
    const usage = this.#telling.includeUsage ? writeChatUsage(told) : null;
    const tiered = tier === null ? {} : { service_tier: tier };
    return [
      this.#chunk({}, finishReason(stop)),
      usage ? data({ ...this.#head, choices: [], usage, ...tiered }) : "",
      "data: [DONE]\n\n",
    ].join("");
  }
}

function data(value: Json): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
