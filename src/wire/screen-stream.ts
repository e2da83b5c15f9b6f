import { type Capability, TollgateError } from "#core";
import { EVENT_MAX, endsEvent, wholeEvents } from "./event-frames.ts";
import { type Piece, type StreamEvent, streamEvent } from "./stream-texts.ts";
import { finder, redactText, type Redactions } from "./texts.ts";

/** New characters that are worth a look of their own. */
const STEP = 32;

/** A stretch of a stream, as it is judged before any of it goes on. */
export interface Stretch {
  /** What has gone already stands in front, so that a judge sees what led up to it. */
  readonly text: string;
  /** Characters in front that have gone. */
  readonly gone: number;
  /** Nothing follows in this run of text. */
  readonly last: boolean;
}

/** Judges a stretch; what it throws ends the stream. */
export type JudgeStretch = (stretch: Stretch) => Promise<Redactions>;

/** How a stream is screened. */
export interface Screening {
  readonly judge: JudgeStretch;
  /** Characters that are held back; no text that is redacted may be longer, so that it is seen whole wherever it is split. */
  readonly holdBack: number;
}

interface Held {
  readonly bytes: Uint8Array;
  readonly event: StreamEvent;
  /** Pieces that must not go yet. */
  open: number;
  readonly changed: (Pick<Piece, "start" | "end"> & { text: string })[];
}

/** A piece that waits, in the event that holds it, and what it says by now. */
interface Waiting {
  readonly held: Held;
  readonly piece: Piece;
  text: string;
}

/**
 * A stream of which nothing goes on before it was judged. It goes on event by event, in order, and events in which nothing is
 * redacted pass byte for byte.
 */
export function screened(stream: ReadableStream<Uint8Array>, capability: Capability, screening: Screening): ReadableStream<Uint8Array> {
  const screen = new Screen(capability, screening);
  return stream.pipeThrough(wholeEvents()).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(bytes, controller) {
        // In parts it says nothing to whoever judges it, and all to whoever puts it together again.
        if (bytes.length > EVENT_MAX && !endsEvent(bytes))
          throw new TollgateError("upstream_error", "The provider sent an event that is too large to be judged");
        for (const each of await screen.take(bytes)) controller.enqueue(each);
      },
      async flush(controller) {
        for (const each of await screen.rest()) controller.enqueue(each);
      },
    }),
  );
}

class Screen {
  readonly #capability: Capability;
  readonly #judge: JudgeStretch;
  readonly #holdBack: number;
  readonly #runs = new Map<string, Run>();
  readonly #queue: Held[] = [];
  /** What was redacted so far: a text that is told again whole loses it again. */
  readonly #redacted = new Map<string, string>();

  constructor(capability: Capability, { judge, holdBack }: Screening) {
    this.#capability = capability;
    this.#judge = judge;
    this.#holdBack = holdBack;
  }

  /** Takes one event; answers those that may go. */
  async take(bytes: Uint8Array): Promise<Uint8Array[]> {
    const event = streamEvent(this.#capability, bytes);
    const held: Held = { bytes, event, open: event.pieces.length, changed: [] };
    this.#queue.push(held);
    for (const piece of event.pieces) this.#runOf(piece.run).push({ held, piece, text: piece.text });
    for (const [name, run] of this.#runs) await this.#look(run, event.ends(name));
    for (const whole of event.wholes) await this.#again(held, whole);
    return this.#ready();
  }

  /** Answers what is left where the stream ends. */
  async rest(): Promise<Uint8Array[]> {
    for (const run of this.#runs.values()) await this.#look(run, true);
    return this.#ready();
  }

  #runOf(name: string): Run {
    const known = this.#runs.get(name);
    if (known) return known;
    const run = new Run(this.#holdBack);
    this.#runs.set(name, run);
    return run;
  }

  async #look(run: Run, last: boolean): Promise<void> {
    if (!run.isDue(last)) return;
    const stretch = run.stretch(last);
    const redactions = await this.#judge(stretch);
    for (const { text, with: instead } of redactions) if (!this.#redacted.has(text)) this.#redacted.set(text, instead);
    run.release(stretch, redactions);
  }

  /** A text told whole: what a run has told in pieces was judged then, and any other is judged now. */
  async #again({ changed }: Held, { text, start, end }: Piece): Promise<void> {
    const told = [...this.#runs.values()].some((run) => run.told === text);
    const found = told ? [] : await this.#judge({ text, gone: 0, last: true });
    const known = [...this.#redacted].map(([each, instead]) => ({ text: each, with: instead }));
    const redactions = [...found, ...known].toSorted((a, b) => b.text.length - a.text.length);
    const after = redactText(text, redactions);
    if (after !== text) changed.push({ start, end, text: after });
  }

  #ready(): Uint8Array[] {
    const count = this.#queue.findIndex(({ open }) => open > 0);
    const ready = this.#queue.splice(0, count === -1 ? this.#queue.length : count);
    return ready.map(({ bytes, event, changed }) => (changed.length === 0 ? bytes : event.with(changed)));
  }
}

/** One run of text: what of it waits, and what has gone. */
class Run {
  readonly #holdBack: number;
  #waiting: Waiting[] = [];
  /** The end of what has gone, as it went. */
  #gone = "";
  #seen = 0;
  #size = 0;
  /** All that it has told, as it came. */
  told = "";

  constructor(holdBack: number) {
    this.#holdBack = holdBack;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#size += waiting.text.length;
    this.told += waiting.text;
  }

  isDue(last: boolean): boolean {
    if (this.#waiting.length === 0) return false;
    return last || this.#size - this.#seen >= STEP;
  }

  stretch(last: boolean): Stretch {
    this.#seen = this.#size;
    return { text: this.#gone + this.#waiting.map(({ text }) => text).join(""), gone: this.#gone.length, last };
  }

  /** Lets go what was judged and is long enough ago, with what was found in it redacted. */
  release({ text, gone, last }: Stretch, redactions: Redactions): void {
    const hits = hitsIn(text, redactions).filter(({ start, end }) => start >= gone && (last || end < text.length));
    const limit = last ? text.length : text.length - this.#holdBack;
    let count = 0;
    let end = gone;
    let at = gone;
    for (const [index, waiting] of this.#waiting.entries()) {
      at += waiting.text.length;
      if (at > limit) break;
      if (hits.some((hit) => hit.start < at && at < hit.end)) continue;
      count = index + 1;
      end = at;
    }
    const going = this.#waiting.splice(0, count);
    const went = rewritten(going, hits.filter((hit) => hit.end <= end), gone); // prettier-ignore
    this.#size -= end - gone;
    this.#seen = this.#size;
    this.#gone = (text.slice(0, gone) + went).slice(-this.#holdBack);
  }
}

interface Hit {
  readonly start: number;
  readonly end: number;
  readonly with: string;
}

function hitsIn(text: string, redactions: Redactions): Hit[] {
  const found = finder(redactions);
  if (!found) return [];
  const instead = new Map(redactions.map((each) => [each.text, each.with]));
  return [...text.matchAll(found)].map(({ index, 0: hit }) => ({ start: index, end: index + hit.length, with: instead.get(hit) ?? "" }));
}

/** Puts what stands for a hit into the piece where it begins, and takes the rest of it out of those behind. Answers what they say together. */
function rewritten(going: readonly Waiting[], hits: readonly Hit[], from: number): string {
  let at = from;
  let all = "";
  for (const { held, piece, text } of going) {
    const [start, end] = [at, at + text.length];
    let said = "";
    let rest = start;
    for (const hit of hits.filter((each) => each.start < end && each.end > start)) {
      said += text.slice(rest - start, Math.max(rest, hit.start) - start) + (hit.start >= start ? hit.with : "");
      rest = Math.min(end, hit.end);
    }
    said += text.slice(rest - start);
    if (said !== text) held.changed.push({ start: piece.start, end: piece.end, text: said });
    held.open--;
    all += said;
    at = end;
  }
  return all;
}
