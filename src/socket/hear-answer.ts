import { SseReader } from "#wire";

/** Who is told of an answer, piece by piece; the next piece is read when the last was taken. */
export interface Listener {
  begins(body: string | null): Promise<void>;
  event(event: { readonly event: string; readonly data: string }): Promise<void>;
}

/**
 * Reads an answer to its end: a stream event by event, anything else whole. Leaves it when the signal says so, which ends the
 * provider's call.
 */
export async function hearAnswer(response: Response, signal: AbortSignal, listener: Listener): Promise<void> {
  const streams = response.headers.get("content-type")?.toLowerCase().includes("text/event-stream") ?? false;
  if (!streams || !response.body) {
    await listener.begins(await response.text());
    return;
  }
  const reader = response.body.getReader();
  const leave = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", leave);
  try {
    await listener.begins(null);
    for await (const event of events(reader)) await listener.event(event);
  } finally {
    leave();
    signal.removeEventListener("abort", leave);
  }
}

async function* events(reader: ReadableStreamDefaultReader<Uint8Array>) {
  const found: { event: string; data: string }[] = [];
  const sse = new SseReader((data, event) => found.push({ event, data }));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    sse.push(value);
    yield* found.splice(0);
  }
}
