import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createApp, type Platform } from "#http";
import { platformOf } from "../../src/compose.ts";

/** The front door, in the runtime that it runs on. */

const app = createApp();
export const ADMIN = "admin-key-for-worker-tests";
let visitor = 0;

/** What is asked: a credential, a body, headers, and bindings that take the place of the real ones. */
export interface Asked {
  readonly as?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly bindings?: Partial<Env>;
  /** Capabilities that take the place of the composed ones. */
  readonly platform?: Partial<Platform>;
}

/** Every route in the router's table with a method of its own; `ALL` entries are middleware and refusals. */
export const ROUTES = [...new Set(app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`))];

/** Asks the app as a client from an address of its own, unless one is given. */
export async function ask(
  method: string,
  path: string,
  { as, body, headers = {}, bindings = {}, platform }: Asked = {},
): Promise<Response> {
  const context = createExecutionContext();
  const address = `10.0.${Math.floor(++visitor / 250)}.${visitor % 250}`;
  const all = {
    "cf-connecting-ip": address,
    "content-type": "application/json",
    ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
    ...headers,
  };
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const request = new Request(`https://gateway.test${path}`, {
    method,
    headers: all,
    ...(text === undefined ? {} : { body: text as string }),
  });
  const composed = platformOf({ ...env, ...bindings } as Env);
  const answer = await app.fetch(request, platform ? { ...composed, ...platform } : composed, context);
  // What goes on beside a stream ends when it has been read.
  const streams = answer.headers.get("content-type")?.includes("event-stream") ?? false;
  const read = streams ? new Response(await answer.arrayBuffer(), answer) : answer;
  await waitOnExecutionContext(context);
  return read;
}

/** The same on the admin plane as its owner; throws where the answer is no success. */
export async function admin<Answer = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
  return (text === "" ? {} : JSON.parse(text)) as Answer;
}

/** A new key. */
export function newKey(fields: Record<string, unknown> = {}): Promise<{ id: string; secret: string }> {
  return admin("POST", "/keys", { name: "k", ...fields });
}
