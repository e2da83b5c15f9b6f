import type { Context } from "hono";
import type * as z from "zod";
import { type Caller, TollgateError } from "#core";
import { Timers } from "#gateway";
import { authenticatedKey } from "../authenticate.ts";
import type { Http } from "../platform.ts";
import { readBytes } from "../read-body.ts";

type Serve = (context: Context<Http>, caller: Caller) => Promise<Response>;

/** A route of tasks: its caller is known before anything else of it is looked at. */
export function forCaller(serve: Serve) {
  return async (context: Context<Http>): Promise<Response> => {
    const caller = await authenticatedKey(context.env, context.req.raw);
    const answer = await serve(context, caller);
    answer.headers.set("x-request-id", context.get("requestId"));
    answer.headers.set("cache-control", "no-store");
    return answer;
  };
}

/** The task that a route is about. */
export function idOf(context: Context<Http>): string {
  return context.req.param("id") ?? "";
}

/** A body's text. @throws TollgateError where it is too long, or comes too slowly. */
export async function bodyText(context: Context<Http>, bytesMax: number): Promise<string> {
  const timeoutMs = context.env.config.TOLLGATE_TIMEOUT_BODY_S * 1000;
  return new TextDecoder().decode(await readBytes(context.req.raw, { bytesMax, timeoutMs }, new Timers(() => context.env.now())));
}

/** A body as JSON. @throws TollgateError `invalid_request`. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TollgateError("invalid_request", "The request body is not valid JSON", { cause });
  }
}

/** What a schema reads. @throws TollgateError `invalid_request` naming the field. */
export function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = unknown ?? issue?.path.join(".") ?? "";
  const reason = unknown === undefined ? (issue?.message ?? "is wrong") : "is not a known field";
  throw new TollgateError("invalid_request", `${field || "The body"}: ${reason}`, field ? { param: field } : {});
}
