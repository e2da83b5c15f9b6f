import type { Capability } from "#core";
import type { Price, Target } from "#models";
import { speaks, type Upstream } from "#providers";
import { isPacked, StreamTranslator, TONGUES, tongueOf, translateAnswer, translateError, translateRequest } from "#translation";
import { itemsOf } from "#responses";
import { type Ask, madeAsk, type Pass, withInput } from "#wire";
import type { Arrival, Spoken, Translation } from "./contract.ts";

/** Where a provider takes several dialects that the caller does not speak, the one that most providers know. */
const PREFERRED = ["chat.completions", "messages", "responses"] as const;

/** The surface of an upstream that can serve a capability: itself, or one to translate to; null where there is none. */
export function surfaceFor(capability: Capability, upstream: Upstream): Capability | null {
  if (speaks(upstream, capability)) return capability;
  return tongueOf(capability) ? (PREFERRED.find((each) => speaks(upstream, each)) ?? null) : null;
}

/** What Anthropic's dialect needs and a caller may leave out, where nothing says how much the model can give. */
const OUTPUT_TOKENS = 8_192;

/** Whom a request is said to, and for whom. */
interface Between {
  readonly surface: Capability;
  readonly upstream: Upstream;
  readonly target: Target;
  readonly price: Price;
  readonly maxOutputTokens: number | null;
  readonly arrival: Arrival;
  /** Whether responses are kept here at all. */
  readonly keeps: boolean;
}

/**
 * Says a request in the dialect of the surface that is to serve it.
 * @throws TollgateError `invalid_request` naming the field that is wrong or cannot be said.
 */
export function spoken(asked: Ask, { surface, upstream, target, price, maxOutputTokens, arrival, keeps }: Between): Spoken {
  const [from, to] = [tongueOf(asked.capability), tongueOf(surface)];
  if (surface === asked.capability || !from || !to) {
    const own = asked.resumed === undefined ? asked : withoutForeignThoughts(asked);
    return { ask: own, asked: own, translation: null };
  }
  const known = maxOutputTokens ?? (price.state === "unknown" ? null : price.row.maxOutputTokens);
  const dress = { maxTokens: known ?? OUTPUT_TOKENS, openai: upstream.kind === "openai" };
  const { body, dropped, custom, spaces } = translateRequest(asked.body.value, { from, to }, target.model, dress);
  const ask = madeAsk(TONGUES[to].surface, body);
  const includeUsage = asked.wantsUsage || arrival.costInUsage;
  return {
    ask,
    asked,
    translation: {
      pair: { from, to },
      dropped,
      requestId: arrival.id,
      includeUsage,
      custom,
      spaces,
      keeps,
      responseId: `resp_${crypto.randomUUID().replaceAll("-", "")}`,
    },
  };
}

/** What a conversation that is told from here holds of other makers' reasoning is nothing to a provider of the caller's own dialect. */
function withoutForeignThoughts(asked: Ask): Ask {
  const items = itemsOf(asked.body.value["input"]);
  const own = items.filter(({ type, encrypted_content: closed }) => type !== "reasoning" || !isPacked(closed));
  return own.length === items.length ? asked : { ...withInput(asked, own, false), ...(asked.resumed && { resumed: asked.resumed }) };
}

/** A translation whose answer is the same whenever it is told: what it names is drawn from the request that it was made for. */
export function repeatable(translation: Translation | null, request: string): Translation | null {
  const word = Array.from(request.slice(-16), (each) => each.charCodeAt(0).toString(16)).join("");
  return translation && { ...translation, requestId: request, responseId: `resp_${word}` };
}

/** A request and the translation between it and its answer. */
interface Translated {
  readonly asked: Ask;
  readonly translation: Translation;
}

/** What an answer is told with beside what the provider says. A response repeats what was asked, as policies have left it. */
function tellingOf({ asked, translation }: Translated, now: number) {
  const { requestId, includeUsage, custom, spaces, keeps, responseId, pair } = translation;
  const { instructions = null, metadata, store } = asked.body.value;
  const previous = asked.resumed?.from ?? null;
  const fields = { instructions, metadata: metadata ?? {}, previous_response_id: previous, store: keeps && store !== false };
  const echo = pair.from === "openai-responses" ? { echo: { id: responseId, fields } } : {};
  return { requestId, includeUsage, custom, spaces, created: Math.floor(now / 1000), ...echo };
}

/** A provider's whole answer in the caller's dialect; null where it is none. */
export function answerIn(translated: Translated, text: string, now: number): string | null {
  return translateAnswer(text, translated.translation.pair, tellingOf(translated, now));
}

/** A provider's error in the caller's envelope. */
export function errorIn({ pair, requestId }: Translation, text: string, status: number): string {
  return translateError(text, pair, status, requestId);
}

/** Says a provider's stream in the caller's dialect; each chunk's events leave together. */
export function sayingIn(translated: Translated, now: number): Pass {
  const translator = new StreamTranslator(translated.translation.pair, tellingOf(translated, now));
  const encoder = new TextEncoder();
  const bytesOf = (text: string) => (text === "" ? null : encoder.encode(text));
  return { push: (chunk) => bytesOf(translator.push(chunk)), end: () => bytesOf(translator.end()) };
}
