import { fieldsOf } from "#core";
import { SseReader } from "#wire";
import type { Conversation, Step } from "./conversation.ts";
import { CustomCalls, withCustomCalls } from "./custom.ts";
import type { Dress } from "./dress.ts";
import { readFailure, writeFailure } from "./failure.ts";
import { Fields, type Json } from "./fields.ts";
import { requireFitting } from "./fits.ts";
import { Losses, type Tongue } from "./losses.ts";
import { type Spaces, spacesOf, stepWithNamespace, withNamespaces } from "./namespaces.ts";
import type { Teller, Telling } from "./tell-chat.ts";
import { TONGUES } from "./tongues.ts";

const NONE: ReadonlySet<string> = new Set();
const NOWHERE: Spaces = new Map();

/** Two dialects: the caller's, and that of the provider who answers. */
export interface Pair {
  readonly from: Tongue;
  readonly to: Tongue;
}

/** A request in the provider's dialect, and what could not be said in it. */
export interface Translated {
  readonly body: Json;
  /** Fields that were left out, by the names of the table of losses. */
  readonly dropped: readonly string[];
  /** Names of custom tools that the provider is told of as functions. */
  readonly custom: ReadonlySet<string>;
  /** Tools that the provider is told of under one name in place of two. */
  readonly spaces: Spaces;
}

/**
 * Says a request in another dialect, for the model named.
 * @throws TollgateError `invalid_request` naming the caller's field that is wrong or cannot be said.
 */
export function translateRequest(body: Json, { from, to }: Pair, model: string, dress: Dress): Translated {
  const losses = new Losses(from, to);
  const asked = TONGUES[from].read(new Fields(body), losses);
  requireFitting(asked);
  const said = TONGUES[to].write({ ...asked, model }, losses, dress);
  return {
    body: said,
    dropped: losses.dropped,
    custom: new Set(takesCustom(to, dress) ? [] : customNames(asked)),
    spaces: spacesOf(asked.tools),
  };
}

function takesCustom(to: Tongue, { openai }: Dress): boolean {
  return to === "openai-responses" || (to === "openai-chat" && openai);
}

function customNames({ tools }: Conversation): string[] {
  return tools.flatMap(({ name, custom }) => (custom ? [name] : []));
}

/** Says a provider's whole answer in the caller's dialect; null where it is no answer of the provider's dialect. */
export function translateAnswer(
  text: string,
  { from, to }: Pair,
  { created, echo, custom, spaces }: Pick<Telling, "created" | "echo" | "custom" | "spaces">,
): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const answer = TONGUES[to].readAnswer(fieldsOf(value));
  if (!answer) return null;
  const own = withNamespaces(withCustomCalls(answer, custom ?? NONE), spaces ?? NOWHERE);
  return JSON.stringify(TONGUES[from].writeAnswer(own, created, echo));
}

/** Says a provider's error in the caller's envelope. */
export function translateError(text: string, { from, to }: Pair, status: number, requestId: string): string {
  return JSON.stringify(writeFailure(from, readFailure(to, status, text), status, requestId));
}

/**
 * Says a provider's stream in the caller's dialect, event by event and in order. Whatever a provider sends, nothing is thrown, and an
 * end is told only where the provider told one.
 */
export class StreamTranslator {
  readonly #events: SseReader;
  readonly #teller: Teller;
  readonly #hearer;
  /** Null where no custom tool was told of as a function. */
  readonly #custom: CustomCalls | null;
  readonly #spaces: Spaces;
  #out = "";

  constructor({ from, to }: Pair, telling: Telling) {
    this.#teller = TONGUES[from].teller(telling);
    this.#hearer = TONGUES[to].hearer();
    this.#custom = telling.custom && telling.custom.size > 0 ? new CustomCalls(telling.custom) : null;
    this.#spaces = telling.spaces ?? NOWHERE;
    this.#events = new SseReader((data, event) => this.#tell(this.#hearer.hear(data, event)));
  }

  /** Takes the next bytes, split anywhere, and returns what they say. */
  push(chunk: Uint8Array): string {
    this.#events.push(chunk);
    return this.#take();
  }

  /** What is still to be said when the bytes have ended. */
  end(): string {
    this.#tell(this.#hearer.end());
    return this.#take();
  }

  #tell(steps: readonly Step[]): void {
    for (const step of steps)
      for (const each of this.#custom?.of(step) ?? [step]) this.#out += this.#teller.tell(stepWithNamespace(each, this.#spaces));
  }

  #take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }
}
