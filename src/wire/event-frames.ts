import { joined } from "./bytes.ts";
import type { Pass } from "./pass.ts";

const LF = 10;
const CR = 13;
/** A larger event comes in parts. */
export const EVENT_MAX = 16 * 1024 * 1024;

/** Decides on one whole event, blank line included: its bytes as they are, others in their place, or null to cut it out. */
export type Edit = (event: Uint8Array) => Uint8Array | null;

/** Finds where events end, by the standard's three line ends, from bytes split anywhere. */
class BlankLines {
  #empty = true;
  #afterCr = false;

  /** Offset behind the next blank line in `chunk` at or after `from`; -1 where the chunk ends before one does. */
  next(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      const halved = this.#afterCr && byte === LF;
      this.#afterCr = byte === CR;
      if (halved) continue;
      if (byte !== LF && byte !== CR) {
        this.#empty = false;
      } else if (this.#empty) {
        return this.#closed(chunk, at);
      } else this.#empty = true;
    }
    return -1;
  }

  /** How many bytes at the start of `chunk` are the second half of a CRLF whose CR ended the chunk before: 1 or 0. They count as read. */
  half(chunk: Uint8Array): number {
    if (!this.#afterCr || chunk[0] !== LF) return 0;
    this.#afterCr = false;
    return 1;
  }

  #closed(chunk: Uint8Array, at: number): number {
    if (!this.#afterCr || chunk[at + 1] !== LF) return at + 1;
    this.#afterCr = false;
    return at + 2;
  }
}

/** Bytes that wait for the rest of their event; grows by doubling, so that an event in many small chunks costs no more than its size. */
class Held {
  #bytes = new Uint8Array(1_024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > this.#bytes.length) {
      const wider = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      wider.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = wider;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }

  /** What was held, with `bytes` behind it. Nothing is held afterwards. */
  takeWith(bytes: Uint8Array): Uint8Array {
    if (this.#size === 0) return bytes;
    this.add(bytes);
    const whole = this.#bytes.slice(0, this.#size);
    this.#size = 0;
    return whole;
  }
}

type Send = (bytes: Uint8Array) => void;

/** What goes out for the bytes that come in, and for their end. */
interface Frames {
  readonly push: (chunk: Uint8Array, send: Send) => void;
  readonly end: (send: Send) => void;
}

/**
 * A stream edited event by event, the same wherever its bytes are split. Bytes between the edits pass as they came. An event of
 * over 16 MiB passes unedited: it is none of the small ones that are edited. An event that the stream's end cuts short passes too.
 */
export function editing(edit: Edit): Pass {
  const { push, end } = frames(edit);
  return { push: (chunk) => sentBy((send) => push(chunk, send)), end: () => sentBy(end) };
}

/** A stream cut into its events, each one a chunk of its own. An event that is too large to hold comes in chunks that end no event. */
export function wholeEvents(): TransformStream<Uint8Array, Uint8Array> {
  const { push, end } = frames((event) => event);
  return new TransformStream({
    transform: (chunk, controller) => push(chunk, (bytes) => controller.enqueue(bytes)),
    flush: (controller) => end((bytes) => controller.enqueue(bytes)),
  });
}

/** All that is sent, as one; null where that is nothing. */
function sentBy(work: (send: Send) => void): Uint8Array | null {
  const parts: Uint8Array[] = [];
  work((bytes) => void parts.push(bytes));
  return parts.length > 1 ? joined(parts) : (parts[0] ?? null);
}

function frames(edit: Edit): Frames {
  const lines = new BlankLines();
  const held = new Held();
  /** The current event is too large to hold. */
  let passing = false;
  /** The last event ended in a CR and was kept; its LF may follow. Null where none can. */
  let endedInCr: boolean | null = null;

  /** What goes out for the bytes that end an event. */
  function ended(bytes: Uint8Array): Uint8Array | null {
    const kept = passing ? bytes : edit(held.takeWith(bytes));
    passing = false;
    endedInCr = bytes.at(-1) === CR ? kept !== null : null;
    return kept;
  }

  /** What goes out for bytes whose event goes on. */
  function open(bytes: Uint8Array): Uint8Array | null {
    if (passing) return bytes;
    if (held.size + bytes.length <= EVENT_MAX) {
      held.add(bytes);
      return null;
    }
    passing = true;
    return held.takeWith(bytes);
  }

  return {
    push(chunk, pass) {
      const send = (bytes: Uint8Array | null) => void (bytes && bytes.length > 0 && pass(bytes));
      if (chunk.length === 0) return;
      // The LF of a blank line whose CR ended the last chunk shares the fate of the event that it ends.
      let from = endedInCr === null ? 0 : lines.half(chunk);
      if (endedInCr === true) send(chunk.subarray(0, from));
      endedInCr = null;
      for (let end = lines.next(chunk, from); end !== -1; end = lines.next(chunk, from)) {
        send(ended(chunk.subarray(from, end)));
        from = end;
      }
      if (from < chunk.length) send(open(chunk.subarray(from)));
    },
    end(pass) {
      if (held.size > 0) pass(held.takeWith(new Uint8Array()));
    },
  };
}

/** Whether bytes end an event: behind them stands a blank line. */
export function endsEvent(bytes: Uint8Array): boolean {
  const last = bytes.at(-1);
  if (last !== LF && last !== CR) return false;
  const before = last === LF && bytes.at(-2) === CR ? bytes.at(-3) : bytes.at(-2);
  return before === LF || before === CR || before === undefined;
}
