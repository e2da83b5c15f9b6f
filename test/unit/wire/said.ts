import type { Capability } from "#core";
import { type Reported, StreamReader } from "#wire";

const encoder = new TextEncoder();

/** The bytes of a text. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

/** One server-sent event. */
export const event = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

/** What a reader reports of a stream that arrives in these pieces. */
export function readAll(capability: Capability, pieces: Iterable<Uint8Array>): Reported {
  const reader = new StreamReader(capability);
  for (const piece of pieces) reader.push(piece);
  return reader.reported();
}

/** What a reader reports of a stream that arrives whole. */
export const read = (capability: Capability, stream: string): Reported => readAll(capability, [bytesOf(stream)]);

/** The bytes split in two at an offset. */
export const splitAt = (bytes: Uint8Array, at: number): Uint8Array[] => [bytes.subarray(0, at), bytes.subarray(at)];

/** The bytes one by one. */
export const oneByOne = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

/** What comes out of a transform that is fed these pieces. */
export async function through(pieces: readonly Uint8Array[], transform: TransformStream<Uint8Array, Uint8Array>): Promise<Uint8Array> {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return new Uint8Array(await new Response(source.pipeThrough(transform)).arrayBuffer());
}
