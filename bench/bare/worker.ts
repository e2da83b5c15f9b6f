import { type Context, Hono } from "hono";
import { passOn } from "../../src/gateway/gulps.ts";
import { deliver, keep, type Kept } from "./journal.ts";

export { Journal } from "./journal.ts";

type Bare = { Bindings: { UPSTREAM: string; OUTBOUND: Fetcher } & Kept };

/**
 * The least that a gateway on Workers can be: every request goes to the provider, and its body comes back. By `fetch`, as anybody would
 * write it; or by the shorter way out that the gateway is given.
 */
const app = new Hono<Bare>();
app.post("/v1/chat/completions", async (context) => {
  const tap = context.req.header("x-bench-floor");
  if (tap !== undefined) return floor(context, tap);
  const { method, headers, body } = context.req.raw;
  const [url, init] = [`${context.env.UPSTREAM}/v1/chat/completions`, { method, headers, body }];
  const answer = await (context.req.header("x-bench-out") === undefined ? fetch(url, init) : context.env.OUTBOUND.fetch(url, init));
  return new Response(answer.body, answer);
});

const TIMEOUT_MS = 600_000;
const USAGE = '"usage":';
const OWN_HEADERS = 12;

/**
 * What the platform's own calls cost that no gateway can leave out, before it does anything: a body read within a time, headers filtered
 * both ways, a call that ends by a deadline or with its client, an answer that is read for its usage, and headers that say what was done.
 */
async function floor(context: Context<Bare>, tap: string): Promise<Response> {
  const { raw } = context.req;
  const late = setTimeout(() => undefined, TIMEOUT_MS);
  const body = await raw.arrayBuffer();
  clearTimeout(late);
  const ended = new AbortController();
  const deadline = setTimeout(() => ended.abort(), TIMEOUT_MS);
  raw.signal.addEventListener("abort", () => ended.abort(), { once: true });
  const init = { method: "POST", headers: passed(raw.headers, "host"), body, signal: ended.signal };
  const answer = await context.env.OUTBOUND.fetch(`${context.env.UPSTREAM}/v1/chat/completions`, init);
  const headers = passed(answer.headers, "set-cookie");
  for (let at = 0; at < OWN_HEADERS; at++) headers.set(`x-bench-${at}`, "told");
  const over = () => clearTimeout(deadline);
  const read = (text: string) => {
    over();
    const from = text.lastIndexOf(USAGE);
    const usage: unknown = from === -1 ? null : JSON.parse(text.slice(from + USAGE.length, text.lastIndexOf("}}") + 1));
    if (context.req.header("x-bench-record") !== undefined) context.executionCtx.waitUntil(keep(usage, context.env));
  };
  const told = tap === "whole" ? await whole(answer, read) : copied(answer.body!, tap === "edited" ? seen : piped, { context, read });
  return new Response(told, { status: answer.status, headers });
}

function passed(headers: Headers, dropped: string): Headers {
  const others = new Headers();
  for (const [name, value] of headers) if (name !== dropped) others.append(name, value);
  return others;
}

async function whole(answer: Response, read: (text: string) => void): Promise<ArrayBuffer> {
  const bytes = await answer.arrayBuffer();
  read(new TextDecoder().decode(bytes));
  return bytes;
}

type Carry = (stream: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>) => Promise<void>;

/** A copy beside the client's, to read the usage from, and a client's end that is ours to close. */
function copied(
  body: ReadableStream<Uint8Array>,
  carry: Carry,
  { context, read }: { readonly context: Context<Bare>; readonly read: (text: string) => void },
): ReadableStream<Uint8Array> {
  const [toClient, copy] = body.tee();
  const { readable, writable } = new IdentityTransformStream();
  const pumped = async () => {
    await carry(toClient, writable);
    read(await new Response(copy).text());
    await writable.close();
  };
  context.executionCtx.waitUntil(pumped());
  return readable;
}

const piped: Carry = (stream, writable) => stream.pipeTo(writable, { preventClose: true, preventAbort: true });

/** A stream that is looked at, as it must be where anything is to be cut out: in the gateway's own gulps, since no cheaper way is known. */
const seen: Carry = (stream, writable) =>
  passOn(stream, writable, { passes: [{ push: (chunk) => chunk }], gathers: true, now: () => Date.now() });

export default { fetch: app.fetch, queue: deliver } satisfies ExportedHandler<Bare["Bindings"], string>;
