import type { Receipt } from "#models";
import { joined, secondsSpoken, spokenTokens } from "#wire";
import { type Answer, endingOf, headersOf, setCost } from "./answer.ts";
import type { Gateway } from "./contract.ts";
import type { Ending } from "./event.ts";
import type { Hold } from "./hold.ts";
import { soundUsed } from "./surface.ts";

/** Sound is gathered to be measured as far as this; a longer one is taken to go on as it began. */
const MEASURED_BYTES = 16 * 1024 * 1024;

/** What is known of a sound once it has passed. */
interface Passed {
  readonly bytes: number;
  /** Its beginning, for a length that only the sound itself tells. */
  readonly heard: readonly Uint8Array[];
}

/**
 * Hands a provider's sound to the client as it comes, byte for byte, and books it when it ends. Where characters are billed the cost is
 * known before; where tokens are, the sound is measured, since no provider tells them beside raw sound.
 */
export function pour(body: ReadableStream<Uint8Array>, answer: Answer, hold: Hold, at: Gateway): Response {
  const headers = headersOf(answer, hold, at);
  const billed = soundUsed(hold.draft, null);
  const paid = billed && hold.price(billed.usage, null);
  if (paid) setCost(headers, paid, billed.status);
  const heard: Uint8Array[] = [];
  let bytes = 0;
  let flushed = false;
  const through = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (!paid && bytes < MEASURED_BYTES) heard.push(chunk);
      bytes += chunk.byteLength;
      controller.enqueue(chunk);
    },
    flush() {
      flushed = true;
    },
  });
  // A pipe whose reader left ends as if all had been read, but for the flush.
  const piped = body.pipeTo(through.writable).then(
    () => (flushed ? OK : LEFT),
    () => brokenOff(answer),
  );
  at.background(piped.then((ended) => book(ended, { bytes, heard }, { answer, hold, at })));
  return new Response(through.readable, { status: answer.response.status, headers });
}

interface Under {
  readonly answer: Answer;
  readonly hold: Hold;
  readonly at: Gateway;
}

type Ended = Pick<Ending, "outcome" | "code">;
const OK: Ended = { outcome: "ok", code: null };
const LEFT: Ended = { outcome: "cancelled", code: null };

function brokenOff({ deadline }: Answer): Ended {
  if (deadline.why === "client_left") return LEFT;
  return { outcome: "truncated", code: deadline.timeoutError()?.code ?? "upstream_error" };
}

/** Books what was spoken, whoever ended it: what has been sent on is billed at the least. */
async function book(ended: Ended, passed: Passed, { answer, hold, at }: Under): Promise<void> {
  answer.deadline.end();
  const { usage, status } = soundUsed(hold.draft, tokensOf(hold, passed))!;
  const paid: Receipt = hold.price(usage, null);
  await hold.settle(paid, ended === OK ? status : "estimated", { ...endingOf(answer, hold, at), ...ended });
}

function tokensOf({ draft }: Hold, { bytes, heard }: Passed): number {
  const measured = joined(heard);
  const { response_format: format } = draft.ask.body.value;
  const seconds = measured.length === 0 ? 0 : secondsSpoken(measured, typeof format === "string" ? format : "mp3");
  return spokenTokens(measured.length === 0 ? 0 : (seconds * bytes) / measured.length);
}
