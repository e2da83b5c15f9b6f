import type { RequestEvent } from "#audit";
import type { Decision } from "#auto";
import type { Amount } from "#budget";
import { nanoCeil, type TollgateError, usdFromFemto, usdFromNano } from "#core";
import type { Ask } from "#wire";
import type { Arrival, Bill, Draft } from "./contract.ts";
import type { Judgement } from "./judgement.ts";
import { NO_PAST, type Past } from "./past.ts";

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

/** A request as its record tells of it: what was sent, what was reserved for it, and what was tried before. */
interface Told {
  readonly draft: Draft;
  readonly reserved: Amount;
  readonly past: Past;
}

/** The finished event of a request: its cost record and its row in the request log; a record each for attempts that were lost. */
export function requestEvent({ draft, reserved, past }: Told, bill: Bill, ending: Ending): RequestEvent {
  const { arrival, target } = draft;
  const id = arrival.id.replace(/^req_/, "cost_");
  const { recall } = draft;
  const cost = costOf(id, bill, reserved.nano, { recall, ownOutput: ending.ownOutput ?? null });
  const lost = past.lost.map(({ target, bill, amount }, at) => ({
    cost: costOf(`${id}_try${at + 1}`, bill, amount.nano, { recall }),
    tokens: amount.tokens,
    ...target,
  }));
  return {
    v: 1,
    kind: "request",
    invocation: invocationOf({ asked: draft.asked, arrival, caller: draft.caller, target, past }, ending),
    cost,
    log: logOf(arrival, ending),
    ...(draft.auto && { auto: noted(draft.auto) }),
    ...(lost.length > 0 && { lost }),
    ...draft.policies.judgement.recordsOf(arrival.id),
    ...refusedBy(ending.fault),
    ...told(ending.fault),
    charges: [],
  };
}

/** A bill as a cost record. */
function costOf(
  id: string,
  { receipt: paid, status, chargedNano }: Bill,
  reserved: number,
  { recall, ownOutput = null }: Pick<Draft, "recall"> & Pick<Ending, "ownOutput">,
): NonNullable<RequestEvent["cost"]> {
  return {
    id,
    status: paid.state === "unknown" ? "unknown" : status,
    priceState: paid.state,
    cache: recall.outcome,
    estimatedUsd: usdFromNano(reserved),
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
      ...(recall.savedUsd !== null && { savedUsd: recall.savedUsd }),
      ...(typeof ownOutput === "number" && { ownOutput }),
    },
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
    invocation: invocationOf({ asked: ask, arrival, caller: arrival.caller, target: null, past: NO_PAST }, ending),
    cost: null,
    log: logOf(arrival, ending),
    ...judgement?.recordsOf(arrival.id),
    ...refusedBy(error),
    ...told(error),
    charges: [],
  };
}

/** The budget that an error names, and its window. */
function refusedBy(error: TollgateError | undefined): Pick<RequestEvent, "refusedBy"> {
  const { budget, window_start: start } = error?.facts.details ?? {};
  if (error?.code !== "budget_exceeded" || typeof budget !== "string") return {};
  return { refusedBy: { budget, windowStart: typeof start === "string" ? Date.parse(start) : null } };
}

const DETAILS_MAX = 4_096;

/** What a refused caller is told, as far as a record has room for it. */
function told(error: TollgateError | undefined): Pick<RequestEvent, "refusal"> {
  if (!error) return {};
  const { details = null } = error.facts;
  const short = details !== null && JSON.stringify(details).length <= DETAILS_MAX;
  return { refusal: { message: error.message.slice(0, TEXT_MAX), details: short ? { ...details } : null } };
}

/** Who asked for what; `target` is null where no call was made. */
type Logged = Pick<Draft, "asked" | "arrival" | "caller"> & { readonly target: Draft["target"] | null; readonly past: Past };

function invocationOf({ asked, arrival, caller, target, past }: Logged, ending: Ending): RequestEvent["invocation"] {
  const resource = target && { provider: target.provider, model: target.model };
  return {
    request: arrival.id,
    at: arrival.at,
    key: caller.key,
    team: caller.team,
    user: caller.user,
    endUser: arrival.endUser ?? asked.endUser,
    session: arrival.session,
    task: caller.task,
    capability: asked.capability,
    requested: asked.model,
    provider: resource?.provider ?? null,
    model: resource?.model ?? null,
    stream: asked.stream,
    outcome: ending.outcome,
    attempts:
      resource && ending.sent
        ? [...past.attempts, { ...resource, status: ending.httpStatus, ms: ending.endedAt - arrival.at - past.spentMs }]
        : [...past.attempts],
    tags: [...new Set([...caller.tags, ...arrival.tags])],
    metadata: { ...caller.metadata, ...arrival.metadata },
  };
}

/** A decision as its record has room for it: of what was passed over, the reason in a word. */
function noted({ features, rules, candidates, ...decision }: Decision): NonNullable<RequestEvent["auto"]> {
  return {
    ...decision,
    features: { ...features },
    rules: [...rules],
    candidates: candidates.map(({ out, ...candidate }) => ({ ...candidate, out: out?.code ?? null })),
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
