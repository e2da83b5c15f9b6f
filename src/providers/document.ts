import { checkBaseUrl, TollgateError } from "#core";
import type { Guard } from "./call.ts";

/** Bounds of a document that is fetched. */
export interface DocumentLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/**
 * Fetches a text that an operator's variable names, held to the same addresses as providers are: https, and nothing private. No
 * redirect is followed, since it could lead inside; a document that is longer or slower than its bounds is given up. No credential
 * of any kind is sent.
 * @throws TollgateError `invalid_request` for an address that is refused, `upstream_error` for everything else.
 */
export async function readDocument(url: string, guard: Guard & { readonly param: string }, limits: DocumentLimits): Promise<string> {
  const { href } = checkBaseUrl(url, guard.allowPrivate, guard.param);
  const signal = AbortSignal.timeout(limits.timeoutMs);
  const init: RequestInit = { redirect: "manual", signal, headers: { accept: "application/json" } };
  try {
    const answer = await (guard.fetch ? guard.fetch(href, init) : fetch(href, init));
    if (answer.status !== 200) {
      await answer.body?.cancel();
      throw new TollgateError("upstream_error", `The document answered with ${answer.status}; redirects are not followed`);
    }
    return await textOf(answer, limits.bytesMax);
  } catch (cause) {
    if (cause instanceof TollgateError) throw cause;
    throw new TollgateError("upstream_error", signal.aborted ? "The document took too long" : "The document could not be reached", {
      cause,
    });
  }
}

async function textOf(answer: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new TollgateError("upstream_error", `The document is larger than ${bytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
