import { fieldsOf } from "#core";
import { objectsOf, stringOf, wordOf } from "./answers.ts";
import { missingId, OPEN_SEAL, stopOf, toldIn } from "./chat-answer.ts";
import type { Failure, Opening, Step, Told } from "./conversation.ts";
import { openaiFailure } from "./failure.ts";
import type { Json } from "./fields.ts";

/** Hears one dialect's stream: events go in, steps come out. What is no event of the dialect is passed over. */
export interface Hearer {
  hear(data: string, event: string): Step[];
  /** The stream's bytes have ended; what is still to be said where the answer itself had ended. */
  end(): Step[];
}

/** An event's data as an object; empty for any other text. */
export function parsed(data: string): Json {
  try {
    return fieldsOf(JSON.parse(data));
  } catch {
    return {};
  }
}

const INTERLEAVED: Failure = {
  message: "The provider went back to a tool call that it had left, which cannot be told in order",
  type: "api_error",
  code: "upstream_error",
  param: null,
};

interface Call {
  readonly id: string;
  readonly serial: number;
}

/** Hears Chat Completions. */
export class ChatHearer implements Hearer {
  readonly #calls = new Map<number, Call>();
  /** The kind of the open part, or the serial of the open call. */
  #open: Opening["kind"] | number | null = null;
  #id = "";
  #serial = 0;
  #begun = false;
  #over = false;
  #finish: string | null = null;
  #done = false;
  #told: Told = { usage: null };
  #tier: string | null = null;

  hear(data: string): Step[] {
    if (this.#over) return [];
    if (data.trim() === "[DONE]") {
      this.#done = true;
      return this.end();
    }
    const chunk = parsed(data);
    if (chunk["error"] !== undefined && chunk["error"] !== null) return this.#fail(openaiFailure(chunk["error"]));
    const steps = [...this.#begin(chunk), ...this.#choice(objectsOf(chunk["choices"])[0] ?? {})];
    const told = toldIn(chunk["usage"]);
    if (told.usage) this.#told = told;
    this.#tier = wordOf(chunk["service_tier"]) ?? this.#tier;
    return steps;
  }

  end(): Step[] {
    if (this.#over || (this.#finish === null && !this.#done)) return [];
    this.#over = true;
    const stop = stopOf(this.#finish, this.#serial > 0);
    return [...this.#begin({}), ...this.#close(), { kind: "ended", stop, sequence: null, told: this.#told, tier: this.#tier }];
  }

  #fail(failure: Failure): Step[] {
    this.#over = true;
    return [{ kind: "failed", failure }];
  }

  #begin(chunk: Json): Step[] {
    if (this.#begun || (!this.#over && chunk["choices"] === undefined)) return [];
    this.#begun = true;
    this.#id = stringOf(chunk["id"]) ?? "";
    return [{ kind: "begun", id: this.#id, model: stringOf(chunk["model"]) ?? "", told: { usage: null }, tier: null }];
  }

  #choice(choice: Json): Step[] {
    const delta = fieldsOf(choice["delta"]);
    const steps = [
      ...this.#grow({ kind: "reasoning", seal: OPEN_SEAL }, delta["reasoning_content"] ?? delta["reasoning"]),
      ...this.#grow({ kind: "text" }, delta["content"]),
      ...this.#grow({ kind: "refusal" }, delta["refusal"]),
    ];
    for (const [at, call] of objectsOf(delta["tool_calls"]).entries()) {
      if (!this.#over) steps.push(...this.#call(call, typeof call["index"] === "number" ? call["index"] : at));
    }
    this.#finish = stringOf(choice["finish_reason"]) ?? this.#finish;
    return steps;
  }

  #grow(part: Extract<Opening, { kind: "text" | "refusal" | "reasoning" }>, text: unknown): Step[] {
    if (typeof text !== "string" || text === "") return [];
    const grew: Step = { kind: "grew", text };
    return this.#open === part.kind ? [grew] : [...this.#opened(part, part.kind), grew];
  }

  /** Some providers number all their calls alike: one that has a name and an id of its own is another. */
  #call(delta: Json, index: number): Step[] {
    const { id, name, text, kind } = madeIn(delta);
    const known = this.#calls.get(index);
    const grew: Step[] = text === null ? [] : [{ kind: "grew", text }];
    if (!known || (name !== null && id !== null && id !== known.id)) {
      const serial = this.#serial++;
      const call = { id: id ?? missingId(this.#id, serial), serial };
      this.#calls.set(index, call);
      return [...this.#opened({ kind: "call", id: call.id, name: name ?? "", ...kind }, serial), ...grew];
    }
    return this.#open === known.serial || grew.length === 0 ? grew : this.#fail(INTERLEAVED);
  }

  #opened(part: Opening, open: Opening["kind"] | number): Step[] {
    const closed = this.#close();
    this.#open = open;
    return [...closed, { kind: "opened", part }];
  }

  #close(): Step[] {
    const open = this.#open;
    this.#open = null;
    if (open === null) return [];
    return [open === "reasoning" ? { kind: "closed", seal: OPEN_SEAL } : { kind: "closed" }];
  }
}

/** What a piece of a call tells of it. */
function madeIn(delta: Json) {
  const custom = delta["custom"] !== undefined;
  const made = fieldsOf(custom ? delta["custom"] : delta["function"]);
  const text = wordOf(made[custom ? "input" : "arguments"]);
  return { id: wordOf(delta["id"]), name: wordOf(made["name"]), text, kind: custom ? ({ custom } as const) : {} };
}
