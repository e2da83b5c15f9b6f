import { type Context, Hono } from "hono";

type Bare = { Bindings: { UPSTREAM: string } };

/** The least that a gateway on Workers can be: every request goes to the provider, and its body comes back. */
const app = new Hono<Bare>();
app.post("/v1/chat/completions", async (context) => {
  const answer = await ask(context);
  const floor = context.req.header("x-bench-floor");
  if (floor === "copied") return new Response(copied(answer.body!, context), answer);
  if (floor === "edited") return new Response(answer.body!.pipeThrough(seen()), answer);
  return new Response(answer.body, answer);
});

function ask({ req, env }: Context<Bare>): Promise<Response> {
  const { method, headers, body } = req.raw;
  return fetch(`${env.UPSTREAM}/v1/chat/completions`, { method, headers, body });
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
