import { Hono } from "hono";

/** The least that a gateway on Workers can be: every request goes to the provider, and its body comes back. */
const app = new Hono<{ Bindings: { UPSTREAM: string } }>();
app.post("/v1/chat/completions", async (context) => {
  const { method, headers, body } = context.req.raw;
  const answer = await fetch(`${context.env.UPSTREAM}/v1/chat/completions`, { method, headers, body });
  return new Response(answer.body, answer);
});

export default app;
