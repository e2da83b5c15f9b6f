import { abridge } from "./abridge.ts";
import type { AssistantBlock, Message, ToolResultBlock } from "./messages.ts";

/** About what the smaller of today's models can read, tools and answers left out. */
const CHARS_MAX = 400_000;
/** What of an older result stays once there is too much. */
const SHORT_CHARS = 1_000;
/** So many of the last messages keep their results whole, as long as that is enough. */
const RECENT = 6;

/** What was said between the model and the world. It only grows, so that its head can be kept warm; results are shortened where it must. */
export class Conversation {
  #messages: Message[] = [];
  #charsMax = CHARS_MAX;

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** Adds words of the person's, or of ours in their place. */
  say(text: string): void {
    this.#fromUser([{ type: "text", text }]);
  }

  /** Adds what the model answered; nothing where it was nothing. */
  heard(content: readonly AssistantBlock[]): void {
    if (content.length > 0) this.#messages.push({ role: "assistant", content });
  }

  /** Adds what calls came to. */
  results(blocks: readonly ToolResultBlock[]): void {
    this.#fromUser(blocks);
  }

  /** Shortens older results where all is longer than it may be; whether it did. */
  fit(): boolean {
    return this.#chars() > this.#charsMax && (this.#shorten(this.#messages.length - RECENT) || this.#shorten(this.#messages.length));
  }

  /** The model could not read this much: shortens what there is; false where there is nothing left to shorten. */
  overflowed(): boolean {
    this.#charsMax = Math.floor(Math.min(this.#charsMax, this.#chars()) / 2);
    return this.#shorten(this.#messages.length - RECENT) || this.#shorten(this.#messages.length);
  }

  #fromUser(blocks: readonly (ToolResultBlock | { readonly type: "text"; readonly text: string })[]): void {
    const last = this.#messages.at(-1);
    if (last?.role !== "user") this.#messages.push({ role: "user", content: blocks });
    else this.#messages[this.#messages.length - 1] = { role: "user", content: [...last.content, ...blocks] };
  }

  #chars(): number {
    return JSON.stringify(this.#messages).length;
  }

  #shorten(before: number): boolean {
    let shortened = false;
    this.#messages = this.#messages.map((message, at): Message => {
      if (at >= before || message.role !== "user") return message;
      const content = message.content.map((block) => {
        // What was shortened before is a little longer than that, by the words that say so.
        if (block.type !== "tool_result" || block.content.length <= 2 * SHORT_CHARS) return block;
        shortened = true;
        return { ...block, content: abridge(block.content, SHORT_CHARS) };
      });
      return { ...message, content };
    });
    return shortened;
  }
}
