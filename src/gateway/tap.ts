import { asTollgateError, isSurface, NO_USAGE, TollgateError, usdFromFemto } from "#core";
import type { Receipt } from "#models";
import { redactSecrets } from "#providers";
import { answerWithin, errorText, reportedFromJson, skimmed, spliceCost } from "#wire";
import { type Answer, endingOf, factsOf, headersOf, madeAt, setCost, shownCost, streams } from "./answer.ts";
import { keepAnswered } from "./content.ts";
import type { Draft, Gateway } from "./contract.ts";
import type { Ending } from "./event.ts";
import { governAnswer } from "./govern.ts";
import type { Hold } from "./hold.ts";
import { pour } from "./pour.ts";
import { relay } from "./relay.ts";
import { keeps, rememberAnswer } from "./remember.ts";
import { screenAnswer } from "./screen.ts";
import { answerIn, errorIn } from "./translate.ts";
import { learn, used } from "./used.ts";

/**
 * What no JSON holds, and every stream: clients read events of whatever they asked to be streamed, by whichever name it comes. So it is
 * metered, judged and told as a stream too.
 */
const EVENTS = /^\ufeff?data:/m;

/**
 * Hands an upstream's answer to the client and ends the hold by what it says it used. Bytes pass as they came but for the
 * contract's edits; nothing is awaited after the last byte that the client waits for.
 */
export async function tap(answer: Answer, hold: Hold, at: Gateway): Promise<Response> {
  const { response } = answer;
  if (!response.ok) return refused(answer, hold, at);
  if (streams(response) && response.body) return relay(response.body, answer, hold, at);
  return hold.draft.ask.capability === "audio.speech" && response.body ? pour(response.body, answer, hold, at) : whole(answer, hold, at);
}

/** A provider's own error: its status and its body, with credentials masked. It cost nothing. */
async function refused(answer: Answer, hold: Hold, at: Gateway): Promise<Response> {
  const { response, deadline } = answer;
  const body = await errorText(response);
  deadline.end();
  const ending = { ...endingOf(answer, hold, at), outcome: "error" as const, code: "provider_error" };
  at.background(hold.settle(hold.price(NO_USAGE, null), "actual", ending));
  const { credential } = hold.draft.upstream;
  const clean = redactSecrets(body, credential === null ? [] : [credential]);
  const headers = headersOf(answer, hold, at);
  const { translation } = hold.draft;
  if (!translation) return new Response(clean, { status: response.status, headers });
  headers.set("content-type", "application/json");
  return new Response(errorIn(translation, clean, response.status), { status: response.status, headers });
}

/** A JSON answer, read to its end so that its cost can stand in its headers. */
async function whole(answer: Answer, hold: Hold, at: Gateway): Promise<Response> {
  const bytes = await readWhole(answer, hold, at);
  const { ask, arrival, translation } = hold.draft;
  const text = textOf(bytes, hold);
  if (EVENTS.test(text) && !isSurface(ask.capability)) return relay(new Response(bytes).body!, answer, hold, at);
  const heard = translation ? answerIn({ asked: hold.draft.asked, translation }, text, madeAt(answer, hold)) : text;
  const screen = arrival.governor ? screenGoverned : screenAnswer;
  const screening = heard === null ? unreadable(hold) : screen(heard, hold.draft, at).catch(asTollgateError);
  const reported = reportedFromJson(ask.capability, text);
  const { usage, serviceTier, status, ownOutput } = used(hold.draft, reported);
  const paid = hold.price(usage, serviceTier);
  if (status === "actual") learn(hold.draft, usage, at);
  const said = await screening;
  if (said instanceof TollgateError) throw withheld(said, { answer, hold, at }, (ending) => hold.settle(paid, status, ending));
  at.background(hold.settle(paid, status, { ...endingOf(answer, hold, at), ownOutput }));
  keepAnswered(said, hold.draft, at);
  keep(reported.complete ? bytes : null, paid, answer, { hold, at });
  const headers = headersOf(answer, hold, at);
  setCost(headers, paid, status);
  const told = arrival.costInUsage ? spliceCost(said, shownCost(paid)) : said;
  if (keeps(hold.draft, at)) await rememberAnswer(told, hold.draft, at);
  return new Response(told === text ? bytes : told, { status: answer.response.status, headers });
}

/** An answer to a task as policies let it pass, once what it calls is taken down. @throws TollgateError `policy_denied`, `permission_denied`. */
async function screenGoverned(heard: string, draft: Draft, at: Gateway): Promise<string> {
  const said = await screenAnswer(heard, draft, at);
  await governAnswer(said, draft);
  return said;
}

/** An answer as it is read. Of what stands around pictures one copy is enough, unless the caller wants something put in. */
function textOf(bytes: Uint8Array, { draft: { ask, arrival } }: Hold): string {
  const drawn = ask.capability.startsWith("images.") && !arrival.costInUsage;
  return drawn ? skimmed(bytes) : new TextDecoder().decode(bytes);
}

/** Tells the cache of an answer, where it waits for one; null is none that could be given again. */
function keep(
  bytes: Uint8Array | null,
  { total }: Receipt,
  answer: Answer,
  { hold, at }: { readonly hold: Hold; readonly at: Gateway },
): void {
  const { keeper } = hold.draft.recall;
  if (!keeper) return;
  if (bytes === null || answer.response.status !== 200) return at.background(keeper.fail());
  keeper.push(bytes);
  keeper.begin(factsOf(answer, hold));
  at.background(keeper.end(usdFromFemto(total)));
}

/** An answer that is not passed on has been paid for all the same: it is booked here, and nowhere else. */
function withheld(
  fault: TollgateError,
  { answer, hold, at }: { readonly answer: Answer; readonly hold: Hold; readonly at: Gateway },
  settle: (ending: Ending) => Promise<void>,
): TollgateError {
  hold.draft.policies.judgement.booked = true;
  const outcome = fault.status >= 500 ? "error" : "denied";
  at.background(settle({ ...endingOf(answer, hold, at), outcome, httpStatus: fault.status, code: fault.code, fault }));
  return fault;
}

/** What cannot be read cannot be translated; it was billed by what was sent for it. */
function unreadable({ draft }: Hold): TollgateError {
  return new TollgateError("upstream_error", `The provider ${draft.target.provider} gave an answer that is none in its dialect`);
}

async function readWhole(answer: Answer, hold: Hold, at: Gateway): Promise<Uint8Array<ArrayBuffer>> {
  const { response, deadline, sentAt } = answer;
  const { provider, model } = hold.draft.target;
  const { TOLLGATE_MAX_ANSWER_BYTES: bytesMax } = at.config;
  const fault = (what: string) => new TollgateError("upstream_error", `The provider ${provider} ${what}`);
  try {
    const bytes = await answerWithin(response, bytesMax);
    if (bytes === null) throw fault(`gave an answer of more than ${bytesMax} bytes`);
    return bytes;
  } catch (cause) {
    const broken = deadline.timeoutError() ?? (cause instanceof TollgateError ? cause : fault("broke off its answer"));
    const ending = endingOf(answer, hold, at);
    at.background(hold.forfeit({ ...ending, outcome: "truncated", httpStatus: broken.status, code: broken.code }));
    const attempt = { provider, model, status: response.status, ms: ending.endedAt - sentAt };
    throw new TollgateError(broken.code, broken.message, { cause, details: { attempts: [...hold.past.attempts, attempt] } });
  } finally {
    deadline.end();
  }
}
