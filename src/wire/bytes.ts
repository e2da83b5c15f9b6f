/** All bytes that a reader brings; null where they are more than `bytesMax`, of which no more is read than tells that. */
export async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  for (let length = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return joined(chunks);
    length += value.byteLength;
    if (length > bytesMax) return null;
    chunks.push(value);
  }
}

/**
 * All bytes of an answer; null for one of more than `bytesMax`, which is let go of. Whoever sends it may pack much into little, or never
 * come to an end. What is framed by its length cannot grow beyond it, and is read in one piece.
 */
export async function answerWithin(answer: Response, bytesMax: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const { headers, body } = answer;
  if (!body) return new Uint8Array();
  const framed = headers.has("content-length") && !headers.has("content-encoding") && !headers.has("transfer-encoding");
  if (framed && Number(headers.get("content-length")) <= bytesMax) return new Uint8Array(await answer.arrayBuffer());
  const reader = body.getReader();
  const bytes = framed ? null : await readWithin(reader, bytesMax);
  // Not awaited: one that sends without an end may not tell that it has stopped.
  if (bytes === null) void reader.cancel().catch(() => undefined);
  return bytes;
}

/** A longer error explains nothing. */
const ERROR_BYTES_MAX = 1024 * 1024;

/** What an error says; nothing where that breaks off, or is longer than any explanation. */
export async function errorText(answer: Response): Promise<string> {
  const bytes = await answerWithin(answer, ERROR_BYTES_MAX).catch(() => null);
  return bytes === null ? "" : new TextDecoder().decode(bytes);
}

/** Chunks as one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
