import { auditEntry } from "#audit";
import { asTollgateError, TollgateError } from "#core";
import {
  type ActiveStep,
  type Counter,
  type Duties,
  dutiesOf,
  type Facts,
  type Finding,
  hashOf,
  type Obligation,
  type Stage,
  stepsAt,
  unasked,
  type Verdict,
} from "#policy";
import { redactRequest, redactText } from "#wire";
import type { Counts, Draft, Gateway, Gathered, Standing } from "./contract.ts";
import { CONTENT_NEEDS, count, gather, messagesOf, uncounted, withFact } from "./facts.ts";
import type { Hold } from "./hold.ts";
import { redrafted } from "./redraft.ts";

/**
 * Asks the caller's policies before anything is sent, and brings what they ask for upon the request: its text, its route, its cap and
 * its tags. Answers the hold as it came where no policy is active; that costs nothing.
 * @throws TollgateError `policy_denied`, `rate_limited`; what refuses a request that was routed elsewhere.
 */
export async function enforce(hold: Hold, at: Gateway): Promise<Hold> {
  const { draft } = hold;
  const chain = stepsAt(draft.policies.chain, "evaluate");
  if (chain.length === 0) return hold;
  const counts = await count(chain, draft, at);
  const places = counts.taken.map(({ counter, ticket }) => ({ counter, slot: ticket.slot }));
  try {
    const standing = await firstAllowed(draft, counts, at);
    places.push(...(await keepPace(dutiesOf(standing.obligations), draft, at)));
    return await brought(hold, { draft: standing.judged, obligations: standing.obligations, standing }, at);
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

/**
 * What policies say of the first target that they allow, with the later ones to fall back on.
 * @throws TollgateError the first denial, where they allow none.
 */
async function firstAllowed(first: Draft, counts: Counts, at: Gateway): Promise<Standing> {
  const { course, policies } = first;
  const chain = stepsAt(policies.chain, "evaluate");
  const others = course && judgesTargets(chain) ? course.rest : [];
  let denial: unknown = null;
  for (const [index, each] of [first, ...others].entries()) {
    const rest = course && { ...course, rest: course.rest.slice(index) };
    const draft = { ...each, policies, course: rest };
    try {
      const gathered = await gather(chain, draft, { counts, at });
      return { counts, gathered, judged: draft, obligations: await judged("evaluate", draft, { gathered, at }) };
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
  const steps = stepsAt(chain, "evaluate");
  const known = unrouted(standing.obligations);
  if (known.length < standing.obligations.length || !judgesTargets(steps))
    return brought(hold, { draft, obligations: known, standing }, at);
  judgement.moveOn();
  const gathered = await gather(steps, draft, { counts: standing.counts, at });
  const obligations = await judged("evaluate", draft, { gathered, at });
  const { route } = dutiesOf(obligations);
  if (route === null) return brought(hold, { draft, obligations, standing: { ...standing, gathered, judged: draft } }, at);
  throw new TollgateError("policy_denied", `A policy routes this request away from ${draft.target.provider}/${draft.target.model}`, {
    details: { policy: null, version: null, reason: "", metadata: { target: route } },
  });
}

function unrouted(obligations: readonly Obligation[]): readonly Obligation[] {
  return obligations.filter(({ type }) => type !== "route");
}

/** A draft, what is asked for of it, and what was judged before. */
interface Bringing {
  readonly draft: Draft;
  readonly obligations: readonly Obligation[];
  readonly standing: Standing;
}

/**
 * Brings upon a request what its policies ask for. Where it then says, in the dialect that it is sent in, what none of them has judged,
 * they judge it once more as it will be sent; where it goes is settled by then.
 */
async function brought(hold: Hold, { draft, obligations, standing }: Bringing, at: Gateway): Promise<Hold> {
  const duties = dutiesOf(obligations);
  await using moved = await changed(hold, { draft, duties, standing }, at);
  if (!saysMore(moved.draft, standing.judged, duties)) return moved.move();
  const again = withFact(standing.gathered, "messages", messagesOf(moved.draft));
  const more = await judged("evaluate", moved.draft, { gathered: again, at });
  return await changed(moved, { draft: moved.draft, duties: dutiesOf([...obligations, ...unrouted(more)]), standing }, at);
}

/** Whether a request says texts in its dialect that were not judged before, redacted or not. */
function saysMore(now: Draft, before: Draft, { redactions }: Duties): boolean {
  if (now.ask === before.ask || now.translation === null) return false;
  if (!before.policies.chain.some(({ step }) => step.needs.includes("messages"))) return false;
  const judged = new Set(messagesOf(before).flatMap(({ text }) => [text, redactText(text, redactions)]));
  return messagesOf(now).some(({ text }) => !judged.has(text));
}

/**
 * Asks the steps of one stage, takes down what they said, and answers what they ask for.
 * @throws TollgateError `policy_denied`; `overloaded` where they cannot be asked, since nothing passes that was not judged.
 */
export async function judged(
  stage: Stage,
  draft: Draft,
  { gathered: { facts, unread }, at }: { readonly gathered: Gathered; readonly at: Gateway },
): Promise<readonly Obligation[]> {
  const { chain, judgement } = draft.policies;
  const steps = stepsAt(chain, stage);
  const [sighted, blind] = partition(steps, ({ step }) => !step.needs.some((need) => unread.has(need)));
  const [verdict, digest] = await Promise.all([
    asking(stage, draft, { steps: sighted, facts, at }),
    hashOf(JSON.stringify([facts.shared, facts.own])),
  ]);
  const whole = blind.length === 0 ? verdict : { ...verdict, findings: [...verdict.findings, ...blind.map(unasked)] };
  judgement.add(stage, whole, { chain: steps, given: { digest, factsFor: (step) => factsOf(step, facts) } });
  tellFailures(whole, draft, at);
  if (whole.denial) throw denied(whole.denial);
  refuseUnapproved(whole);
  return whole.obligations;
}

/** Asks behind the walls. Where only shadows are asked, walls that cannot be asked are a failure of each, and of nothing else. */
async function asking(
  stage: Stage,
  { caller }: Draft,
  { steps, facts, at }: { readonly steps: readonly ActiveStep[]; readonly facts: Facts; readonly at: Gateway },
): Promise<Verdict> {
  if (steps.length === 0) return { denial: null, findings: [], obligations: [] };
  try {
    return await at.judge({ tenant: caller.team, stage, chain: steps, facts });
  } catch (cause) {
    if (steps.every(({ step }) => step.mode === "shadow")) return { denial: null, findings: steps.map(unasked), obligations: [] };
    throw new TollgateError("overloaded", "Policies cannot be asked at the moment; try again", {
      cause,
      retryAfterMs: 1_000,
      reason: "walls",
    });
  }
}

function partition<Item>(items: readonly Item[], belongs: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter((item) => belongs(item)), items.filter((item) => !belongs(item))];
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

function refuseUnapproved({ obligations, findings }: Verdict): void {
  const { approval } = dutiesOf(obligations);
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
  const [ticket] = await counters.take([counter]).catch((cause: unknown) => {
    throw uncounted(cause);
  });
  const place = { counter, slot: ticket!.slot };
  if (ticket!.count <= rpm) return [place];
  at.background(counters.giveBack([place]));
  throw new TollgateError("rate_limited", `Over the limit of ${rpm} requests per minute that a policy sets`, {
    retryAfterMs: Math.min(ticket!.resetsMs, 60_000),
    details: { limit: "rpm", scope: { kind: "key" }, max: rpm, used: ticket!.count - 1 },
  });
}

async function changed(
  hold: Hold,
  { draft, duties, standing }: { readonly draft: Draft; readonly duties: Duties; readonly standing: Standing },
  at: Gateway,
): Promise<Hold> {
  const { redactions, route, maxTokens, tags } = duties;
  const asked = redactRequest(draft.asked, redactions);
  const { translation } = draft;
  // What is sent is what was judged: said in another dialect, a text may be spelt otherwise than the caller spelt it.
  const ask = translation === null ? asked : redactRequest(draft.ask, redactions);
  // Rewritten in the caller's words and then translated, since the provider's may escape what the caller's say plainly.
  const anew = route !== null || (translation !== null && asked !== draft.asked) || ask.promptBytes > draft.ask.promptBytes;
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

/** What a step was given, as it may be kept: without what anybody said. */
function factsOf({ policy, needs }: Finding["step"], { shared, own }: Facts): Readonly<Record<string, unknown>> {
  const mine = { ...shared, ...own[policy] };
  const kept = needs.filter((need) => !CONTENT_NEEDS.has(need) && Object.hasOwn(mine, need));
  return Object.fromEntries(kept.map((need) => [need, mine[need]]));
}
