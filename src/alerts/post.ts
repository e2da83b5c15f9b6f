import { checkBaseUrl, TollgateError } from "#core";
import { signature } from "./sign.ts";

/** What somebody is told: where, signed with what, and by which id a receiver knows what it has had before. */
export interface Letter {
  readonly url: string;
  readonly secret: string;
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

/** What came of one attempt. */
export interface Posted {
  readonly httpStatus: number | null;
  /** Never a word of the receiver's, nor its URL. */
  readonly error: string | null;
}

/** How a letter is sent; `timeoutMs` is how long its receiver may take to answer. */
export interface Posting {
  readonly allowPrivate: boolean;
  readonly now: number;
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 10_000;

/** Posts a signed letter, once. Whatever a receiver does is an outcome and no error. */
export async function postSigned(
  { url, secret, id, body }: Letter,
  { allowPrivate, now, timeoutMs = TIMEOUT_MS }: Posting,
): Promise<Posted> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    // Judged again with each call, so that a row written by other means leads nowhere either.
    const { href } = checkBaseUrl(url, allowPrivate, "url");
    const headers = {
      "content-type": "application/json",
      "user-agent": "tollgate",
      "x-tollgate-event-id": id,
      "x-tollgate-signature": await signature(secret, Math.floor(now / 1000), body),
    };
    // No redirect is followed: it could lead inside.
    const answer = await fetch(href, { method: "POST", redirect: "manual", headers, body, signal });
    await answer.body?.cancel();
    return { httpStatus: answer.status, error: answer.ok ? null : `answered with ${answer.status}` };
  } catch (error) {
    if (signal.aborted) return { httpStatus: null, error: "took too long" };
    return { httpStatus: null, error: error instanceof TollgateError ? error.message : "could not be reached" };
  }
}
