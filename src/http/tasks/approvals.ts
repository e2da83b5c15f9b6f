import * as z from "zod";
import { approvalShape } from "#tasks";
import { authenticatedTask } from "../authenticate.ts";
import type { Context } from "hono";
import type { Http } from "../platform.ts";
import { bodyText, forCaller, idOf, parsed, read } from "./for-caller.ts";

const BODY_BYTES_MAX = 4 * 2 ** 20;
const word = z.strictObject({
  id: z.string().min(1).max(64),
  decision: z.enum(["approve", "deny"], { message: "must be approve or deny" }),
  reason: z.string().max(1_000).nullish(),
});

/** `POST /v1/task/{id}/approve`: the word that a call, or the command, of a task waits for. Said again, it is the same word. */
export const approveTask = forCaller(async (context, caller) => {
  const { id: approval, decision, reason = null } = read(word, parsed(await bodyText(context, BODY_BYTES_MAX)));
  return context.json(approvalShape(await context.env.tasks.approve(caller, idOf(context), { approval, decision, reason })));
});

/** `POST /v1/task/hook`: what an agent inside of a sandbox asks before it uses a tool; nobody else may. */
export async function taskHook(context: Context<Http>): Promise<Response> {
  const caller = await authenticatedTask(context.env, context.req.raw);
  const body = parsed(await bodyText(context, BODY_BYTES_MAX));
  const asked = { signal: context.req.raw.signal, request: context.get("requestId") };
  const answer = await context.env.hook.answer(caller, body, asked);
  return context.json(answer, 200, { "x-request-id": asked.request, "cache-control": "no-store" });
}
