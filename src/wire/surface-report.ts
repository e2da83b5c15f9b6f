import { addUsage, type Fields, fieldsOf, NO_USAGE, type Surface, type Usage } from "#core";
import type { Reported } from "./contract.ts";
import { chatUsage, count, isCount, pieces } from "./usage.ts";

const BYTES_PER_TOKEN = 4;
/** The last events of a stream, each of which tells a usage. */
const DONE = new Set<unknown>(["image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done"]);

/** The first signs of an answer that says nothing in text. */
const SHOWN = new Set<unknown>(["image_generation.partial_image", "image_edit.partial_image", "speech.audio.delta"]);

/** Watches an answer that is no text for text: a JSON object, a stream of events, or plain text. Reads what it says it used, in whatever unit. */
export class SurfaceObserver {
  readonly #capability: Surface;
  #usage: Usage | null = null;
  #complete = false;
  #failed = false;
  #outputTokens = 0;

  constructor(capability: Surface) {
    this.#capability = capability;
  }

  see(data: string): void {
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      return;
    }
    const fields = fieldsOf(value);
    if (fields["type"] === "error" || (fields["error"] ?? null) !== null) this.#failed = true;
    if (fields["type"] === "transcript.text.delta") this.#say(fields["delta"]);
    if (SHOWN.has(fields["type"])) this.#outputTokens++;
    if (!DONE.has(fields["type"])) return;
    this.#complete = true;
    // Each of several pictures tells its own.
    this.#add(usageOf(this.#capability, { ...fields, data: [fields] }));
  }

  whole(answer: unknown): void {
    const fields = fieldsOf(answer);
    this.#complete = true;
    this.#say(fields["text"]);
    this.#add(usageOf(this.#capability, fields));
  }

  /** An answer that is plain text, which tells nothing but itself. */
  plain(text: string): void {
    this.#complete = true;
    this.#say(text);
  }

  reported(): Reported {
    const [usage, complete, failed, outputTokens] = [this.#usage, this.#complete, this.#failed, this.#outputTokens];
    return { usage, serviceTier: null, complete, failed, unbilled: false, outputTokens };
  }

  #say(text: unknown): void {
    if (typeof text === "string") this.#outputTokens += Math.ceil(text.length / BYTES_PER_TOKEN);
  }

  #add(usage: Usage | null): void {
    if (usage) this.#usage = addUsage(this.#usage ?? NO_USAGE, usage);
  }
}

/** What an answer says that it used; null where it does not say. */
function usageOf(capability: Surface, fields: Fields): Usage | null {
  switch (capability) {
    case "images.generations":
    case "images.edits":
    case "images.variations":
      return drawn(fields);
    case "audio.speech":
      return spoken(fieldsOf(fields["usage"]));
    case "audio.transcriptions":
    case "audio.translations":
      return heard(fields);
    case "moderations":
      return chatUsage(fields["usage"]);
    case "rerank":
      return ranked(fields);
  }
}

/** OpenAI tells the tokens of text and of pictures apart, on the way in and, where both come, on the way out. */
function drawn({ usage: told, data }: Fields): Usage | null {
  const images = pieces(Array.isArray(data) ? data.length : 0);
  const usage = fieldsOf(told);
  if (!isCount(usage["input_tokens"]) || !isCount(usage["output_tokens"])) return images === 0 ? null : { ...NO_USAGE, images };
  const [read, made] = [count(usage["input_tokens"]), count(usage["output_tokens"])];
  const imageInput = Math.min(read, count(fieldsOf(usage["input_tokens_details"])["image_tokens"]));
  const output = Math.min(made, count(fieldsOf(usage["output_tokens_details"])["text_tokens"]));
  return { ...NO_USAGE, images, input: read - imageInput, imageInput, output, imageOutput: made - output };
}

function spoken(usage: Fields): Usage | null {
  if (!isCount(usage["output_tokens"])) return null;
  return { ...NO_USAGE, input: count(usage["input_tokens"]), audioOutput: count(usage["output_tokens"]) };
}

/** By tokens or by the length of what was heard; the longer forms of an answer tell the length beside. */
function heard({ usage: told, duration }: Fields): Usage | null {
  const usage = fieldsOf(told);
  const { seconds = duration } = usage;
  if (isCount(usage["input_tokens"]) && isCount(usage["output_tokens"])) {
    const [read, details] = [count(usage["input_tokens"]), fieldsOf(usage["input_token_details"])];
    const input = Math.min(read, count(details["text_tokens"]));
    return { ...NO_USAGE, input, audioInput: read - input, output: count(usage["output_tokens"]) };
  }
  const whole = typeof seconds === "number" || typeof seconds === "string" ? Math.ceil(Number(seconds)) : Number.NaN;
  return isCount(whole) ? { ...NO_USAGE, seconds: whole } : null;
}

/** Cohere tells the searches that it bills, the others the tokens. */
function ranked({ meta, usage: told }: Fields): Usage | null {
  const searches = fieldsOf(fieldsOf(meta)["billed_units"])["search_units"];
  if (isCount(searches)) return { ...NO_USAGE, rankings: count(searches) };
  const { total_tokens: tokens } = fieldsOf(told);
  return isCount(tokens) ? { ...NO_USAGE, input: count(tokens) } : null;
}
