import type { Readable } from "node:stream";
import type { EventLog } from "./event-log.ts";

/** So long is gathered what is written after something was told. */
const GATHER_MS = 20;
/** Where the two streams take turns more often than this within that time, what each says is told together. */
const TURNS_MAX = 16;

/** So much is told at once, whatever the time: an event is kept as one value, which may hold 2 MB. */
const CHARACTERS_MAX = 65_536;

type Stream = "stdout" | "stderr";

/**
 * What a command writes, as events: at once after it was quiet, and otherwise gathered for a moment. One that writes byte by byte would
 * make events faster than anybody takes them, and each is kept here until somebody has it.
 */
export class Output {
  readonly #events: EventLog;
  #bytesLeft: number;
  #droppedBytes = 0;
  #gathered: { readonly type: Stream; text: string }[] = [];
  #characters = 0;
  #pause: NodeJS.Timeout | null = null;

  constructor(events: EventLog, bytesMax: number) {
    this.#events = events;
    this.#bytesLeft = bytesMax;
  }

  /** Of both streams together, beyond what it may write. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  listen(type: Stream, stream: Readable): void {
    const decoder = new TextDecoder();
    stream.on("data", (bytes: Buffer) => {
      const kept = bytes.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= kept.length;
      this.#droppedBytes += bytes.length - kept.length;
      this.#gather(type, decoder.decode(kept, { stream: true }));
    });
  }

  /** Tells all that was written so far. */
  flush(): void {
    for (const { type, text } of this.#gathered) this.#events.add({ type, data: { text } });
    this.#gathered = [];
    this.#characters = 0;
  }

  #gather(type: Stream, text: string): void {
    if (text === "") return;
    const last = this.#gathered.length < TURNS_MAX ? this.#gathered.at(-1) : this.#gathered.findLast((each) => each.type === type);
    if (last?.type === type) last.text += text;
    else this.#gathered.push({ type, text });
    this.#characters += text.length;
    if (!this.#pause) this.#tell();
    else if (this.#characters >= CHARACTERS_MAX) this.flush();
  }

  #tell(): void {
    const wasQuiet = this.#gathered.length === 0;
    this.flush();
    this.#pause = wasQuiet ? null : setTimeout(() => this.#tell(), GATHER_MS);
  }
}
