import { type Capability, isSurface, sha256, type Surface } from "#core";
import { canonical } from "#wire";
import type { Question } from "./contract.ts";

/** Members that name an end user or steer a prompt cache: vendors document that they change no word of an answer, nor repeat them in it. */
const IDLE_MEMBERS: Readonly<Record<Exclude<Capability, Surface>, readonly string[]>> = {
  "chat.completions": ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"],
  completions: ["user"],
  embeddings: ["user"],
  messages: ["metadata"],
  // A response repeats all that it was asked with.
  responses: [],
  count_tokens: [],
};

/** Upstreams whose dialect is not the vendor's own may make anything of any member. */
const VENDORS: ReadonlySet<string> = new Set(["openai", "anthropic", "tollgate"]);

/** Headers that say who sends, from where, and that it was traced. Every other one that reaches the provider tells questions apart. */
const IDLE_HEADERS =
  /^(x-stainless-.*|user-agent|accept|content-type|content-length|connection|date|origin|referer|sec-.*|idempotency-key|x-(client-)?request-id|traceparent|tracestate|baggage|sentry-trace|b3|x-b3-.*)$/;

/** Members by which a provider goes on with what it keeps, or acts beyond its answer. */
const ACTING_MEMBERS = ["conversation", "container", "mcp_servers"];

/**
 * Whether an answer to the body is an answer and nothing else, so that giving it again leaves nothing undone. What is no text for text is
 * not: a form's files stand beside its fields, and a picture is meant to be another one.
 */
export function isRepeatable(capability: Capability, body: Readonly<Record<string, unknown>>): boolean {
  if (capability === "count_tokens" || isSurface(capability)) return false;
  if (ACTING_MEMBERS.some((name) => (body[name] ?? null) !== null)) return false;
  const { tools } = body;
  return !Array.isArray(tools) || !tools.some((tool: unknown) => (tool as { type?: unknown } | null)?.type === "mcp");
}

/** What tells a question from every other, as SHA-256 in hexadecimal. */
export async function digestOf(question: Question): Promise<string> {
  const { scope, asked, capability, provider, kind, baseUrl, model, search } = question;
  const idle = VENDORS.has(kind) && !isSurface(capability) ? IDLE_MEMBERS[capability] : [];
  const headers = [...question.headers].filter(([name]) => !IDLE_HEADERS.test(name));
  const frame = ["tollgate-cache/1", scope.kind, scope.id, asked, capability, provider, kind, baseUrl, model, search, headers];
  return sha256(`${JSON.stringify(frame)}\n${canonical(question.body, new Set(idle))}`);
}
