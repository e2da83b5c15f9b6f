import type { Capability } from "#core";
import { type Pass, type Reported, StreamReader } from "#wire";

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

/** What a pass makes of these pieces. */
export async function passed(pieces: readonly Uint8Array[], pass: Pass): Promise<Uint8Array> {
  const said: Uint8Array[] = [];
  for (const piece of pieces) said.push((await pass.push(piece)) ?? new Uint8Array());
  said.push((await pass.end?.()) ?? new Uint8Array());
  return new Uint8Array(await new Blob(said as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
