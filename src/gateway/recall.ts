import { type CacheScope, digestOf, type Facts, type Found, isRepeatable, type Shelf } from "#cache";
import { NO_USAGE, TollgateError } from "#core";
import { requestHeaders } from "#providers";
import type { Answer } from "./answer.ts";
import { bodyOf, outgoing, totalMsOf } from "./attempt.ts";
import type { Draft, Gateway, Recall } from "./contract.ts";
import { Deadline } from "./deadline.ts";
import { dispatch } from "./dispatch.ts";
import { FREE, NOTHING } from "./draft.ts";
import type { Ending } from "./event.ts";
import { type Begun, Following } from "./following.ts";
import type { Hold } from "./hold.ts";
import { Keeper } from "./keeper.ts";
import { tap } from "./tap.ts";
import { repeatable } from "./translate.ts";

/** How often a request waits for an answer that another makes, before it makes its own. */
const FOLLOWS_MAX = 2;

/** Whether an answer to the request may come out of the cache, and into it. Costs nothing where the key has none. */
export function isCached({ caller, arrival, ask }: Draft): boolean {
  return caller.cache !== "off" && arrival.cache.mode !== "no-store" && isRepeatable(ask.capability, ask.body.value);
}

/** Answers with what was answered before, or with what another request is being answered at this moment; else asks the provider, and keeps it. */
export async function remembered(asked: Hold, at: Gateway): Promise<Response> {
  const { hold: found, answer } = await recall(asked, at);
  await using hold = found;
  if (answer) return tap(answer, hold.move(), at);
  const { keeper } = hold.draft.recall;
  try {
    const { answer: made, hold: paid } = await dispatch(hold, at);
    const isOwn = await isAsked(paid, hold);
    if (keeper && isOwn) made.deadline.share();
    const recall = { ...hold.draft.recall, ...(isOwn ? {} : { keeper: null }) };
    const response = await tap(made, paid.move({ ...paid.draft, recall }), at);
    if (keeper && !(isOwn && made.response.ok)) at.background(keeper.fail());
    return response;
  } catch (thrown) {
    if (keeper) at.background(keeper.fail());
    throw thrown;
  }
}

/** A hold that knows what the cache has to do with it, and the answer where there is one. */
interface Recalled {
  readonly hold: Hold;
  readonly answer: Answer | null;
}

async function recall(hold: Hold, at: Gateway): Promise<Recalled> {
  const { draft } = hold;
  const scope = scopeOf(draft);
  const digest = await digestFor(hold);
  const shelf = at.cache.shelf(scope, digest);
  for (let tries = 0; tries < FOLLOWS_MAX; tries++) {
    const found = await look(shelf, { digest, draft }, at);
    if (found === null) return { hold: hold.move(), answer: null };
    if (found.kind === "hit") return hit(found, hold, at);
    if (found.kind === "lead") return missed(hold, new Keeper(shelf, found.flight, at));
    const followed = await follow(shelf, found, hold, at);
    if (followed) return followed;
  }
  return missed(hold, null);
}

/** Whether what was sent in the end is what the cache was asked for: another target, or less money for the same one, is another question. */
async function isAsked(sent: Hold, asked: Hold): Promise<boolean> {
  if (sent.draft.target !== asked.draft.target) return false;
  return sent.past.attempts.length === 0 || (await digestFor(sent)) === (await digestFor(asked));
}

function digestFor(hold: Hold): Promise<string> {
  return digestOf({ scope: scopeOf(hold.draft), ...questionOf(hold) });
}

function scopeOf({ caller }: Draft): CacheScope {
  return caller.cache === "team" ? { kind: "team", id: caller.team } : { kind: "key", id: caller.key };
}

/** The request as its provider would get it. */
function questionOf(hold: Hold) {
  const { asked, ask, upstream, target, arrival, translation } = hold.draft;
  return {
    asked: asked.capability,
    capability: ask.capability,
    provider: target.provider,
    kind: upstream.kind,
    baseUrl: upstream.baseUrl,
    model: target.model,
    body: new TextDecoder().decode(bodyOf(hold)),
    headers: requestHeaders(outgoing(hold.draft), translation !== null),
    search: arrival.search,
  };
}

/** Asks the cache. One that cannot be asked is no reason to refuse anybody: null then, and the log knows. */
async function look(
  shelf: Shelf,
  { digest, draft: { arrival } }: { readonly digest: string; readonly draft: Draft },
  at: Gateway,
): Promise<Found | null> {
  const { TOLLGATE_CACHE_TTL_S, TOLLGATE_CACHE_ANSWER_BYTES, TOLLGATE_CACHE_SCOPE_BYTES } = at.config;
  const { mode, ttlMs } = arrival.cache;
  const room = {
    ttlMs: ttlMs ?? TOLLGATE_CACHE_TTL_S * 1000,
    answerBytesMax: TOLLGATE_CACHE_ANSWER_BYTES,
    scopeBytesMax: TOLLGATE_CACHE_SCOPE_BYTES,
  };
  const looking = shelf.look({ digest, ageMsMax: ttlMs, refresh: mode === "refresh", room });
  return looking.catch((cause: unknown) => {
    at.background(Promise.reject(new Error("the cache cannot be asked", { cause })));
    return null;
  });
}

function missed(hold: Hold, keeper: Keeper | null): Recalled {
  return { hold: hold.move(withRecall(hold.draft, { outcome: "miss", keeper, original: null, savedUsd: null })), answer: null };
}

function hit({ facts, bytes, savedUsd }: Extract<Found, { kind: "hit" }>, hold: Hold, at: Gateway): Recalled {
  const answer = {
    response: responseOf(only(bytes), facts),
    deadline: deadlineOf(hold.draft, at),
    sentAt: at.now(),
    begunAt: at.now(),
  };
  return { hold: free(hold, facts, { outcome: "hit", keeper: null, original: facts, savedUsd }), answer };
}

function responseOf(body: ReadableStream<Uint8Array>, { contentType }: Facts): Response {
  return new Response(body, { headers: { "content-type": contentType } });
}

/** Bytes as a stream of the kind that the built-in provider answers with: the runtime cuts its own streams of memory short where they are split. */
function only(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** The clock of an answer that nobody is called for: that of a call. */
function deadlineOf(draft: Draft, at: Gateway): Deadline {
  const totalMs = totalMsOf(draft, at, draft.course?.perseverance.timeoutMs ?? null);
  return new Deadline({ totalMs, firstByteMs: at.config.TOLLGATE_TIMEOUT_FIRST_BYTE_S * 1000 }, draft.arrival.signal, at.timers);
}

/** Follows an answer that another request is given; null where that comes to nothing before its first byte. */
async function follow(shelf: Shelf, found: Extract<Found, { kind: "follow" }>, hold: Hold, at: Gateway): Promise<Recalled | null> {
  const deadline = deadlineOf(hold.draft, at);
  const following = new Following(shelf, found, deadline.signal);
  const sentAt = at.now();
  try {
    const first = await following.first();
    if (first) return coalesced(first, following, hold, { deadline, sentAt, begunAt: at.now() });
  } catch (thrown) {
    if (deadline.why !== null) throw gaveUp(deadline, hold, at);
    at.background(Promise.reject(new Error("an answer cannot be followed", { cause: thrown })));
  }
  deadline.end();
  return null;
}

function coalesced(first: Begun, following: Following, hold: Hold, call: Omit<Answer, "response">): Recalled {
  call.deadline.begun();
  const { facts, ended } = first;
  const recall: Recall = { outcome: "coalesced", keeper: null, original: facts, savedUsd: ended?.kind === "whole" ? ended.costUsd : null };
  const body = following.stream(first, (costUsd) => {
    recall.savedUsd = costUsd;
  });
  return { hold: free(hold, facts, recall), answer: { response: responseOf(body, facts), ...call } };
}

/** A request whose time ran out, or whose client left, while it waited for another's answer: it is recorded, and costs nothing. */
function gaveUp(deadline: Deadline, hold: Hold, at: Gateway): TollgateError {
  deadline.end();
  const timeout = deadline.timeoutError();
  const error = timeout ?? new TollgateError("upstream_error", "The client left");
  const waited = hold.move(withRecall(hold.draft, { outcome: "coalesced", keeper: null, original: null, savedUsd: null }), FREE);
  const ending: Ending = {
    outcome: timeout ? "error" : "cancelled",
    httpStatus: error.status,
    code: error.code,
    endedAt: at.now(),
    firstByteMs: null,
    overheadMs: null,
    upstreamRequestId: null,
    sent: false,
  };
  at.background(waited.settle(waited.price(NO_USAGE, null), "actual", ending));
  return error;
}

/** The hold of a request that is answered out of the cache: what it may come to is nothing, whatever the answer says of itself. */
function free(hold: Hold, original: Facts, recall: Recall): Hold {
  const { draft } = hold;
  const { translation, arrival, price } = draft;
  const nothing = { course: null, bounds: NOTHING, price: { ...price, state: "free" }, arrival: { ...arrival, costMax: null } } as const;
  // What a translated answer names of its request is what it named when it was made.
  const said = { translation: repeatable(translation, original.request) };
  return hold.move({ ...draft, ...nothing, ...said, recall }, FREE);
}

function withRecall(draft: Draft, recall: Recall): Draft {
  return { ...draft, translation: repeatable(draft.translation, draft.arrival.id), recall };
}
