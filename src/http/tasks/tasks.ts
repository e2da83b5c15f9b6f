import { TollgateError } from "#core";
import * as z from "zod";
import { TASK_BYTES_MAX, taskShape, verdictShape } from "#tasks";
import { once } from "../admin/idempotency.ts";
import { bodyText, forCaller, idOf, parsed, read } from "./for-caller.ts";

const INPUT_BYTES_MAX = 2 ** 20;
const listing = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(20), cursor: z.string().max(256).optional() });
const input = z.strictObject({ text: z.string().default(""), end: z.boolean().default(false) });

/** `POST /v1/task`: begins one. Under an `Idempotency-Key` it may be repeated. */
export const createTask = forCaller(async (context, caller) => {
  const text = await bodyText(context, TASK_BYTES_MAX);
  const { tasks, db, now } = context.env;
  const asking = { requestId: context.get("requestId"), origin: new URL(context.req.url).origin };
  const perform = async () => ({ status: 202, body: taskShape(await tasks.begin(caller, parsed(text), asking)) });
  const key = context.req.header("idempotency-key");
  const attempt = { actor: `key:${caller.key}`, route: "POST /v1/task", key: key ?? "", body: text };
  const { body } = await (key === undefined ? perform() : once(db, attempt, now(), perform));
  return context.json(body as object, 202);
});

/** `POST /v1/task/validate`: everything that is wrong with a request, at once; nothing begins. */
export const validateTask = forCaller(async (context, caller) => {
  const body = parsed(await bodyText(context, TASK_BYTES_MAX));
  return context.json(verdictShape(await context.env.tasks.validate(caller, body)));
});

/** `GET /v1/task`: the key's own, newest first. */
export const listTasks = forCaller(async (context, caller) => {
  const { limit, cursor } = read(listing, context.req.query());
  const { rows, next } = await context.env.tasks.list(caller, { limit, ...(cursor === undefined ? {} : { cursor }) });
  return context.json({ data: rows.map(taskShape), next_cursor: next });
});

/** `GET /v1/task/callback_secret`: what callbacks about the key's tasks are signed with. */
export const taskCallbackSecret = forCaller(async (context, caller) =>
  context.json({ object: "callback_secret", secret: await context.env.tasks.callbackSecret(caller) }),
);

/** `GET /v1/task/{id}`. */
export const readOneTask = forCaller(async (context, caller) =>
  context.json(taskShape(await context.env.tasks.get(caller, idOf(context)))),
);

/** `DELETE /v1/task/{id}`: ends it, however often. */
export const cancelTask = forCaller(async (context, caller) =>
  context.json(taskShape(await context.env.tasks.cancel(caller, idOf(context))), 202),
);

/** `POST /v1/task/{id}/input`: `text` for its command to read; `end` says that nothing more comes. */
export const taskInput = forCaller(async (context, caller) => {
  const { text, end } = read(input, parsed(await bodyText(context, INPUT_BYTES_MAX)));
  if (text === "" && !end) throw new TollgateError("invalid_request", "text: must say something, or end be true", { param: "text" });
  const id = idOf(context);
  if (text !== "") await context.env.tasks.write(caller, id, new TextEncoder().encode(text));
  if (end) await context.env.tasks.write(caller, id, new Uint8Array());
  return context.body(null, 204);
});

/** `GET /v1/task/{id}/artifacts`: what it left, as a tar. */
export const taskArtifacts = forCaller(async (context, caller) => {
  const tar = await context.env.tasks.artifacts(caller, idOf(context), null);
  return new Response(tar, { headers: { "content-type": "application/x-tar" } });
});

/** `GET /v1/task/{id}/artifacts/{path}`: one file. Never as a type that a browser would run. */
export const taskArtifact = forCaller(async (context, caller) => {
  const file = await context.env.tasks.artifacts(caller, idOf(context), context.req.param("path") ?? "");
  const headers = { "content-type": "application/octet-stream", "content-disposition": "attachment", "x-content-type-options": "nosniff" };
  return new Response(file, { headers });
});
