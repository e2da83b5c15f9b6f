import { type Capability, TollgateError } from "#core";
import { type Ask, type CalledTool, CallReader, callsInAnswer, endsEvent, offeringOnly, wholeEvents } from "#wire";
import type { Arrival, Draft, Gateway, Governor } from "./contract.ts";

const EVENT_END = new TextEncoder().encode("\n\n");

/** What is governed: a request as its task may make it, and the arrival that knows its governor. */
export interface Governed {
  readonly ask: Ask;
  readonly arrival: Arrival;
}

/** Of these answers, calls of tools may be a part. */
const CALLING: ReadonlySet<Capability> = new Set(["chat.completions", "responses", "messages"]);

/**
 * A request of a task without the tools that it may not use. Asked only where a task calls.
 * @throws TollgateError `permission_denied` where it insists on one of them.
 */
export async function governed(ask: Ask, arrival: Arrival, task: string, at: Gateway): Promise<Governed> {
  const governor = await at.governor(task);
  const { ask: allowed } = offeringOnly(ask, (tool) => governor.offers(tool));
  return { ask: allowed, arrival: { ...arrival, governor } };
}

/**
 * Has the calls of a whole JSON answer taken down, before it is passed on.
 * @throws TollgateError `permission_denied` where it holds one that may not be.
 */
export async function governAnswer(text: string, { arrival, asked }: Draft): Promise<void> {
  const { governor } = arrival;
  if (!governor || !CALLING.has(asked.capability)) return;
  await takeDown(callsInAnswer(asked.capability, text), governor, { request: arrival.id, before: 0 });
}

/** Whether what calls of tools an answer makes is looked at while it streams. */
export function governsStream({ arrival, asked }: Draft): boolean {
  return arrival.governor !== undefined && CALLING.has(asked.capability);
}

/**
 * A stream, in the caller's dialect, of which no event passes before the calls that it completes are taken down; the very same where no
 * task calls. It breaks off at a call that may not be, and the judgement says why.
 */
export function governStream(stream: ReadableStream<Uint8Array>, draft: Draft): ReadableStream<Uint8Array> {
  const { arrival, asked, policies } = draft;
  const { governor } = arrival;
  if (!governor || !CALLING.has(asked.capability)) return stream;
  const reader = new CallReader(asked.capability);
  let before = 0;
  let whole = true;
  return stream.pipeThrough(wholeEvents()).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(event, controller) {
        try {
          if (!whole) throw new TollgateError("upstream_error", "The provider sent an event that is too large to be looked at");
          whole = endsEvent(event);
          // What the stream's end cuts short some clients take for an event.
          const calls = [...reader.push(event), ...(whole ? [] : reader.push(EVENT_END))];
          await takeDown(calls, governor, { request: arrival.id, before });
          before += calls.length;
        } catch (thrown) {
          policies.judgement.stopped = untold(thrown);
          throw thrown;
        }
        controller.enqueue(event);
      },
    }),
  );
}

async function takeDown(calls: readonly CalledTool[], governor: Governor, place: Parameters<Governor["called"]>[1]): Promise<void> {
  if (calls.length === 0) return;
  const refusal = await governor.called(calls, place).catch((cause: unknown) => {
    throw untold(cause);
  });
  if (refusal !== null) throw new TollgateError("permission_denied", `The answer ends here: ${refusal}`);
}

/** What cannot be taken down does not happen. */
function untold(cause: unknown): TollgateError {
  if (cause instanceof TollgateError) return cause;
  return new TollgateError("overloaded", "What this task does cannot be taken down at the moment; try again", {
    cause,
    retryAfterMs: 1_000,
    reason: "task log",
  });
}
