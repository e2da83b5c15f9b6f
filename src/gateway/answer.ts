import type { Pace } from "#budget";
import { usdFromFemto, usdFromNano } from "#core";
import type { Receipt } from "#models";
import { responseHeaders, upstreamRequestId } from "#providers";
import type { Ask, ShownCost } from "#wire";
import type { Gateway } from "./contract.ts";
import type { Deadline } from "./deadline.ts";
import type { Ending } from "./event.ts";
import type { Hold } from "./hold.ts";

/** An upstream's answer, begun and not read, and the clocks that run over it. */
export interface Answer {
  readonly response: Response;
  readonly deadline: Deadline;
  /** Milliseconds UTC: when the call left, and when its answer began. */
  readonly sentAt: number;
  readonly begunAt: number;
}

/** Whether the provider is asked for a usage chunk that the client did not ask for, and that is cut out again. */
export function addsUsage({ capability, stream, wantsUsage }: Ask): boolean {
  return stream && !wantsUsage && (capability === "chat.completions" || capability === "completions");
}

/** The facts of an answer that began, as its record tells them. */
export function endingOf({ response, sentAt, begunAt }: Answer, hold: Hold, at: Gateway): Ending {
  return {
    outcome: "ok",
    httpStatus: response.status,
    code: null,
    endedAt: at.now(),
    firstByteMs: begunAt - hold.draft.arrival.at,
    overheadMs: hold.overheadMs(sentAt),
    upstreamRequestId: upstreamRequestId(response),
    sent: true,
  };
}

/** The headers of an answer: the provider's that may pass, and ours over them. */
export function headersOf(answer: Answer, hold: Hold, at: Gateway): Headers {
  const headers = responseHeaders(answer.response);
  const theirs = upstreamRequestId(answer.response);
  const { arrival, target, translation, policies } = hold.draft;
  headers.set("x-request-id", arrival.id);
  headers.set("request-id", arrival.id);
  if (theirs !== null) headers.set("x-tollgate-upstream-request-id", theirs);
  headers.set("x-tollgate-provider", target.provider);
  headers.set("x-tollgate-model", target.model);
  if (translation && translation.dropped.length > 0) headers.set("x-tollgate-dropped", translation.dropped.join(", "));
  headers.set("x-tollgate-attempts", String(hold.past.attempts.length + 1));
  headers.set("x-tollgate-cache", "bypass");
  const judged = policies.judgement.header;
  if (judged !== null) headers.set("x-tollgate-policies", judged);
  headers.set("x-tollgate-overhead-ms", String(at.now() - answer.begunAt + hold.overheadMs(answer.sentAt)));
  setBudget(headers, hold);
  setPace(headers, "requests", hold.granted.rpm, at.now());
  setPace(headers, "tokens", hold.granted.tpm, at.now());
  return headers;
}

/** What an answer cost, for one whose headers leave after its cost is known. */
export function setCost(headers: Headers, paid: Receipt, status: "actual" | "estimated"): void {
  headers.set("x-tollgate-cost", usdFromFemto(paid.total));
  headers.set("x-tollgate-cost-status", paid.state === "unknown" ? "unknown" : status);
}

/** What an answer cost, as it stands in its usage: the total, and the receipt's lines by class. */
export function shownCost({ total, lines }: Receipt): ShownCost {
  return { cost: usdFromFemto(total), details: Object.fromEntries(lines.map((line) => [line.class, line.usd])) };
}

function setBudget(headers: Headers, { granted: { tightest } }: Hold): void {
  if (!tightest) return;
  headers.set("x-tollgate-budget-remaining", usdFromNano(tightest.remaining));
  const { kind, id } = tightest.scope;
  headers.set("x-tollgate-budget-scope", kind === "deployment" ? kind : `${kind}:${id}`);
  if (tightest.resetsAt !== null) headers.set("x-tollgate-budget-reset", new Date(tightest.resetsAt).toISOString());
}

/** The key's own pace takes the place of the provider's, which is that of an account the caller does not know. */
function setPace(headers: Headers, what: "requests" | "tokens", pace: Pace | null, now: number): void {
  if (!pace) return;
  headers.set(`x-ratelimit-limit-${what}`, String(pace.limit));
  headers.set(`x-ratelimit-remaining-${what}`, String(pace.remaining));
  headers.set(`x-ratelimit-reset-${what}`, `${Math.max(0, Math.ceil((pace.resetsAt - now) / 1000))}s`);
}
