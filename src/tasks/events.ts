import type { TaskEvent } from "./contract.ts";
import type { TaskLog } from "./log.ts";

/** From where on, and how more is waited for. */
interface Following {
  readonly after: number;
  readonly more: (ms: number) => Promise<void>;
}

/** So often a stream that has nothing to say says so, so that nobody between takes it for dead. */
const PING_MS = 15_000;

/** A task's events as server-sent events, each with its number as `id`, until the exit. */
export function eventStream(log: TaskLog, { after, more }: Following): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let seq = after;
  let ended = false;
  return new ReadableStream({
    async pull(controller) {
      if (ended) return controller.close();
      let events = log.after(seq);
      if (events.length === 0) {
        if (log.task()?.end) return controller.close();
        await more(PING_MS);
        events = log.after(seq);
      }
      seq = events.at(-1)?.seq ?? seq;
      ended = events.at(-1)?.type === "exit";
      controller.enqueue(encoder.encode(events.length === 0 ? ": still here\n\n" : events.map(framed).join("")));
    },
  });
}

/** An event as JSON, as every stream tells it. */
export function told({ seq, at, type, data }: TaskEvent): string {
  return JSON.stringify({ seq, at: new Date(at).toISOString(), type, data });
}

function framed(event: TaskEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${told(event)}\n\n`;
}
