import { type Caller, fieldsOf } from "#core";
import { keepsResponses } from "#providers";
import { itemsOf, type Json, type Kept, listed } from "#responses";
import { type Pass, SseReader } from "#wire";
import type { Draft, Gateway } from "./contract.ts";

const DAY_MS = 86_400_000;
/** As long as OpenAI keeps a response (https://platform.openai.com/docs/guides/conversation-state). */
const VENDOR_DAYS = 30;
/** Longer nobody waits for an answer to be kept: it is told all the same, and cannot be named. */
const PATIENCE_MS = 5_000;
/** More items no answer has; of what a provider invents beyond, nothing is taken down. */
const IDS_MAX = 1_000;

/** Where an answer can be named later: in the provider's account, whose owner is taken down here, or here. */
type Where = Kept["at"];

/** Where the answer to a request is kept; null where it is not, which most are. */
function whereKept({ asked, caller, upstream, translation }: Draft, at: Gateway): Where | null {
  if (asked.capability !== "responses" || asked.body.value["store"] === false || caller.responses === "off") return null;
  if (translation === null && keepsResponses(upstream)) return "provider";
  return keepsHere(caller, at) ? "here" : null;
}

/** Whether anything of a caller's is kept here. */
export function keepsHere({ responses }: Caller, { config }: Gateway): boolean {
  return responses === "kept" && config.TOLLGATE_RESPONSES_DAYS > 0;
}

/** Whether the answer to a request is kept at all. */
export function keeps(draft: Draft, at: Gateway): boolean {
  return whereKept(draft, at) !== null;
}

/** Keeps a whole JSON answer, as it is told; it stands when this returns. */
export async function rememberAnswer(text: string, draft: Draft, at: Gateway): Promise<void> {
  const where = whereKept(draft, at);
  if (where === null) return;
  const memory = new Memory(where, draft, at);
  memory.ended(parsed(text));
  await memory.stands();
}

/**
 * Keeps a stream as it passes; nothing is done where it is not kept. Every byte passes as it came, and at once, but for the end: that
 * waits until what it ends stands, so that whoever has read it can go on from it, whatever happens here.
 */
export function remembering(draft: Draft, at: Gateway): readonly Pass[] {
  const where = whereKept(draft, at);
  if (where === null) return [];
  const memory = new Memory(where, draft, at);
  const events = new SseReader((data, event) => memory.see(data, event));
  const push = (chunk: Uint8Array) => {
    events.push(chunk);
    return memory.over ? memory.stands().then(() => chunk) : chunk;
  };
  return [{ push }];
}

/** What is to be remembered of one answer. */
class Memory {
  readonly #where: Where;
  readonly #draft: Draft;
  readonly #at: Gateway;
  readonly #known = new Set<string>();
  /** Ids that are still to be taken down. */
  #untold: string[] = [];
  #telling = false;
  readonly #writes: Promise<void>[] = [];
  readonly #items: unknown[] = [];
  #over = false;

  constructor(where: Where, draft: Draft, at: Gateway) {
    this.#where = where;
    this.#draft = draft;
    this.#at = at;
  }

  /** Whether the answer has told its end. */
  get over(): boolean {
    return this.#over;
  }

  /** One event of a stream. Ids are taken down as soon as they are told, long before the end. */
  see(data: string, event: string): void {
    if (event.endsWith(".delta")) return;
    const { type, response, item } = parsed(data);
    switch (type) {
      case "response.created":
        this.#own(fieldsOf(response)["id"]);
        break;
      case "response.output_item.added":
        this.#own(fieldsOf(item)["id"]);
        break;
      case "response.output_item.done":
        this.#items.push(item);
        break;
      case "response.completed":
      case "response.incomplete":
        this.ended(fieldsOf(response));
    }
  }

  /** The whole response. Some providers leave out of it what they have told before. */
  ended(response: Json): void {
    this.#over = true;
    const output = itemsOf(response["output"]);
    if (this.#where === "provider") for (const { id } of [response, ...output]) this.#own(id);
    else this.#keep(output.length === 0 && this.#items.length > 0 ? { ...response, output: this.#items } : response);
  }

  /** Waits for what was begun. */
  async stands(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, PATIENCE_MS);
    await Promise.race([Promise.allSettled(this.#writes), late.promise]);
    clearTimeout(timer);
  }

  #own(id: unknown): void {
    if (this.#where !== "provider" || typeof id !== "string" || id === "" || this.#known.has(id) || this.#known.size >= IDS_MAX) return;
    this.#known.add(id);
    this.#untold.push(id);
    if (!this.#telling) this.#begun(this.#tell());
  }

  /** Takes ids down, those that were told at once, or while others were taken down, in one call. */
  async #tell(): Promise<void> {
    this.#telling = true;
    const { upstream, recall } = this.#draft;
    const { account } = recall.original ?? upstream;
    const days = Math.max(VENDOR_DAYS, this.#at.config.TOLLGATE_RESPONSES_DAYS);
    try {
      await Promise.resolve();
      while (this.#untold.length > 0)
        await this.#write(this.#untold.splice(0), { v: 1, at: "provider", provider: upstream.name, account }, days);
    } finally {
      this.#telling = false;
      if (this.#untold.length > 0) this.#begun(this.#tell());
    }
  }

  #keep(response: Json): void {
    const { id, status } = response;
    if (typeof id !== "string" || id === "" || status === "failed") return;
    const { asked } = this.#draft;
    const input = listed(itemsOf(asked.body.value["input"]), id);
    const told = { ...response, previous_response_id: asked.resumed?.from ?? null, store: true };
    this.#begun(this.#write([id], { v: 1, at: "here", response: told, input }, this.#at.config.TOLLGATE_RESPONSES_DAYS));
  }

  #write(ids: readonly string[], kept: Kept, days: number): Promise<void> {
    const { key } = this.#draft.caller;
    return this.#at.responses.keep({ key, ids }, kept, this.#at.now() + days * DAY_MS);
  }

  /** A write that fails is told in the log: the answer has been paid for, and is told without being kept. */
  #begun(written: Promise<void>): void {
    this.#at.background(written);
    this.#writes.push(written);
  }
}

function parsed(data: string): Json {
  try {
    return fieldsOf(JSON.parse(data));
  } catch {
    return {};
  }
}
