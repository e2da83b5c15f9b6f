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
  /** The stream from its first byte on. */
  readonly stream: ReadableStream<Uint8Array>;
}

/**
 * Looks at a stream until its first word: up to there another target can still take its place, and nobody has seen a byte. It looks at a
 * copy, and lets go of that: what was looked at waits in the tee, and the rest passes without any work of ours.
 */
export async function beginning(body: ReadableStream<Uint8Array>, capability: Capability, patienceMs: number): Promise<Beginning> {
  const [stream, copy] = body.tee();
  const sink = new StreamReader(capability);
  const reader = copy.getReader();
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), patienceMs);
  let how: Beginning["how"] | null = null;
  for (let bytes = 0; how === null;) {
    const got = await Promise.race([reader.read(), late.promise]).catch(() => "broken" as const);
    if (got === "late") how = "waited";
    else if (got === "broken" || got.done) how = "broken";
    else {
      bytes += got.value.byteLength;
      sink.push(got.value);
      how = begun(sink.reported()) ?? (bytes > BYTES_MAX ? "content" : null);
    }
  }
  clearTimeout(timer);
  // Not awaited: the copy's end may be told only with the stream's. One that broke off has nothing to let go of.
  void reader.cancel().catch(() => undefined);
  return { how, reported: sink.reported(), stream };
}

/** A word counts before an error that came behind it: it is content, and the error is its reader's to see. */
function begun({ outputTokens, failed, complete }: Reported): "content" | "failed" | null {
  if (outputTokens > 0) return "content";
  if (failed) return "failed";
  return complete ? "content" : null;
}
