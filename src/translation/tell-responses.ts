import type { Echo, Opening, Part, Seal, Step } from "./conversation.ts";
import { openaiError } from "./failure.ts";
import type { Json } from "./fields.ts";
import { contentOf, type Head, itemId, itemOf, responseOf } from "./responses-answer.ts";
import type { Teller, Telling } from "./tell-chat.ts";

/** The item that is being told. */
interface Open {
  readonly part: Opening;
  readonly id: string;
  text: string;
}

const NOTHING = { usage: null };

/** Tells Responses. The dialect ends in an event that holds the whole answer, so that what was said is kept until then. */
export class ResponsesTeller implements Teller {
  readonly #echo: Echo | undefined;
  #head: Head;
  readonly #output: Json[] = [];
  #open: Open | null = null;
  #sequence = 0;

  constructor({ requestId, created, echo }: Telling) {
    this.#echo = echo;
    this.#head = { id: echo?.id ?? requestId, model: "", tier: null, created, ...echo };
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
        return ": the provider is at work\n\n";
      case "ended": {
        const response = responseOf({ ...this.#head, tier: step.tier }, this.#output, step.stop, step.told);
        return this.#event(`response.${String(response["status"])}`, { response });
      }
      case "failed": {
        const error = openaiError(step.failure);
        const { code, message } = step.failure;
        const response = {
          ...responseOf(this.#head, this.#output, null, NOTHING),
          status: "failed",
          error: { code: code ?? "server_error", message },
        };
        return this.#event("response.failed", { response, error });
      }
    }
  }

  #begun({ id, model }: Extract<Step, { kind: "begun" }>): string {
    this.#head = { ...this.#head, id: this.#echo?.id ?? (id || this.#head.id), model };
    const response = responseOf(this.#head, [], null, NOTHING);
    return this.#event("response.created", { response }) + this.#event("response.in_progress", { response });
  }

  #event(type: string, facts: Json): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#sequence++, ...facts })}\n\n`;
  }

  get #at(): { readonly item_id: string; readonly output_index: number } {
    return { item_id: this.#open!.id, output_index: this.#output.length };
  }

  #opened(part: Opening): string {
    const id = itemId(this.#head.id, part, this.#output.length);
    this.#open = { part, id, text: "" };
    const { kind } = part;
    const item = { ...itemOf(wholeOf(this.#open, null), id), status: "in_progress" };
    if (kind === "call") return this.#added(item);
    if (kind === "reasoning") return this.#added({ id, type: "reasoning", summary: [], status: "in_progress" });
    const begun = { ...item, content: [] };
    return this.#added(begun) + this.#event("response.content_part.added", { ...this.#at, content_index: 0, part: contentOf(kind, "") });
  }

  #added(item: Json): string {
    return this.#event("response.output_item.added", { output_index: this.#output.length, item });
  }

  #grew(delta: string): string {
    if (!this.#open) return "";
    const { part, text } = this.#open;
    this.#open.text += delta;
    switch (part.kind) {
      case "text":
        return this.#event("response.output_text.delta", { ...this.#at, content_index: 0, delta, logprobs: [] });
      case "refusal":
        return this.#event("response.refusal.delta", { ...this.#at, content_index: 0, delta });
      case "call":
        return this.#event(`response.${part.custom ? "custom_tool_call_input" : "function_call_arguments"}.delta`, { ...this.#at, delta });
      case "reasoning": {
        const at = { ...this.#at, summary_index: 0 };
        const first = text === "" ? this.#event("response.reasoning_summary_part.added", { ...at, part: summaryOf("") }) : "";
        return first + this.#event("response.reasoning_summary_text.delta", { ...at, delta });
      }
    }
  }

  #closed(seal: Seal | null): string {
    const open = this.#open;
    if (!open) return "";
    const item = itemOf(wholeOf(open, seal), open.id) ?? {};
    const done = this.#done(open) + this.#event("response.output_item.done", { output_index: this.#output.length, item });
    this.#output.push(item);
    this.#open = null;
    return done;
  }

  #done({ part, text }: Open): string {
    switch (part.kind) {
      case "text":
      case "refusal": {
        const at = { ...this.#at, content_index: 0 };
        const said = part.kind === "text" ? { text, logprobs: [] } : { refusal: text };
        const name = part.kind === "text" ? "output_text" : "refusal";
        return (
          this.#event(`response.${name}.done`, { ...at, ...said }) +
          this.#event("response.content_part.done", { ...at, part: contentOf(part.kind, text) })
        );
      }
      case "call":
        if (part.custom) return this.#event("response.custom_tool_call_input.done", { ...this.#at, input: text });
        return this.#event("response.function_call_arguments.done", { ...this.#at, name: part.name, arguments: text });
      case "reasoning": {
        if (text === "") return "";
        const at = { ...this.#at, summary_index: 0 };
        return (
          this.#event("response.reasoning_summary_text.done", { ...at, text }) +
          this.#event("response.reasoning_summary_part.done", { ...at, part: summaryOf(text) })
        );
      }
    }
  }
}

function summaryOf(text: string): Json {
  return { type: "summary_text", text };
}

function wholeOf({ part, text }: Open, closing: Seal | null): Part {
  switch (part.kind) {
    case "text":
    case "refusal":
      return { kind: part.kind, text, at: "" };
    case "call":
      return { ...part, input: text, at: "" };
    case "reasoning":
      return { kind: "reasoning", text, seal: closing ?? part.seal, at: "" };
  }
}
