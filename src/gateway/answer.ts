import { reasonOf } from "#auto";
import type { Pace } from "#budget";
import type { Facts } from "#cache";
import { usdFromFemto, usdFromNano } from "#core";
import type { Receipt } from "#models";
import { responseHeaders, upstreamRequestId } from "#providers";
import type { Ask, ShownCost } from "#wire";
import type { Gateway, Recall } from "./contract.ts";
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

/** Whether an answer says that it is a stream of events. */
export function streams({ headers }: Response): boolean {
  return headers.get("content-type")?.toLowerCase().includes("text/event-stream") ?? false;
}

/** Whether an answer comes from a provider's own place, and not out of this isolate: by the built-in provider, or given again. */
export function comesFromAfar({ draft: { upstream, recall } }: Hold): boolean {
  return upstream.kind !== "tollgate" && recall.original === null;
}

/** Whether the provider is asked for a usage chunk that the client did not ask for, and that is cut out again. */
export function addsUsage({ capability, stream, wantsUsage }: Ask): boolean {
  return stream && !wantsUsage && (capability === "chat.completions" || capability === "completions");
}

/** When an answer was made: what is told of the time in it is the same whenever it is given again. */
export function madeAt({ begunAt }: Answer, { draft }: Hold): number {
  return draft.recall.original?.madeAt ?? begunAt;
}

/** What the cache is told of an answer before its bytes. */
export function factsOf(answer: Answer, hold: Hold): Facts {
  const contentType = answer.response.headers.get("content-type") ?? "application/json";
  return { contentType, madeAt: madeAt(answer, hold), request: hold.draft.arrival.id, account: hold.draft.upstream.account };
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
    sent: hold.draft.recall.original === null,
  };
}

/** The headers of an answer: the provider's that may pass, and ours over them. */
export function headersOf(answer: Answer, hold: Hold, at: Gateway): Headers {
  const headers = responseHeaders(answer.response);
  const theirs = upstreamRequestId(answer.response);
  const { arrival, target, translation, policies, recall, auto } = hold.draft;
  headers.set("x-request-id", arrival.id);
  headers.set("request-id", arrival.id);
  if (theirs !== null) headers.set("x-tollgate-upstream-request-id", theirs);
  headers.set("x-tollgate-provider", target.provider);
  headers.set("x-tollgate-model", target.model);
  if (translation && translation.dropped.length > 0) headers.set("x-tollgate-dropped", translation.dropped.join(", "));
  if (auto) headers.set("x-tollgate-route-reason", reasonOf(auto));
  headers.set("x-tollgate-attempts", String(recall.original === null ? hold.past.attempts.length + 1 : 0));
  setRecall(headers, recall, at.now());
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

function setRecall(headers: Headers, { outcome, original, savedUsd }: Recall, now: number): void {
  headers.set("x-tollgate-cache", outcome);
  if (savedUsd !== null) headers.set("x-tollgate-cost-saved", savedUsd);
  if (outcome === "hit" && original) headers.set("age", String(Math.max(0, Math.floor((now - original.madeAt) / 1000))));
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
