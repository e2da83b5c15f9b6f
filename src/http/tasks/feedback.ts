import * as z from "zod";
import { taskShape } from "#tasks";
import { bodyText, forCaller, idOf, parsed, read } from "./for-caller.ts";

const BODY_BYTES_MAX = 2 ** 16;
const score = z.int("must be a whole number from 1 to 5").min(1, "must be from 1 to 5").max(5, "must be from 1 to 5");
const feedback = z.strictObject({ score, comment: z.string().max(4_000, "must hold at most 4000 characters").nullish() });

/** `POST /v1/task/{id}/feedback`: what its owner thought of a task that has ended; the last word holds. */
export const taskFeedback = forCaller(async (context, caller) => {
  const { score, comment = null } = read(feedback, parsed(await bodyText(context, BODY_BYTES_MAX)));
  return context.json(taskShape(await context.env.tasks.judge(caller, idOf(context), { score, comment })));
});
