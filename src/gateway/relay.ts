import { TollgateError } from "#core";
import { addCostToStream, cutUsageChunk, streamError, StreamReader } from "#wire";
import { addsUsage, type Answer, endingOf, headersOf, shownCost } from "./answer.ts";
import type { Gateway } from "./contract.ts";
import type { Ending } from "./event.ts";
import type { Hold } from "./hold.ts";
import { Meter } from "./meter.ts";
import { Allowance } from "./allowance.ts";
import { rememberStream } from "./remember.ts";
import { screenStream } from "./screen.ts";
import { streamIn } from "./translate.ts";
import { learn, used, usedByStream } from "./used.ts";

const TICK_MS = 1_000;
/** How long a client that reads nothing may keep a call that was given up from being booked. */
const STUCK_MS = 2_000;

/** A stream under way: the client's end of it, the copy that is metered, and what it is paid from. */
interface Relay {
  readonly answer: Answer;
  readonly hold: Hold;
  readonly meter: Meter;
  readonly allowance: Allowance;
  readonly writable: WritableStream<Uint8Array>;
  readonly at: Gateway;
}

/**
 * Streams an answer to the client. Bytes are piped natively and never wait for the meter, which reads a copy about once a second.
 * The pipe leaves the client's end open, so that a stream that breaks off can end in an error that says so.
 */
export function relay(body: ReadableStream<Uint8Array>, answer: Answer, hold: Hold, at: Gateway): Response {
  const headers = headersOf(answer, hold, at);
  headers.set("cache-control", "no-cache");
  headers.set("x-accel-buffering", "no");
  const [toClient, copy] = body.tee();
  const { readable, writable } = new IdentityTransformStream();
  const meter = new Meter(copy, new StreamReader(hold.draft.ask.capability));
  const relayed = { answer, hold, meter, allowance: new Allowance(hold), writable, at };
  const screened = screenStream(toClient, hold.draft, at);
  const told = rememberStream(inCallersDialect(edited(screened, hold), hold, at), hold.draft, at);
  at.background(run(told, relayed).catch((thrown: unknown) => failed(thrown, relayed)));
  return new Response(readable, { status: answer.response.status, headers });
}

/** The stream with the contract's edits; untouched, and native, where there are none. */
function edited(stream: ReadableStream<Uint8Array>, hold: Hold): ReadableStream<Uint8Array> {
  const { ask, arrival } = hold.draft;
  if (arrival.costInUsage) {
    return stream.pipeThrough(
      addCostToStream(ask.capability, (reported) => {
        const { usage, serviceTier } = used(hold.draft, reported);
        return shownCost(hold.price(usage, serviceTier));
      }),
    );
  }
  return addsUsage(ask) ? stream.pipeThrough(cutUsageChunk()) : stream;
}

/** The stream as the caller's SDK reads it. */
function inCallersDialect(stream: ReadableStream<Uint8Array>, { draft }: Hold, at: Gateway): ReadableStream<Uint8Array> {
  const { asked, translation } = draft;
  return translation ? streamIn({ asked, translation }, stream, at.now()) : stream;
}

/** Pumps the stream to its end, whoever ends it, and books it. */
async function run(stream: ReadableStream<Uint8Array>, relayed: Relay): Promise<void> {
  const { answer, meter } = relayed;
  const piped = stream.pipeTo(relayed.writable, { preventClose: true, preventAbort: true }).then(
    () => "ended" as const,
    () => "broken" as const,
  );
  const how = await watched(piped, relayed);
  answer.deadline.end();
  if (how === "ended") await meter.rest();
  else if (how === "broken") await meter.take().catch(() => undefined);
  const fault = faultOf(how, relayed);
  const left = how === "stuck" || (fault !== null && !(await tell(fault, relayed)));
  if (left) answer.deadline.giveUp("client_left");
  if (how !== "ended") await meter.drop();
  await Promise.all([book(left ? "cancelled" : fault, relayed), how === "ended" && !fault ? close(relayed.writable) : undefined]);
}

/** A fault of our own may cost neither the client a truthful end nor the budget its charge. */
async function failed(thrown: unknown, { answer, hold, writable, at }: Relay): Promise<never> {
  answer.deadline.end();
  answer.deadline.giveUp("fault");
  await Promise.allSettled([
    writable.abort(thrown),
    hold.forfeit({ ...endingOf(answer, hold, at), outcome: "error", code: "internal_error" }),
  ]);
  throw thrown;
}

type How = "ended" | "broken" | "stuck";

/** Waits for the pipe; meanwhile meters, extends the hold and ends a stream that stands still or has outspent its grant. */
async function watched(piped: Promise<"ended" | "broken">, { answer, meter, allowance, at }: Relay): Promise<How> {
  const idleMs = at.config.TOLLGATE_TIMEOUT_IDLE_S * 1000;
  const { deadline } = answer;
  let lastAt = at.now();
  let gaveUpAt: number | null = null;
  for (;;) {
    const how = await within(Math.min(TICK_MS, idleMs / 2), piped);
    if (how) return how;
    const before = meter.bytes;
    await meter.take().catch(() => undefined);
    if (meter.bytes > before) lastAt = at.now();
    else if (at.now() - lastAt >= idleMs) deadline.giveUp("idle");
    if (!(await allowance.covers(meter.reported()))) deadline.giveUp("budget");
    if (deadline.why !== null) gaveUpAt ??= at.now();
    if (gaveUpAt !== null && at.now() - gaveUpAt > STUCK_MS) return "stuck";
  }
}

/** What a promise comes to within so many milliseconds; null where it takes longer. No timer outlasts it. */
async function within<Value>(ms: number, work: Promise<Value>): Promise<Value | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
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
async function tell(fault: TollgateError, { writable, hold }: Relay): Promise<boolean> {
  const { asked, arrival } = hold.draft;
  const writer = writable.getWriter();
  const written = writer.write(new TextEncoder().encode(streamError(asked.capability, fault, arrival.id))).then(
    () => true,
    () => false,
  );
  const told = await within(STUCK_MS, written);
  await (told ? writer.close() : writer.abort()).catch(() => undefined);
  return told === true;
}

async function close(writable: WritableStream<Uint8Array>): Promise<void> {
  // A client that left between the last byte and the end has all it asked for.
  await writable.close().catch(() => undefined);
}

/** Books what the stream used. */
async function book(fault: TollgateError | "cancelled" | null, { answer, hold, meter, at }: Relay): Promise<void> {
  const reported = meter.reported();
  const { usage, serviceTier, status, ownOutput } = usedByStream(hold, reported, at.now() - answer.sentAt);
  if (status === "actual") learn(hold.draft, usage, at);
  const ending = { ...endingOf(answer, hold, at), ...outcomeOf(fault, reported.failed), ownOutput };
  await hold.settle(hold.price(usage, serviceTier), status, ending);
}

function outcomeOf(fault: TollgateError | "cancelled" | null, failed: boolean): Pick<Ending, "outcome" | "code" | "fault"> {
  if (fault === "cancelled") return { outcome: "cancelled", code: null };
  if (fault !== null) return { outcome: "truncated", code: fault.code, fault };
  return failed ? { outcome: "error", code: "provider_error" } : { outcome: "ok", code: null };
}
