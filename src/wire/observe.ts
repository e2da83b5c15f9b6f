import { addUsage, type Capability, fieldsOf, isSurface, NO_USAGE, type Usage } from "#core";
import type { Reported } from "./contract.ts";
import { executedTools, type Pieces, responsesPieces, runsCode, searchesOf } from "./pieces.ts";
import { SurfaceObserver } from "./surface-report.ts";
import { anthropicTier, anthropicUsage, chatUsage, iterationsUsage, pieces, PRICING, responsesUsage } from "./usage.ts";

const SHORT_DELTA_BYTES = 12;
const BYTES_PER_TOKEN = 4;
const encoder = new TextEncoder();

/** Our own count of a piece of generated text: providers mostly stream a token a delta; longer pieces go by their bytes. */
export function tokensOf(text: unknown): number {
  if (typeof text !== "string" || text === "") return 0;
  const bytes = text.length <= SHORT_DELTA_BYTES / 3 ? 0 : bytesOf(text);
  return bytes <= SHORT_DELTA_BYTES ? 1 : Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** A text's length in UTF-8. The encoder is asked for long texts only: for a delta, asking costs more than counting. */
function bytesOf(text: string): number {
  if (text.length > 64) return encoder.encode(text).byteLength;
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

/** Watches one answer, event by event. */
export interface Observer {
  /** One event of a stream: its data and its name. */
  see(data: string, event: string): void;
  /** A whole JSON answer. */
  whole(answer: unknown): void;
  /** A whole answer that is no JSON, where the capability has such. */
  plain?(text: string): void;
  reported(): Reported;
}

/** The observer of a capability's answers. */
export function observer(capability: Capability): Observer {
  if (isSurface(capability)) return new SurfaceObserver(capability);
  switch (capability) {
    case "chat.completions":
    case "completions":
    case "embeddings":
      return new ChatObserver();
    case "responses":
      return new ResponsesObserver();
    case "messages":
    case "count_tokens":
      return new MessagesObserver();
  }
}

const DONE = "[DONE]";

/** What every observer gathers. */
abstract class Watcher implements Observer {
  protected usage: Usage | null = null;
  protected serviceTier: string | null = null;
  protected complete = false;
  protected failed = false;
  protected outputTokens = 0;

  see(data: string, event: string): void {
    // That this is no JSON is known: an error that is thrown costs more than all other events.
    if (data === DONE) return this.unparsed(data);
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      this.unparsed(data);
      return;
    }
    this.event(fieldsOf(value), event);
  }

  abstract whole(answer: unknown): void;
  protected abstract event(fields: Readonly<Record<string, unknown>>, event: string): void;

  /** Data that is no JSON; only one dialect has any. */
  protected unparsed(_data: string): void {}

  reported(): Reported {
    const { serviceTier, complete, failed, outputTokens } = this;
    const usage = this.usage && addUsage(this.usage, { ...NO_USAGE, ...this.beside() });
    return { usage, serviceTier, complete, failed, unbilled: false, outputTokens };
  }

  /** What was seen to be billed beside the counts of the answer's own tokens. */
  protected abstract beside(): Partial<Usage>;

  protected tier(value: unknown): void {
    if (typeof value === "string") this.serviceTier = value;
  }
}

/** More choices than any vendor offers; what a provider invents beyond is not followed, so that it fills no memory. */
const CHOICES_MAX = 1_024;

/** Where a chat's choice says something in text. */
const SAID = ["content", "refusal", "reasoning_content", "reasoning"];

/** Chat Completions, legacy completions and embeddings. */
class ChatObserver extends Watcher {
  /** Every choice seen, and whether it has its reason to end. */
  readonly #finished = new Map<number, boolean>();
  readonly #executed = new Set<unknown>();
  #searches = 0;
  #done = false;

  whole(answer: unknown): void {
    const fields = fieldsOf(answer);
    this.complete = true;
    this.#gather(fields);
  }

  protected event(fields: Readonly<Record<string, unknown>>): void {
    if (fields["error"] !== undefined && fields["error"] !== null) this.failed = true;
    this.#gather(fields);
    // A provider that omits [DONE] has still ended where every choice that it began has its reason.
    this.complete = this.#done || (this.#finished.size > 0 && [...this.#finished.values()].every(Boolean));
  }

  protected override unparsed(data: string): void {
    if (data.trim() !== DONE) return;
    this.#done = true;
    this.complete = true;
  }

  protected beside(): Pieces {
    return { webSearches: this.#searches, extras: this.#executed.size };
  }

  #gather(fields: Readonly<Record<string, unknown>>): void {
    this.#searches = Math.max(this.#searches, searchesOf(fields["model"]));
    this.usage = chatUsage(fields["usage"]) ?? chatUsage(fieldsOf(fields["x_groq"])["usage"]) ?? this.usage;
    this.tier(fields["service_tier"]);
    const choices: unknown = fields["choices"];
    if (!Array.isArray(choices)) return;
    for (const each of choices) {
      const choice = fieldsOf(each);
      this.#follow(choice);
      this.#count(choice);
      for (const place of executedTools(fieldsOf(choice["delta"] ?? choice["message"])))
        if (this.#executed.size < CHOICES_MAX) this.#executed.add(place);
    }
  }

  #follow(choice: Readonly<Record<string, unknown>>): void {
    const index = typeof choice["index"] === "number" ? choice["index"] : 0;
    if (!this.#finished.has(index) && this.#finished.size >= CHOICES_MAX) return;
    this.#finished.set(index, this.#finished.get(index) === true || typeof choice["finish_reason"] === "string");
  }

  #count(choice: Readonly<Record<string, unknown>>): void {
    const said = fieldsOf(choice["delta"] ?? choice["message"]);
    this.outputTokens += tokensOf(choice["text"]);
    for (const name of SAID) this.outputTokens += tokensOf(said[name]);
    const calls: unknown = said["tool_calls"];
    if (Array.isArray(calls)) for (const call of calls) this.#call(fieldsOf(call)["function"] ?? fieldsOf(call)["custom"]);
    this.#call(said["function_call"]);
  }

  #call(call: unknown): void {
    const { name, arguments: words, input } = fieldsOf(call);
    this.outputTokens += tokensOf(name) + tokensOf(words) + tokensOf(input);
  }
}

/** Responses. */
class ResponsesObserver extends Watcher {
  #pieces: Pieces = {};

  whole(answer: unknown): void {
    this.complete = true;
    this.#response(answer);
    const items: unknown = fieldsOf(answer)["output"];
    for (const item of Array.isArray(items) ? items : []) this.#item(fieldsOf(item));
  }

  protected event(fields: Readonly<Record<string, unknown>>): void {
    const type = typeof fields["type"] === "string" ? fields["type"] : "";
    if (type.endsWith(".delta")) this.outputTokens += tokensOf(fields["delta"]);
    if (type === "error" || type === "response.failed") this.failed = true;
    if (type === "response.completed" || type === "response.incomplete" || type === "response.failed") {
      this.complete = true;
      this.#response(fields["response"]);
    }
  }

  protected beside(): Pieces {
    return this.#pieces;
  }

  #response(response: unknown): void {
    this.usage = responsesUsage(response) ?? this.usage;
    this.#pieces = responsesPieces(response);
    this.tier(fieldsOf(response)["service_tier"]);
  }

  #item(item: Readonly<Record<string, unknown>>): void {
    const parts: unknown = item["content"];
    const texts: unknown[] = (Array.isArray(parts) ? parts : []).flatMap((part) => [fieldsOf(part)["text"], fieldsOf(part)["refusal"]]);
    for (const text of [...texts, item["arguments"], item["input"], item["name"]]) this.outputTokens += tokensOf(text);
  }
}

/** Messages. Input is told at the start, output cumulatively until the end. */
class MessagesObserver extends Watcher {
  readonly #told: Record<string, unknown> = {};
  #iterations: Usage = NO_USAGE;
  #runs = 0;
  #refused = false;

  override reported(): Reported {
    const reported = super.reported();
    const unbilled = this.#refused && reported.outputTokens === 0 && (reported.usage?.output ?? 0) === 0;
    return unbilled ? { ...reported, usage: NO_USAGE, unbilled } : reported;
  }

  whole(answer: unknown): void {
    const fields = fieldsOf(answer);
    this.complete = true;
    this.#refused = fields["stop_reason"] === "refusal";
    this.#usage(fields["usage"]);
    const content: unknown = fields["content"];
    for (const block of Array.isArray(content) ? content : []) {
      this.#block(fieldsOf(block));
      this.#run(fieldsOf(block));
    }
  }

  /** Passes beside the message add tokens as well. */
  protected beside(): Partial<Usage> {
    return addUsage(this.#iterations, { ...NO_USAGE, extras: this.#runs });
  }

  protected event(fields: Readonly<Record<string, unknown>>, event: string): void {
    switch (fields["type"]) {
      case "message_start":
        this.#usage(fieldsOf(fields["message"])["usage"]);
        break;
      case "content_block_start":
        this.#run(fieldsOf(fields["content_block"]));
        break;
      case "content_block_delta":
        this.#block(fieldsOf(fields["delta"]));
        break;
      case "message_delta":
        this.#refused ||= fieldsOf(fields["delta"])["stop_reason"] === "refusal";
        this.#usage(fields["usage"]);
        break;
      case "message_stop":
        this.complete = true;
        break;
      default:
        if (fields["type"] === "error" || event === "error") this.failed = true;
    }
  }

  #run(block: Readonly<Record<string, unknown>>): void {
    if (runsCode(block)) this.#runs = pieces(this.#runs + 1);
  }

  #usage(usage: unknown): void {
    this.usage = anthropicUsage(usage, this.usage);
    this.#iterations = iterationsUsage(usage) ?? this.#iterations;
    // What a later report leaves out stands as it was told at the start.
    const told = fieldsOf(usage);
    for (const name of PRICING) this.#told[name] = told[name] ?? this.#told[name];
    this.tier(anthropicTier(this.#told));
  }

  #block(block: Readonly<Record<string, unknown>>): void {
    for (const name of ["text", "thinking", "partial_json"]) this.outputTokens += tokensOf(block[name]);
    if (typeof block["input"] === "object") this.outputTokens += tokensOf(jsonOf(block["input"]));
  }
}

/** The value's JSON; nothing for one nested so deep that writing it would exhaust the stack, though reading it did not. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "";
  }
}

/** Nothing known of an answer that could not be read. */
export const UNREADABLE: Reported = { usage: null, serviceTier: null, complete: false, failed: false, unbilled: false, outputTokens: 0 };
