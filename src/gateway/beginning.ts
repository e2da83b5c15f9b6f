import type { Capability } from "#core";
import { type Reported, StreamReader } from "#wire";

/** A preamble of more bytes than this is none. */
const BYTES_MAX = 65_536;

/**
 * How a stream begins: with a word or a whole empty answer (`content`), an error in its place (`failed`), its own end before either
 * (`broken`), or with nothing of these within the time that it was given (`waited`).
 */
export interface Beginning {
  readonly how: "content" | "failed" | "broken" | "waited";
  readonly reported: Reported;
  /** The stream from its first byte on. What was looked at is sent ahead, the rest passes natively. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Ends with the stream. */
  readonly passing: Promise<unknown>;
}

/** Looks at a stream until its first word: up to there another target can still take its place, and nobody has seen a byte. */
export async function beginning(body: ReadableStream<Uint8Array>, capability: Capability, patienceMs: number): Promise<Beginning> {
  const sink = new StreamReader(capability);
  const reader = body.getReader();
  const seen: Uint8Array[] = [];
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), patienceMs);
  let pending: Promise<ReadableStreamReadResult<Uint8Array>> | null = null;
  let how: Beginning["how"] | null = null;
  for (let bytes = 0; how === null;) {
    pending ??= reader.read();
    const got = await Promise.race([pending, late.promise]).catch(() => "broken" as const);
    if (got === "late") how = "waited";
    else if (got === "broken" || got.done) how = "broken";
    else {
      pending = null;
      seen.push(got.value);
      bytes += got.value.byteLength;
      sink.push(got.value);
      how = begun(sink.reported()) ?? (bytes > BYTES_MAX ? "content" : null);
    }
  }
  clearTimeout(timer);
  const { readable, writable } = new IdentityTransformStream();
  return { how, reported: sink.reported(), stream: readable, passing: pass({ seen, pending, reader, body }, writable) };
}

/** A stream may tell its error and its end in one chunk: the error counts. */
function begun({ outputTokens, failed, complete }: Reported): "content" | "failed" | null {
  if (outputTokens > 0) return "content";
  if (failed) return "failed";
  return complete ? "content" : null;
}

/** A stream that was looked at: what it gave, the read that is under way, and the rest. */
interface Looked {
  readonly seen: readonly Uint8Array[];
  readonly pending: Promise<ReadableStreamReadResult<Uint8Array>> | null;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly body: ReadableStream<Uint8Array>;
}

async function pass({ seen, pending, reader, body }: Looked, writable: WritableStream<Uint8Array>): Promise<void> {
  const writer = writable.getWriter();
  try {
    for (const chunk of seen) await writer.write(chunk);
    const got = await pending;
    if (got && !got.done) await writer.write(got.value);
  } catch (cause) {
    await Promise.allSettled([writer.abort(cause), reader.cancel(cause)]);
    return;
  }
  writer.releaseLock();
  reader.releaseLock();
  // Either side's failure reaches the other by the pipe; who reads the stream sees it there.
  await body.pipeTo(writable).catch(() => undefined);
}
