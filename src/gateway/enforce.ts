import { auditEntry } from "#audit";
import { asTollgateError, TollgateError } from "#core";
import { type ActiveStep, asked, type Counter, type Duties, dutiesOf, type Facts, type Finding, type Stage, type Verdict } from "#policy";
import { redactRequest } from "#wire";
import type { Draft, Gateway, Standing } from "./contract.ts";
import { CONTENT_NEEDS, count, type Counted, gather, uncounted } from "./facts.ts";
import type { Hold } from "./hold.ts";
import { redrafted } from "./redraft.ts";

/**
 * Asks the caller's policies before anything is sent, and brings what they ask for upon the request: its text, its route, its cap and
 * its tags. Answers the hold as it came where no policy is active; that costs nothing.
 * @throws TollgateError `policy_denied`, `rate_limited`; what refuses a request that was routed elsewhere.
 */
export async function enforce(hold: Hold, at: Gateway): Promise<Hold> {
  const { draft } = hold;
  const chain = asked(draft.policies.chain, "evaluate");
  if (chain.length === 0) return hold;
  const counted = await count(chain, draft, at);
  const places = counted.map(({ counter, ticket }) => ({ counter, slot: ticket.slot }));
  try {
    const allowed = await firstAllowed(draft, counted, at);
    places.push(...(await keepPace(allowed.duties, draft, at)));
    return await changed(hold, { ...allowed, standing: { counted, duties: allowed.duties } }, at);
  } catch (refused) {
    at.background(giveBack(places, draft, at));
    throw refused;
  }
}

/** Needs that tell one target from another: who declares one of them judges each. */
const TARGETED: ReadonlySet<string> = new Set(["request", "estimate", "messages"]);

function judgesTargets(chain: readonly ActiveStep[]): boolean {
  return chain.some(({ step }) => step.needs.some((need) => TARGETED.has(need)));
}

/** A draft that policies let pass, and what they ask for. */
interface Allowed {
  readonly draft: Draft;
  readonly duties: Duties;
}

/**
 * The first target that policies allow, with the later ones to fall back on.
 * @throws TollgateError the first denial, where they allow none.
 */
async function firstAllowed(first: Draft, counted: readonly Counted[], at: Gateway): Promise<Allowed> {
  const { course, policies } = first;
  const chain = asked(policies.chain, "evaluate");
  const others = course && judgesTargets(chain) ? course.rest : [];
  let denial: unknown = null;
  for (const [index, each] of [first, ...others].entries()) {
    const rest = course && { ...course, rest: course.rest.slice(index) };
    const draft = { ...each, policies, course: rest };
    try {
      return { draft, duties: await judged("evaluate", draft, { facts: await gather(chain, draft, { counted, at }), at }) };
    } catch (thrown) {
      if (asTollgateError(thrown).code !== "policy_denied") throw thrown;
      denial ??= thrown;
      if (index < others.length) policies.judgement.moveOn();
    }
  }
  throw denial;
}

/**
 * Brings upon another target of a request what its policies ask for. Those that read the target are asked about it first; a request
 * that they routed themselves goes where its new route leads. Nothing is counted again.
 * @throws TollgateError `policy_denied`; what refuses a request whose text has grown.
 */
export async function enforceElsewhere(hold: Hold, draft: Draft, at: Gateway): Promise<Hold> {
  const { chain, standing, judgement } = draft.policies;
  if (standing === null) return hold.move(draft);
  const { counted, duties } = standing;
  const steps = asked(chain, "evaluate");
  if (duties.route !== null || !judgesTargets(steps)) return changed(hold, { draft, duties: { ...duties, route: null }, standing }, at);
  judgement.moveOn();
  const anew = await judged("evaluate", draft, { facts: await gather(steps, draft, { counted, at }), at });
  if (anew.route === null) return changed(hold, { draft, duties: anew, standing }, at);
  throw new TollgateError("policy_denied", `A policy routes this request away from ${draft.target.provider}/${draft.target.model}`, {
    details: { policy: null, version: null, reason: "", metadata: { target: anew.route } },
  });
}

/**
 * Asks the steps of one stage, takes down what they said, and brings together what they ask for.
 * @throws TollgateError `policy_denied`; `overloaded` where they cannot be asked, since nothing passes that was not judged.
 */
export async function judged(stage: Stage, draft: Draft, { facts, at }: { readonly facts: Facts; readonly at: Gateway }): Promise<Duties> {
  const { chain, judgement } = draft.policies;
  const steps = asked(chain, stage);
  const asking = at.judge({ tenant: draft.caller.team, stage, chain: steps, facts }).catch((cause: unknown) => {
    throw new TollgateError("overloaded", "Policies cannot be asked at the moment; try again", {
      cause,
      retryAfterMs: 1_000,
      reason: "walls",
    });
  });
  const [verdict, digest] = await Promise.all([asking, digestOf(facts)]);
  judgement.add(stage, verdict, { chain: steps, given: { digest, factsFor: (step) => factsOf(step, facts) } });
  tellFailures(verdict, draft, at);
  if (verdict.denial) throw denied(verdict.denial);
  const duties = dutiesOf(verdict.obligations);
  refuseUnapproved(duties, verdict);
  return duties;
}

/** The public face of a denial. A failure is named as what it is. */
function denied({ step, outcome, failure, reason, metadata }: Finding): TollgateError {
  const { policy, version } = step;
  const why = outcome === "failed" ? `failed (${failure})` : "denies this request";
  const message = `The policy ${policy} ${why}${reason === "" || outcome === "failed" ? "" : `: ${reason}`}`;
  // What a policy says as it fails may quote what it was given: it goes into the decision log and no further.
  const details = outcome === "failed" ? { policy, version, reason: "", metadata: {}, failure } : { policy, version, reason, metadata };
  return new TollgateError("policy_denied", message, { details });
}

function refuseUnapproved({ approval }: Duties, { findings }: Verdict): void {
  if (approval === null) return;
  const demands = findings.find(({ step, obligations }) => step.mode === "enforce" && obligations.some(({ type }) => type === "require_approval")); // prettier-ignore
  const { policy, version } = demands!.step;
  const message = `The policy ${policy} demands an approval of this request${approval === "" ? "" : `: ${approval}`}`;
  throw new TollgateError("policy_denied", message, {
    details: { policy, version, reason: approval, metadata: demands!.metadata, approval_required: true },
  });
}

/** A request's place in a counter. */
interface Place {
  readonly counter: Counter;
  readonly slot: number;
}

/** The pace that policies hold a key to, beside its own: the place that the request takes in it. */
async function keepPace({ rpm }: Duties, { caller }: Draft, at: Gateway): Promise<Place[]> {
  if (rpm === null) return [];
  const counter = { name: "obligation/rpm", principal: `key:${caller.key}`, windowS: 60 };
  const counters = at.counters(caller.team);
  const [ticket] = await counters.take([counter]).catch(uncounted);
  const place = { counter, slot: ticket!.slot };
  if (ticket!.count <= rpm) return [place];
  at.background(counters.giveBack([place]));
  throw new TollgateError("rate_limited", `Over the limit of ${rpm} requests per minute that a policy sets`, {
    retryAfterMs: Math.min(ticket!.resetsMs, 60_000),
    details: { limit: "rpm", scope: { kind: "key" }, max: rpm, used: ticket!.count - 1 },
  });
}

async function changed(hold: Hold, { draft, duties, standing }: Allowed & { readonly standing: Standing }, at: Gateway): Promise<Hold> {
  const { redactions, route, maxTokens, tags } = duties;
  const asked = redactRequest(draft.asked, redactions);
  // What is sent is what was judged: said in another dialect, a text may be spelt otherwise than the caller spelt it.
  const ask = draft.translation === null ? asked : redactRequest(draft.ask, redactions);
  const anew = route !== null || ask.promptBytes > draft.ask.promptBytes;
  const next = anew
    ? await redrafted(hold, { draft, asked, route, redactions }, at)
    : { draft: { ...draft, asked, ask }, granted: hold.granted.granted };
  const { arrival } = draft;
  const changes: Draft = {
    ...next.draft,
    arrival: tags.length === 0 ? arrival : { ...arrival, tags: [...new Set([...arrival.tags, ...tags])] },
    policies: { ...draft.policies, outputMax: maxTokens, standing },
  };
  return hold.move(changes, next.granted);
}

/** A request that was not let in counts nowhere. */
async function giveBack(places: readonly Place[], { caller }: Draft, at: Gateway): Promise<void> {
  if (places.length > 0) await at.counters(caller.team).giveBack(places);
}

/** Never silent: a policy that fails is in the audit, once for each read of what is active. Its words stay out of it: they may quote. */
function tellFailures({ findings }: Verdict, { caller, arrival, policies }: Draft, at: Gateway): void {
  for (const { step, failure } of findings) {
    if (failure === null || !policies.active.isNews(step.hash, failure)) continue;
    const { policy, version, hash, mode, onError } = step;
    const entry = auditEntry(
      {
        type: "policy.failed",
        severity: "warning",
        outcome: "failed",
        actor: { kind: "system", id: "policy" },
        subject: { kind: "policy", id: policy },
        team: caller.team,
        key: caller.key,
        request: arrival.id,
        details: { version, hash, mode, on_error: onError, failure },
      },
      at.now(),
    );
    at.background(at.record(entry));
  }
}

/** What a step was given, as it may be kept; null where content was among it. */
function factsOf({ policy, needs }: Finding["step"], { shared, own }: Facts): Readonly<Record<string, unknown>> | null {
  if (needs.some((need) => CONTENT_NEEDS.has(need))) return null;
  const mine = { ...shared, ...own[policy] };
  return Object.fromEntries(needs.flatMap((need) => (Object.hasOwn(mine, need) ? [[need, mine[need]]] : [])));
}

async function digestOf(facts: Facts): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify([facts.shared, facts.own])));
  return `sha256:${[...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
