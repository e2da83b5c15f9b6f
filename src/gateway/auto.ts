import { AUTO, type AutoTable, type Decision, decide, type Features, type Out, readFeatures } from "#auto";
import { foresee, type KeyStatus, refusalError } from "#budget";
import { asTollgateError, type Caller, TollgateError } from "#core";
import { answersInWords, listModels, resolveModel } from "#models";
import { callable } from "#providers";
import { PERSEVERANCE } from "#routes";
import type { Ask } from "#wire";
import type { Arrival, Draft, Gateway } from "./contract.ts";
import type { Directory } from "./directory.ts";
import { wanted } from "./hold.ts";
import { standing } from "./standing.ts";

/** What a model is chosen with. */
export interface Choosing {
  readonly caller: Caller;
  readonly arrival: Arrival;
  readonly at: Gateway;
  /** Drafts a request that names its model. */
  readonly named: (ask: Ask) => Promise<Draft>;
}

/** A request held against the models that could take it. */
export interface Considered {
  readonly decision: Decision;
  readonly draft: Draft | null;
  /** What it goes on to where that fails, in order. */
  readonly spares: readonly Draft[];
  /** Why nothing can take it, as its caller is told. */
  readonly refusal: TollgateError | null;
}

/** Why one model cannot take a request, and what its caller would be told had it named it. */
interface Fault extends Pick<Out, "code"> {
  readonly model: string;
  readonly error: TollgateError;
}

/** What one request's candidates are judged by, of one read. */
interface Court extends Choosing {
  readonly asked: Ask;
  readonly directory: Directory;
  readonly status: KeyStatus | null;
}

/** What is answered in words, so that one model can stand in for another. */
const CHOOSABLE: ReadonlySet<string> = new Set(["chat.completions", "responses", "messages", "count_tokens"]);
/** Where models are named, there is nothing to choose by. */
const NAMED: AutoTable = { tiers: [], rules: [], otherwise: "" };

/** What is considered: how many candidates are judged, and which, where the caller named them. */
export interface Scope {
  readonly all: boolean;
  readonly named?: readonly string[];
}

/**
 * The draft of a request whose model is ours to choose: that of the first candidate whose draft stands. What would refuse a model by
 * its name refuses it here, so that no choice is one that the caller could not have made.
 * @throws TollgateError where no model can take it, for the reason that came closest.
 */
export async function chosen(asked: Ask, choosing: Choosing): Promise<Draft> {
  const { draft, spares, decision, refusal } = await consider(asked, choosing, { all: false });
  if (draft === null) throw refusal!;
  // What was asked named no model: neither the record nor what is sent may say otherwise, also where another target answers.
  const unnamed = (each: Draft): Draft => {
    const own = { ...each.asked, model: asked.model };
    return { ...each, asked: own, ask: each.translation ? each.ask : own, auto: decision };
  };
  if (draft.course === null && spares.length === 0) return unnamed(draft);
  const rest = [...(draft.course?.rest ?? []), ...everyPlaceOf(spares)];
  return { ...unnamed(draft), course: { perseverance: draft.course?.perseverance ?? PERSEVERANCE, rest: rest.map(unnamed) } };
}

/** Every place of some drafts: each one's own, and those of the route that it is of. */
export function everyPlaceOf(drafts: readonly Draft[]): Draft[] {
  return drafts.flatMap((draft) => [draft, ...(draft.course?.rest ?? [])]);
}

/**
 * Holds a request against the models that could take it; against all of them where it is to be explained.
 * @throws TollgateError `invalid_request` for what no model can be chosen for; `overloaded` where budgets cannot be read.
 */
export async function consider(asked: Ask, choosing: Choosing, { all, named }: Scope): Promise<Considered> {
  const { caller, arrival, at } = choosing;
  if (!named && !CHOOSABLE.has(asked.capability)) throw notChoosable(asked);
  const [directory, status] = await Promise.all([at.directory.get(at.background), standing({ asked, caller, arrival }, at)]);
  const court = { ...choosing, asked, directory, status };
  const faults: Fault[] = [];
  const drafts = new Map<string, Draft>();
  const decision = await decide(featuresOf(asked, status, at), {
    table: named ? NAMED : directory.auto,
    others: () => named ?? atHand(directory, caller, arrival.at),
    all,
    judge: async (model) => {
      const judged = await judge(model, court);
      if (!("error" in judged)) {
        drafts.set(model, judged);
        return null;
      }
      faults.push(judged);
      return { code: judged.code, message: judged.error.message };
    },
  });
  const draft = decision.model === null ? null : drafts.get(decision.model)!;
  const spares = decision.spares.map((model) => drafts.get(model)!);
  return { decision, draft, spares, refusal: draft === null ? closest(faults) : null };
}

function featuresOf(asked: Ask, status: KeyStatus | null, at: Gateway): Features {
  // No model's tokenizer: the features may not hang on what they choose. To count a message is to choose for it as for the message itself.
  const operation = asked.capability === "count_tokens" ? "messages" : asked.capability;
  const { close } = at.estimators.tokens({ operation, provider: AUTO, model: AUTO, ask: asked });
  const inUsd = (status?.budgets ?? []).filter(({ budget }) => budget.unit === "usd");
  const left = inUsd.map(({ budget, remaining }) => (budget.limit === 0 ? 0 : (Math.max(0, remaining) / budget.limit) * 100));
  return readFeatures(asked, { inputTokens: close, budgetLeftPercent: left.length === 0 ? null : Math.floor(Math.min(...left)) });
}

/** Drafts a request for one model, as if its caller had named it, and asks its budgets whether they would let it in. */
async function judge(model: string, court: Court): Promise<Draft | Fault> {
  const { asked, named } = court;
  const known = knownAt(model, court);
  if (known) return { model, ...known };
  try {
    const draft = await named({ ...asked, model });
    return fits(model, draft) ?? paid(model, draft, court) ?? draft;
  } catch (thrown) {
    const error = asTollgateError(thrown);
    if (error.status >= 500) throw thrown;
    return { model, code: codeOf(error), error };
  }
}

/** What is wrong with a name before anything is read of the request. */
function knownAt(model: string, { directory: { upstreams, aliases, routes, book }, arrival }: Court): Omit<Fault, "model"> | null {
  // A route for whatever else is asked for says nothing of a model that nobody has.
  const fitting = aliases.has(model) ? null : routes.fitting(model);
  if (routes.named(model) || (fitting && fitting.name !== "*")) return null;
  const route = resolveModel(model, { providers: new Set(upstreams.keys()), aliases, book, at: arrival.at });
  const refuse = (code: Out["code"], what: string) => ({ code, error: new TollgateError("model_not_found", what, { param: "model" }) });
  const prefix = model.slice(0, Math.max(0, model.indexOf("/")));
  if (!route && prefix !== "") return refuse("unknown_provider", `No provider ${prefix} is configured`);
  if (!route) return refuse("unknown_model", `The model ${model} is not known here`);
  const upstream = upstreams.get(route.provider);
  if (!upstream) return refuse("unknown_provider", `No provider ${route.provider} is configured`);
  return callable(upstream) ? null : refuse("no_credential", `The provider ${route.provider} has no credential`);
}

/** Whether the prompt, and the answer that its caller wants room for, fit into the model's context. */
function fits(model: string, { input, ask, price, target, limits }: Draft): Fault | null {
  const takes = limits?.contextTokens ?? (price.state === "unknown" ? null : price.row.contextTokens);
  const wanted = input.close + Math.max(0, ...ask.outputCaps.map(({ tokens }) => tokens));
  if (takes === null || wanted <= takes) return null;
  const message = `The request is of about ${wanted} tokens with its answer, and ${target.provider}/${target.model} takes ${takes}`;
  return { model, code: "too_long", error: new TollgateError("invalid_request", message) };
}

/** Whether what is left would pay for it; pace is the same for every model, and judged later. */
function paid(model: string, draft: Draft, { status, at }: Court): Fault | null {
  const capped = wanted(draft);
  if (status === null || draft.ask.capability === "count_tokens") return null;
  const verdict = foresee(status, { ...capped, stream: draft.ask.stream }, at.now());
  if (!("kind" in verdict) || verdict.kind !== "budget_exceeded") return null;
  return { model, code: "over_budget", error: refusalError(verdict) };
}

/** Everything that can be called beside the table, the cheapest first and the built-in provider last. */
function atHand({ upstreams, aliases, book }: Directory, caller: Caller, at: number): string[] {
  const providers = new Set([...upstreams].filter(([, upstream]) => callable(upstream)).map(([name]) => name));
  const cards = listModels({ providers, aliases, book, team: caller.team, at });
  const ranked = cards.filter(answersInWords).map(({ id, provider, price: { state, rates } }) => {
    const dear = state === "free" ? 0 : state === "unknown" ? Infinity : Number(rates.input ?? 0) + Number(rates.output);
    return { id, last: provider === "tollgate" ? 1 : 0, dear };
  });
  return ranked.toSorted((a, b) => a.last - b.last || a.dear - b.dear || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

/** What a refusal of a draft means for the model that it was drafted for. */
function codeOf({ code, facts }: TollgateError): Out["code"] {
  if (code === "model_not_found") return "unknown_model";
  if (facts.param === "x-tollgate-max-cost") return "over_max_cost";
  if (code === "invalid_request") return facts.param === "model" ? "not_offered" : "not_expressible";
  const [violation] = (facts.details?.["violations"] ?? []) as readonly { readonly kind?: string }[];
  return violation?.kind === "price" ? "unknown_price" : "not_allowed";
}

/** From what comes closest to an answer; a model that nobody can call says nothing of the request. */
const CLOSENESS: readonly Out["code"][] = ["over_budget", "over_max_cost", "too_long", "not_expressible", "unknown_price"];

/** What a caller is told where no model can take its request: what refused the model that came closest, or the only one. */
function closest(faults: readonly Fault[]): TollgateError {
  const [only, ...others] = faults;
  if (only && others.length === 0) return only.error;
  for (const code of CLOSENESS) {
    const found = faults.find((fault) => fault.code === code);
    if (found) return found.error;
  }
  const violations = faults
    .filter(({ code }) => code === "not_allowed" || code === "not_offered")
    .map(({ model, code }) => ({ kind: "model", name: model, field: "model", reason: code === "not_allowed" ? "not in the key's models" : "not offered there" })); // prettier-ignore
  return new TollgateError("permission_denied", "This key may call no model that can take this request; POST /v1/route/explain says why", {
    param: "model",
    details: { violations },
  });
}

function notChoosable({ capability }: Ask): TollgateError {
  const message = `model: auto chooses among models that answer in words, and ${capability} is not theirs; name a model`;
  return new TollgateError("invalid_request", message, { param: "model" });
}
