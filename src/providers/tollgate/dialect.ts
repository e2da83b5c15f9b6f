import type { Answer, Turn } from "./turn.ts";

/** One server-sent event; `event` is absent in dialects that name no events. `paced` marks the chunks that `slow` waits before. */
export interface Event {
  readonly event?: string;
  readonly data: unknown;
  readonly paced?: boolean;
}

/** One request in the making: what was asked, what is answered, and the ids of the answer. */
export interface Exchange {
  readonly turn: Turn;
  readonly answer: Answer;
  readonly id: string;
  /** Seconds. */
  readonly created: number;
}

/** How a dialect writes an answer, whole and as a stream. */
export interface Writer {
  readonly whole: (exchange: Exchange) => unknown;
  readonly events: (exchange: Exchange) => Iterable<Event>;
}
