import { TollgateError } from "#core";
import type { Timers } from "#gateway";
import { readWithin } from "#wire";

/** Bounds of a body that is being read: bytes, and milliseconds for all of it to arrive. */
export interface BodyLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

function tooLarge(bytesMax: number): TollgateError {
  return new TollgateError("payload_too_large", `The body is larger than the ${bytesMax} bytes this gateway accepts`);
}

/**
 * Reads a request's body within its bounds. A declared length over the limit is refused before a byte is read; an undeclared
 * one at the first byte over it. A body that arrives too slowly is refused, so that slow senders cannot pin memory.
 * @throws TollgateError `payload_too_large`, `request_timeout`, `invalid_request` for a body that breaks off or is framed wrongly.
 */
export async function readBytes(request: Request, limits: BodyLimits, timers: Timers): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (Number(declared ?? 0) > limits.bytesMax) throw tooLarge(limits.bytesMax);
  if (!request.body) return new Uint8Array();
  const reader = declared === null ? request.body.getReader() : null;
  const deadline = Promise.withResolvers<never>();
  const cancel = timers.after(limits.timeoutMs, () => deadline.reject(new TollgateError("request_timeout", "The body arrived too slowly")));
  try {
    // What its length is declared for cannot grow beyond it, and is read in one piece.
    const reading = reader ? readWithin(reader, limits.bytesMax) : request.arrayBuffer().then((whole) => new Uint8Array(whole));
    const bytes = await Promise.race([reading, deadline.promise]);
    if (bytes === null) throw tooLarge(limits.bytesMax);
    return bytes;
  } catch (error) {
    await reader?.cancel(error).catch(() => undefined);
    if (error instanceof TollgateError) throw error;
    throw new TollgateError("invalid_request", "The request body could not be read to its end", { cause: error });
  } finally {
    cancel();
  }
}
