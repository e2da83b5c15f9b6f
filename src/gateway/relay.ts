import { TollgateError, usdFromFemto } from "#core";
import type { Receipt } from "#models";
import { addCostToStream, cutUsageChunk, type Pass, streamError, StreamReader } from "#wire";
import { addsUsage, type Answer, comesFromAfar, endingOf, factsOf, headersOf, madeAt, shownCost, streams } from "./answer.ts";
import { type Followed, followed } from "./content.ts";
import type { Draft, Gateway } from "./contract.ts";
import type { Ending } from "./event.ts";
import { governsStream, governStream } from "./govern.ts";
import type { Hold } from "./hold.ts";
import { Meter } from "./meter.ts";
import { Allowance } from "./allowance.ts";
import { passOn } from "./gulps.ts";
import { through } from "./passes.ts";
import { remembering } from "./remember.ts";
import { screensStream, screenStream } from "./screen.ts";
import { sayingIn } from "./translate.ts";
import { learn, used, usedByStream } from "./used.ts";

const TICK_MS = 1_000;
/** One whose answer others may follow tells them more often. */
const KEPT_TICK_MS = 100;
/** How long a client that reads nothing may keep a call that was given up from being booked. */
const STUCK_MS = 2_000;

/** A stream as the caller is told it: what is done to it on its way, and what keeps it once it is over. */
interface Told {
  readonly stream: ReadableStream<Uint8Array>;
  readonly passes: readonly Pass[];
  /** Whether it is the provider's own stream, whose chunks may gather. */
  readonly gathers: boolean;
  readonly keep: Followed["keep"];
}

/** A stream under way: the client's end of it, the copy that is metered, and what it is paid from. */
interface Relay {
  readonly answer: Answer;
  readonly hold: Hold;
  readonly meter: Meter;
  readonly allowance: Allowance;
  readonly told: Told;
  readonly writable: WritableStream<Uint8Array>;
  readonly at: Gateway;
}

/**
 * Streams an answer to the client. Bytes never wait for the meter, which reads a copy about once a second, and are piped natively where
 * nothing is to be done to them.
 * The pipe leaves the client's end open, so that a stream that breaks off can end in an error that says so.
 */
export function relay(body: ReadableStream<Uint8Array>, answer: Answer, hold: Hold, at: Gateway): Response {
  const headers = headersOf(answer, hold, at);
  if (!streams(answer.response)) headers.set("content-type", "text/event-stream; charset=utf-8");
  headers.set("cache-control", "no-cache");
  headers.set("x-accel-buffering", "no");
  const [toClient, copy] = body.tee();
  const { readable, writable } = new IdentityTransformStream();
  const { keeper } = hold.draft.recall;
  keeper?.begin(factsOf(answer, hold));
  // Others may wait for an answer that is kept: the one who asked first does not hold it back.
  const pace = at.paced && !keeper ? counting() : null;
  const meter = new Meter(copy, new StreamReader(hold.draft.ask.capability), { keeper, passed: pace?.passed ?? null });
  const told = toldStream(toClient, pace?.passes ?? [], { answer, hold, at });
  const relayed = { answer, hold, meter, allowance: new Allowance(hold), told, writable, at };
  at.background(run(relayed).catch((thrown: unknown) => failed(thrown, relayed)));
  return new Response(readable, { status: answer.response.status, headers });
}

/** A pass that changes nothing, and how many bytes it has seen. */
function counting() {
  let bytes = 0;
  const push = (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    return chunk;
  };
  return { passes: [{ push }], passed: () => bytes };
}

/** The contract's edits of a stream: none, for most. */
function edits(hold: Hold): readonly Pass[] {
  const { ask, arrival } = hold.draft;
  if (arrival.costInUsage) {
    return [
      addCostToStream(ask.capability, (reported) => {
        const { usage, serviceTier } = used(hold.draft, reported);
        return shownCost(hold.price(usage, serviceTier));
      }),
    ];
  }
  return addsUsage(ask) ? [cutUsageChunk()] : [];
}

/** The stream as the caller's SDK reads it, and as it is kept: in one go, where nobody judges in between. */
function toldStream(
  stream: ReadableStream<Uint8Array>,
  before: readonly Pass[],
  { answer, hold, at }: Pick<Relay, "answer" | "hold" | "at">,
): Told {
  const { draft } = hold;
  const { asked, translation } = draft;
  const saying = translation ? [sayingIn({ asked, translation }, madeAt(answer, hold))] : [];
  const keeping = remembering(draft, at);
  const judged = screensStream(draft) || governsStream(draft);
  const held = judged || saying.length + keeping.length > 0;
  const heard = [...before, ...edits(hold), ...(held ? [bounded(draft, at), ...saying] : [])];
  const { passes, keep } = followed(draft, at);
  const behind = [...keeping, ...passes];
  const gathers = before.length === 0 && comesFromAfar(hold);
  if (!judged) return { stream, passes: [...heard, ...behind], gathers, keep };
  return { stream: governStream(screenStream(through(stream, heard), draft, at), draft), passes: behind, gathers: false, keep };
}

/** Whoever tells, judges or keeps a stream remembers what it said until it ends, and a provider need not end it. */
function bounded({ policies: { judgement }, target: { provider } }: Draft, { config }: Gateway): Pass {
  const { TOLLGATE_MAX_ANSWER_BYTES: bytesMax } = config;
  let bytes = 0;
  return {
    push(chunk) {
      bytes += chunk.byteLength;
      if (bytes <= bytesMax) return chunk;
      throw (judgement.stopped = new TollgateError(
        "upstream_error",
        `The provider ${provider} sent a stream of more than ${bytesMax} bytes`,
      ));
    },
  };
}

/** Pumps the stream to its end, whoever ends it, and books it. */
async function run(relayed: Relay): Promise<void> {
  const { answer, meter, told } = relayed;
  const piped = passedOn(told, relayed).then(
    () => "ended" as const,
    () => "broken" as const,
  );
  const how = await watched(piped, relayed);
  answer.deadline.end();
  told.keep();
  if (how === "ended") await meter.rest();
  else if (how === "broken") await meter.take().catch(() => undefined);
  const fault = faultOf(how, relayed);
  const left = how === "stuck" || (fault !== null && !(await tell(fault, relayed)));
  if (left && !(await finished(relayed))) answer.deadline.giveUp("client_left");
  if (how !== "ended") await meter.drop();
  await Promise.all([book(left ? "cancelled" : fault, relayed), how === "ended" && !fault ? close(relayed.writable) : undefined]);
}

/** Natively, where nothing is done to it. */
function passedOn({ stream, passes, gathers }: Told, { writable, at: { now } }: Relay): Promise<void> {
  if (passes.length === 0) return stream.pipeTo(writable, { preventClose: true, preventAbort: true });
  return passOn(stream, writable, { passes, gathers, now });
}

/** Reads on for those who follow the answer, though the client that it is made for has left; true once it is whole. */
async function finished({ answer, meter, hold, at }: Relay): Promise<boolean> {
  const { keeper } = hold.draft.recall;
  if (!keeper || hold.draft.policies.judgement.stopped) return false;
  const until = answer.sentAt + at.config.TOLLGATE_TIMEOUT_TOTAL_S * 1000;
  while (answer.deadline.why === null && at.now() < until && (await keeper.isFollowed())) {
    const took = await meter.take().then(
      () => true,
      () => false,
    );
    if (!took) return false;
    if (meter.ended) return meter.reported().complete;
    await at.timers.within(KEPT_TICK_MS, new Promise(() => undefined));
  }
  return false;
}

/** A fault of our own may cost neither the client a truthful end nor the budget its charge. */
async function failed(thrown: unknown, { answer, hold, writable, at }: Relay): Promise<never> {
  answer.deadline.end();
  answer.deadline.giveUp("fault");
  await Promise.allSettled([
    writable.abort(thrown),
    hold.draft.recall.keeper?.fail(),
    hold.forfeit({ ...endingOf(answer, hold, at), outcome: "error", code: "internal_error" }),
  ]);
  throw thrown;
}

type How = "ended" | "broken" | "stuck";

function tickOf({ hold }: Relay): number {
  return hold.draft.recall.keeper ? KEPT_TICK_MS : TICK_MS;
}

/** Has the cache told what came. A call whose client has left goes on for others, if there are any. */
async function tellOthers({ answer: { deadline }, hold }: Relay): Promise<void> {
  const { keeper } = hold.draft.recall;
  keeper?.flush();
  if (keeper && deadline.hasLeft && !(await keeper.isFollowed())) deadline.giveUp("client_left");
}

/** Waits for the pipe; meanwhile meters, extends the hold and ends a stream that stands still or has outspent its grant. */
async function watched(piped: Promise<"ended" | "broken">, relayed: Relay): Promise<How> {
  const { answer, meter, allowance, at } = relayed;
  const idleMs = at.config.TOLLGATE_TIMEOUT_IDLE_S * 1000;
  const tickMs = Math.min(tickOf(relayed), idleMs / 2);
  const { deadline } = answer;
  let lastAt = at.now();
  let gaveUpAt: number | null = null;
  for (;;) {
    const how = await at.timers.within(tickMs, piped);
    if (how) return how;
    const before = meter.bytes;
    await meter.take().catch(() => undefined);
    await tellOthers(relayed);
    if (meter.bytes > before || meter.behind) lastAt = at.now();
    else if (at.now() - lastAt >= idleMs) deadline.giveUp("idle");
    if (!(await allowance.covers(meter.reported()))) deadline.giveUp("budget");
    if (deadline.why !== null) gaveUpAt ??= at.now();
    if (gaveUpAt !== null && at.now() - gaveUpAt > STUCK_MS) return "stuck";
  }
}

/** What went wrong, in the caller's words; null for a stream that reached its end, or whose provider reported its own error. */
function faultOf(how: How, { answer: { deadline }, meter, hold, allowance }: Relay): TollgateError | null {
  const { stopped } = hold.draft.policies.judgement;
  if (stopped) return stopped;
  const { complete, failed } = meter.reported();
  if (how === "ended" && (complete || failed)) return null;
  const { provider } = hold.draft.target;
  const broken = new TollgateError("upstream_error", `The provider ${provider} broke off its answer`);
  return (deadline.why === "budget" ? allowance.refusal : deadline.timeoutError()) ?? broken;
}

/** Ends the client's stream with an error of its dialect; false where nobody is there to read it. */
async function tell(fault: TollgateError, { writable, hold, at }: Relay): Promise<boolean> {
  const { asked, arrival } = hold.draft;
  // The runtime keeps the lock of a writer whose reader has left.
  if (writable.locked) return false;
  const writer = writable.getWriter();
  const written = writer.write(new TextEncoder().encode(streamError(asked.capability, fault, arrival.id))).then(
    () => true,
    () => false,
  );
  const told = await at.timers.within(STUCK_MS, written);
  await (told ? writer.close() : writer.abort()).catch(() => undefined);
  return told === true;
}

async function close(writable: WritableStream<Uint8Array>): Promise<void> {
  // A client that left between the last byte and the end has all it asked for.
  await writable.close().catch(() => undefined);
}

/** Books what the stream used. */
async function book(fault: TollgateError | "cancelled" | null, relayed: Relay): Promise<void> {
  const { answer, hold, meter, at } = relayed;
  const reported = meter.reported();
  const { usage, serviceTier, status, ownOutput } = usedByStream(hold, reported, at.now() - answer.sentAt);
  if (status === "actual") learn(hold.draft, usage, at);
  const ending = { ...endingOf(answer, hold, at), ...outcomeOf(fault, reported.failed), ownOutput };
  const paid = hold.price(usage, serviceTier);
  keep(paid, fault, relayed);
  await hold.settle(paid, status, ending);
}

/** Ends what the cache was told: an answer is kept where it came to its own end, whether or not its client stayed to hear it. */
function keep({ total }: Receipt, fault: TollgateError | "cancelled" | null, { answer, hold, meter, at }: Relay): void {
  const { keeper } = hold.draft.recall;
  if (!keeper) return;
  const { complete, failed } = meter.reported();
  const isWhole = answer.response.status === 200 && meter.ended && complete && !failed;
  const isCut = (fault !== null && fault !== "cancelled") || hold.draft.policies.judgement.stopped !== null;
  at.background(isWhole && !isCut ? keeper.end(usdFromFemto(total)) : keeper.fail());
}

function outcomeOf(fault: TollgateError | "cancelled" | null, failed: boolean): Pick<Ending, "outcome" | "code" | "fault"> {
  if (fault === "cancelled") return { outcome: "cancelled", code: null };
  if (fault !== null) return { outcome: "truncated", code: fault.code, fault };
  return failed ? { outcome: "error", code: "provider_error" } : { outcome: "ok", code: null };
}
