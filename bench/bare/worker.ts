import { type Context, Hono } from "hono";

type Bare = { Bindings: { UPSTREAM: string } };

/** The least that a gateway on Workers can be: every request goes to the provider, and its body comes back. */
const app = new Hono<Bare>();
app.post("/v1/chat/completions", async (context) => {
  const floor = context.req.header("x-bench-floor");
  if (floor === "called") return called(context);
  const answer = await ask(context);
  if (floor === "copied") return new Response(copied(answer.body!, context), answer);
  if (floor === "edited") return new Response(answer.body!.pipeThrough(seen()), answer);
  return new Response(answer.body, answer);
});

function ask({ req, env }: Context<Bare>): Promise<Response> {
  const { method, headers, body } = req.raw;
  return fetch(`${env.UPSTREAM}/v1/chat/completions`, { method, headers, body });
}

const TIMEOUT_MS = 600_000;
const OWN_HEADERS = 12;

/**
 * What the platform's own calls cost that no gateway can leave out, before it does anything: a body read within a time, headers filtered
 * both ways, a call that ends by a deadline or with its client, an answer read for its usage, and headers that say what was done.
 */
async function called({ req, env, executionCtx }: Context<Bare>): Promise<Response> {
  const late = setTimeout(() => undefined, TIMEOUT_MS);
  const body = await req.raw.arrayBuffer();
  clearTimeout(late);
  const ended = new AbortController();
  const deadline = setTimeout(() => ended.abort(), TIMEOUT_MS);
  req.raw.signal.addEventListener("abort", () => ended.abort(), { once: true });
  const headers = passed(req.raw.headers, "host");
  const answer = await fetch(`${env.UPSTREAM}/v1/chat/completions`, { method: "POST", headers, body, signal: ended.signal });
  const bytes = await answer.arrayBuffer();
  clearTimeout(deadline);
  executionCtx.waitUntil(Promise.resolve(JSON.parse(new TextDecoder().decode(bytes))));
  const told = passed(answer.headers, "set-cookie");
  for (let at = 0; at < OWN_HEADERS; at++) told.set(`x-bench-${at}`, "told");
  return new Response(bytes, { status: answer.status, headers: told });
}

function passed(headers: Headers, dropped: string): Headers {
  const others = new Headers();
  for (const [name, value] of headers) if (name !== dropped) others.append(name, value);
  return others;
}

/** What reading a stream's usage costs before a byte of it is understood: a copy beside the client's, and a client's end that is ours to close. */
function copied(body: ReadableStream<Uint8Array>, context: Context<Bare>): ReadableStream<Uint8Array> {
  const [toClient, copy] = body.tee();
  const { readable, writable } = new IdentityTransformStream();
  const pumped = async () => {
    await toClient.pipeTo(writable, { preventClose: true, preventAbort: true });
    await new Response(copy).arrayBuffer();
    await writable.close();
  };
  context.executionCtx.waitUntil(pumped());
  return readable;
}

/** What cutting anything out of a stream costs before a byte of it is understood: each chunk is seen once. */
function seen(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk) });
}

export default app;
