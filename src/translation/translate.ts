import { fieldsOf, SseReader } from "#wire";
import type { Echo } from "./conversation.ts";
import type { Dress } from "./dress.ts";
import { readFailure, writeFailure } from "./failure.ts";
import { Fields, type Json } from "./fields.ts";
import { requireFitting } from "./fits.ts";
import { Losses, type Tongue } from "./losses.ts";
import type { Teller, Telling } from "./tell-chat.ts";
import { TONGUES } from "./tongues.ts";

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
  return { body: said, dropped: losses.dropped };
}

/** Says a provider's whole answer in the caller's dialect; null where it is no answer of the provider's dialect. */
export function translateAnswer(text: string, { from, to }: Pair, created: number, echo?: Echo): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const answer = TONGUES[to].readAnswer(fieldsOf(value));
  return answer && JSON.stringify(TONGUES[from].writeAnswer(answer, created, echo));
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
  #out = "";

  constructor({ from, to }: Pair, telling: Telling) {
    this.#teller = TONGUES[from].teller(telling);
    this.#hearer = TONGUES[to].hearer();
    this.#events = new SseReader((data, event) => {
      for (const step of this.#hearer.hear(data, event)) this.#out += this.#teller.tell(step);
    });
  }

  /** Takes the next bytes, split anywhere, and returns what they say. */
  push(chunk: Uint8Array): string {
    this.#events.push(chunk);
    return this.#take();
  }

  /** What is still to be said when the bytes have ended. */
  end(): string {
    for (const step of this.#hearer.end()) this.#out += this.#teller.tell(step);
    return this.#take();
  }

  #take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }
}
