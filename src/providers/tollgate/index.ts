import { type Capability, fieldsOf, isSurface, type Surface, TollgateError } from "#core";
import { chat, completions } from "./chat.ts";
import type { Event, Exchange, Writer } from "./dialect.ts";
import { embed } from "./embed.ts";
import { messages } from "./messages.ts";
import { responses } from "./responses.ts";
import { answerTo, readTurn } from "./turn.ts";

const SLOW_CHUNK_MS = 50;
const WRITERS: Record<Exclude<Capability, "embeddings" | "count_tokens" | Surface>, Writer> = {
  "chat.completions": chat,
  completions,
  responses,
  messages,
};

/** Waits, or rejects as soon as the signal aborts, so that a client that left holds no timer. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

function frame({ event, data }: Event): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

/** Events as a body, one chunk each, made only as the reader asks: nothing runs on after a cancel or an abort. */
function streamOf(events: Iterable<Event>, chunkMs: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const iterator = events[Symbol.iterator]();
  const encoder = new TextEncoder();
  const left = new AbortController();
  const either = AbortSignal.any([signal, left.signal]);
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      either.throwIfAborted();
      const next = iterator.next();
      if (next.done) return controller.close();
      if (chunkMs > 0 && next.value.paced) await pause(chunkMs, either);
      controller.enqueue(encoder.encode(frame(next.value)));
    },
    cancel() {
      left.abort();
    },
  });
}

/**
 * Answers a request by the built-in provider, in process. `echo` and `slow` say the same; `slow` waits between chunks.
 * @throws TollgateError `model_not_found` for any other model, `invalid_request` for what is no text for text.
 */
export function respond(capability: Capability, body: unknown, signal: AbortSignal): Response {
  signal.throwIfAborted();
  if (isSurface(capability)) throw new TollgateError("invalid_request", `The built-in provider does not offer ${capability}`);
  const turn = readTurn(fieldsOf(body));
  if (turn.model !== "echo" && turn.model !== "slow") {
    throw new TollgateError("model_not_found", "The built-in provider has the models tollgate/echo and tollgate/slow", { param: "model" });
  }
  const id = crypto.randomUUID().replaceAll("-", "");
  const headers = { "x-request-id": `tollgate_${id}` };
  if (capability === "count_tokens") return Response.json({ input_tokens: turn.inputTokens }, { headers });
  if (capability === "embeddings") return Response.json(embed(fieldsOf(body), turn.model), { headers });
  const exchange: Exchange = { turn, answer: answerTo(turn), id, created: Math.floor(Date.now() / 1000) };
  const writer = WRITERS[capability];
  if (!turn.stream) return Response.json(writer.whole(exchange), { headers });
  return new Response(streamOf(writer.events(exchange), turn.model === "slow" ? SLOW_CHUNK_MS : 0, signal), {
    headers: { ...headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  });
}
