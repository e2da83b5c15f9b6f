import type { BudgetStatus } from "#budget";
import { TollgateError, usdFromNano } from "#core";
import { type ActiveStep, type Counter, COUNTERS, type Facts, type Ticket, WINDOW_S_MAX, clockTime, wallTime } from "#policy";
import { type Ask, saidInRequest } from "#wire";
import type { Counts, Draft, Gateway, Gathered, Taken } from "./contract.ts";
import { unreachable } from "./hold.ts";

/** Needs that hold what somebody said; no record of a decision keeps them. */
export const CONTENT_NEEDS: ReadonlySet<string> = new Set(["messages", "response"]);
const BUDGET = "budget";
const PARAMETER_MAX = 256;
const PARAMETERS_MAX = 64;

const NOT_COUNTED: Counts = { taken: [], unread: new Set() };

/**
 * Gathers what a chain needs of a request, and nothing that no policy of it declared. A request is counted once, before it is sent.
 * @throws TollgateError `overloaded` where a policy that enforces needs what cannot be read.
 */
export async function gather(
  chain: readonly ActiveStep[],
  draft: Draft,
  { counts = NOT_COUNTED, at }: { readonly counts?: Counts; readonly at: Gateway },
): Promise<Gathered> {
  const needs = new Set(chain.flatMap(({ step }) => step.needs));
  const budgets = needs.has(BUDGET) ? await budgetsOf(draft, at).catch(unlessShadows(chain, [BUDGET], unreachable)) : null;
  const shared: Record<string, unknown> = {};
  if (budgets) shared[BUDGET] = budgets.map(budgetFact);
  for (const [need, fact] of Object.entries(FACTS)) if (needs.has(need)) shared[need] = fact(draft);
  const unread = needs.has(BUDGET) && budgets === null ? new Set([...counts.unread, BUDGET]) : counts.unread;
  return { facts: { shared, own: ownFacts(chain, counts.taken, at.now()) }, unread };
}

/** The same with another fact that all may be given. */
export function withFact({ facts: { shared, own }, unread }: Gathered, need: string, fact: unknown): Gathered {
  return { facts: { shared: { ...shared, [need]: fact }, own }, unread };
}

/** What becomes of a read that failed: nothing passes that a policy was to judge by it, and a shadow goes without. */
function unlessShadows(chain: readonly ActiveStep[], needs: readonly string[], refusal: (cause: unknown) => TollgateError) {
  return (cause: unknown): null => {
    if (chain.some(({ step }) => step.mode === "enforce" && step.needs.some((need) => needs.includes(need)))) throw refusal(cause);
    return null;
  };
}

/** Facts that are read of the request itself. */
const FACTS: Readonly<Record<string, (draft: Draft) => unknown>> = {
  key: ({ caller, arrival, asked }) => ({
    id: caller.key,
    name: caller.name,
    team: caller.team,
    user: caller.user,
    tags: caller.tags,
    metadata: caller.metadata,
    end_user: arrival.endUser ?? asked.endUser,
    session: arrival.session,
  }),
  metadata: ({ arrival }) => ({ metadata: arrival.metadata, tags: arrival.tags }),
  estimate: ({ input, bounds, price }) => ({
    input_tokens: input.tight,
    max_output_tokens: bounds.outputMax,
    expected_usd: usdFromNano(bounds.likely.nano),
    most_usd: usdFromNano(bounds.ceiling.nano),
    price_state: price.state,
  }),
  request: ({ asked, target }) => ({
    operation: asked.capability,
    requested: asked.model,
    provider: target.provider,
    model: target.model,
    stream: asked.stream,
    max_tokens: asked.outputCaps.length === 0 ? null : Math.max(...asked.outputCaps.map(({ tokens }) => tokens)),
    tools: asked.tools,
    parameters: parametersOf(asked.body.value),
  }),
  messages: messagesOf,
};

/** One text of a conversation, as policies are given it. */
interface Message {
  readonly role: string;
  readonly text: string;
}

/**
 * What a request says: all that its caller wrote and, where it is sent in another dialect, what is spelt otherwise there. Arguments of a
 * tool that one dialect escapes within a text stand plain in another.
 */
export function messagesOf({ asked, ask }: Pick<Draft, "asked" | "ask">): readonly Message[] {
  const own = said(asked);
  if (ask === asked) return own;
  const known = new Set(own.map(({ text }) => text));
  return [...own, ...said(ask).filter(({ text }) => !known.has(text))];
}

const told = new WeakMap<Ask, readonly Message[]>();

/** What one text of a request says, read once: it is asked for at every stage. */
function said(of: Ask): readonly Message[] {
  const known = told.get(of);
  if (known) return known;
  const messages = saidInRequest(of).map(({ role, text }) => ({ role: role ?? "user", text }));
  told.set(of, messages);
  return messages;
}

/** The small members of a body: what somebody set, and nothing that somebody said. */
function parametersOf(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const small = Object.entries(body).filter(([name, value]) => {
    if (CONTENT.has(name) || name.length > 64) return false;
    return typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= PARAMETER_MAX);
  });
  return Object.fromEntries(small.slice(0, PARAMETERS_MAX));
}

const CONTENT: ReadonlySet<string> = new Set(["input", "prompt", "system", "instructions", "suffix", "query", "user", "safety_identifier"]);

async function budgetsOf({ caller }: Draft, at: Gateway): Promise<readonly BudgetStatus[]> {
  const status = await at.ledger(caller.team).keyStatus(caller.key, caller.task);
  return status?.budgets ?? [];
}

function budgetFact({ budget, spent, reserved, remaining, resetsAt }: BudgetStatus) {
  const show = budget.unit === "usd" ? usdFromNano : String;
  return {
    id: budget.id,
    scope: budget.scope,
    window: budget.window,
    unit: budget.unit,
    limit: show(budget.limit),
    spent: show(spent),
    reserved: show(reserved),
    remaining: show(Math.max(0, remaining)),
    resets_at: resetsAt === null ? null : new Date(resetsAt).toISOString(),
  };
}

/** What each policy has of its own: the time in its zone, and its counters. */
function ownFacts(chain: readonly ActiveStep[], taken: readonly Taken[], now: number): Facts["own"] {
  const entries = chain.map(({ step }) => {
    const { time_zone: zone = "UTC" } = step.settings;
    const told = typeof zone === "string" ? zone : "UTC";
    const time = step.needs.includes("time") ? { time: wallTime(now, told) } : {};
    const clock = step.needs.includes("clock") ? { clock: clockTime(now, told) } : {};
    const counters = taken.filter(({ policy }) => policy === step.policy).map(({ need, counter, ticket }) => [need, countFact(counter, ticket)]); // prettier-ignore
    return [step.policy, { ...time, ...clock, ...Object.fromEntries(counters) }];
  });
  return Object.fromEntries(entries) as Facts["own"];
}

function countFact({ windowS }: Counter, { count, resetsMs }: Ticket) {
  return { count, window_s: windowS, resets_in_s: Math.ceil(resetsMs / 1_000) };
}

/**
 * Takes a ticket of every counter that a chain declares, in one trip; none where none does.
 * @throws TollgateError `overloaded` where a policy that enforces counts, and nothing can be counted.
 */
export async function count(chain: readonly ActiveStep[], draft: Draft, at: Gateway): Promise<Counts> {
  const all = chain.flatMap(({ step }) =>
    step.needs
      .filter((need) => need.startsWith(COUNTERS))
      .map((need) => ({ policy: step.policy, need, counter: counterOf(step, need, draft) })),
  );
  // A shadow reads what the version in force counts: a request counts once, whoever looks on.
  const wanted = all.filter(({ policy, need }, index) => all.findIndex((each) => each.policy === policy && each.need === need) === index);
  if (wanted.length === 0) return NOT_COUNTED;
  const counters = wanted.map(({ counter }) => counter);
  const needs = wanted.map(({ need }) => need);
  const tickets = await at
    .counters(draft.caller.team)
    .take(counters)
    .catch(unlessShadows(chain, needs, uncounted));
  if (tickets === null) return { taken: [], unread: new Set(needs) };
  return { taken: wanted.map((each, index) => ({ ...each, ticket: tickets[index]! })), unread: new Set() };
}

/** What cannot be counted is not let in. */
export function uncounted(cause: unknown): TollgateError {
  return new TollgateError("overloaded", "Counters cannot be read at the moment; try again", {
    cause,
    retryAfterMs: 1_000,
    reason: "counters",
  });
}

/** Who is counted: as the policy's setting `per` says, else the key. Everybody is, where a request names nobody of that kind. */
function counterOf({ policy, settings }: ActiveStep["step"], need: string, { caller, arrival, asked }: Draft): Counter {
  const who = { key: caller.key, team: caller.team, user: caller.user, end_user: arrival.endUser ?? asked.endUser };
  const { per, window_s: windowS } = settings;
  const kind = typeof per === "string" && Object.hasOwn(who, per) ? (per as keyof typeof who) : "key";
  const sound = typeof windowS === "number" && windowS >= 1 && windowS <= WINDOW_S_MAX;
  return {
    name: `${policy}/${need.slice(COUNTERS.length)}`,
    principal: `${kind}:${who[kind] ?? ""}`,
    windowS: sound ? Math.floor(windowS) : 60,
  };
}
