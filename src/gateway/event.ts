import type { RequestEvent } from "#audit";
import type { Amount } from "#budget";
import { nanoCeil, type TollgateError, usdFromFemto, usdFromNano } from "#core";
import type { Receipt } from "#models";
import type { Ask } from "#wire";
import type { Arrival, Draft } from "./contract.ts";
import type { Judgement } from "./judgement.ts";

const TEXT_MAX = 512;

/** How a request ended, beside what it cost. */
export interface Ending {
  readonly outcome: RequestEvent["invocation"]["outcome"];
  readonly httpStatus: number;
  readonly code: string | null;
  /** Milliseconds UTC. */
  readonly endedAt: number;
  /** Milliseconds from arrival; null where no byte came. */
  readonly firstByteMs: number | null;
  /** Milliseconds from arrival until the call left; null where none did. */
  readonly overheadMs: number | null;
  readonly upstreamRequestId: string | null;
  /** Whether the upstream was asked at all. */
  readonly sent: boolean;
  /** Output tokens by our own count, where it can be held against what the provider says. */
  readonly ownOutput?: number | null;
  /** What refused it, or had it stop. */
  readonly fault?: TollgateError;
}

/** What a request is billed. `chargedNano` stands where the amount is no receipt's sum, because nobody can say what the provider billed. */
export interface Bill {
  readonly receipt: Receipt;
  readonly status: "actual" | "estimated";
  readonly chargedNano?: number;
}

/** The finished event of a request: its cost record and its row in the request log. */
export function requestEvent(
  { draft, reserved }: { readonly draft: Draft; readonly reserved: Amount },
  { receipt: paid, status, chargedNano }: Bill,
  ending: Ending,
): RequestEvent {
  const { arrival } = draft;
  return {
    v: 1,
    kind: "request",
    invocation: invocationOf(draft, ending),
    cost: {
      id: arrival.id.replace(/^req_/, "cost_"),
      status: paid.state === "unknown" ? "unknown" : status,
      priceState: paid.state,
      cache: "bypass",
      estimatedUsd: usdFromNano(reserved.nano),
      actualUsd: chargedNano === undefined ? usdFromFemto(paid.total) : usdFromNano(chargedNano),
      nanoUsd: chargedNano ?? nanoCeil(paid.total),
      usage: paid.usage,
      serviceTier: short(paid.serviceTier),
      reprices: null,
      receipt: {
        price: { ...paid.price },
        tableHash: paid.tableHash,
        basis: status,
        lines: paid.lines.map((line) => ({ ...line })),
        ...(typeof ending.ownOutput === "number" && { ownOutput: ending.ownOutput }),
      },
    },
    log: logOf(arrival, ending),
    ...draft.policies.judgement.recordsOf(arrival.id),
    ...refusedBy(ending.fault),
    charges: [],
  };
}

/** The event of a request that was refused without a cost, before it was reserved or by a policy after: a row in the request log. */
export function refusedEvent(
  { ask, arrival, judgement }: { readonly ask: Ask; readonly arrival: Arrival; readonly judgement: Judgement | null },
  error: TollgateError,
  endedAt: number,
): RequestEvent {
  const ending: Ending = {
    outcome: error.status >= 500 ? "error" : "denied",
    httpStatus: error.status,
    code: error.code,
    endedAt,
    firstByteMs: null,
    overheadMs: null,
    upstreamRequestId: null,
    sent: false,
  };
  return {
    v: 1,
    kind: "request",
    invocation: invocationOf({ asked: ask, arrival, caller: arrival.caller, route: null }, ending),
    cost: null,
    log: logOf(arrival, ending),
    ...judgement?.recordsOf(arrival.id),
    ...refusedBy(error),
    charges: [],
  };
}

/** The budget that an error names, and its window. */
function refusedBy(error: TollgateError | undefined): Pick<RequestEvent, "refusedBy"> {
  const { budget, window_start: start } = error?.facts.details ?? {};
  if (error?.code !== "budget_exceeded" || typeof budget !== "string") return {};
  return { refusedBy: { budget, windowStart: typeof start === "string" ? Date.parse(start) : null } };
}

/** Who asked for what; `route` is null where no call was made. */
type Logged = Pick<Draft, "asked" | "arrival" | "caller"> & { readonly route: Draft["route"] | null };

function invocationOf({ asked, arrival, caller, route }: Logged, ending: Ending): RequestEvent["invocation"] {
  const resource = route && { provider: route.provider, model: route.model };
  return {
    request: arrival.id,
    at: arrival.at,
    key: caller.key,
    team: caller.team,
    user: caller.user,
    endUser: arrival.endUser ?? asked.endUser,
    session: arrival.session,
    task: null,
    capability: asked.capability,
    requested: asked.model,
    provider: resource?.provider ?? null,
    model: resource?.model ?? null,
    stream: asked.stream,
    outcome: ending.outcome,
    attempts: resource && ending.sent ? [{ ...resource, status: ending.httpStatus, ms: ending.endedAt - arrival.at }] : [],
    tags: [...new Set([...caller.tags, ...arrival.tags])],
    metadata: { ...caller.metadata, ...arrival.metadata },
  };
}

/** A provider's own text, as long as a record has room for. */
function short(text: string | null): string | null {
  return text === null ? null : text.slice(0, TEXT_MAX);
}

function logOf(arrival: Arrival, ending: Ending): RequestEvent["log"] {
  return {
    httpStatus: ending.httpStatus,
    code: ending.code,
    latencyMs: ending.endedAt - arrival.at,
    firstByteMs: ending.firstByteMs,
    overheadMs: ending.overheadMs,
    upstreamRequestId: short(ending.upstreamRequestId),
  };
}
