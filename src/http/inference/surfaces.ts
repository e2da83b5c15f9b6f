import type { Capability } from "#core";

/** Whose route it is: OpenAI's, Anthropic's, or that of the vendors of rankings, who share one shape. */
type Vendor = "OpenAI" | "Anthropic" | "Cohere, Jina, Voyage";

/** One route of a vendor's, or all below one path. A path's `{id}` is one segment, and a `*` at its end everything below it and itself. */
interface Route {
  readonly vendor: Vendor;
  readonly method: "POST" | "GET" | "DELETE" | "any";
  readonly path: string;
}

/** A route that is passed to a provider, and what it is billed by. */
export interface Served extends Route {
  readonly capability: Capability;
  readonly metered: string;
}

/** A route that the gateway answers itself, at no cost. */
interface Own extends Route {
  readonly answers: string;
}

/** A route that is refused, and why. */
export interface Refused extends Route {
  readonly refused: string;
}

export type Row = Served | Own | Refused;

const TOKENS = "tokens, as reported";

const served = (vendor: Vendor, path: string, capability: Capability, metered: string): Served => ({
  vendor,
  method: "POST",
  path,
  capability,
  metered,
});
const openai = (path: string, capability: Capability, metered: string) => served("OpenAI", path, capability, metered);
const anthropic = (path: string, capability: Capability, metered: string) => served("Anthropic", path, capability, metered);

const KEPT = "a response of this key's own; another's is not there";
const LATER = "its cost arises later, in an account that this gateway does not watch, so that no budget could hold it";
const SHARED = "what is stored there belongs to the provider's account, which all keys of this gateway share: one would read another's";
const ACCOUNT = "it administers the provider's account, which is not the caller's";
const PAST = "it opens a line to the provider on which nothing here could meter or stop what is said";
const HOSTED = "it runs agents on the provider's machines, whose cost is told only afterwards";

const refused =
  (vendor: Vendor) =>
  (path: string, reason: string, method: Route["method"] = "any"): Refused => ({ vendor, method, path, refused: reason });
const notOpenai = refused("OpenAI");
const notAnthropic = refused("Anthropic");

/**
 * Every route of the vendors' APIs and what becomes of it. The router is made of it, the guide prints it, and a test holds it against
 * every path that the vendors' SDKs can call.
 */
export const ROWS: readonly Row[] = [
  openai("/v1/chat/completions", "chat.completions", TOKENS),
  openai("/v1/responses", "responses", TOKENS),
  openai("/v1/completions", "completions", TOKENS),
  openai("/v1/embeddings", "embeddings", TOKENS),
  openai("/v1/images/generations", "images.generations", "tokens as reported, or pictures"),
  openai("/v1/images/edits", "images.edits", "tokens as reported, or pictures"),
  openai("/v1/images/variations", "images.variations", "tokens as reported, or pictures"),
  openai("/v1/audio/speech", "audio.speech", "characters, or tokens by the length of the sound"),
  openai("/v1/audio/transcriptions", "audio.transcriptions", "tokens or seconds, as reported; else by the file"),
  openai("/v1/audio/translations", "audio.translations", "seconds, as reported; else by the file"),
  openai("/v1/moderations", "moderations", "nothing: OpenAI's are free; else tokens of the text"),
  served("Cohere, Jina, Voyage", "/v1/rerank", "rerank", "searches or tokens, as reported; else by the documents"),
  anthropic("/v1/messages", "messages", TOKENS),
  anthropic("/messages", "messages", TOKENS),
  anthropic("/v1/messages/count_tokens", "count_tokens", "nothing: counting is free"),
  { vendor: "OpenAI", method: "GET", path: "/v1/responses/{id}", answers: KEPT },
  { vendor: "OpenAI", method: "DELETE", path: "/v1/responses/{id}", answers: KEPT },
  { vendor: "OpenAI", method: "GET", path: "/v1/responses/{id}/input_items", answers: KEPT },
  { vendor: "OpenAI", method: "POST", path: "/v1/responses/{id}/cancel", answers: KEPT },
  { vendor: "OpenAI", method: "GET", path: "/v1/models", answers: "the models that this key may call" },
  { vendor: "OpenAI", method: "GET", path: "/v1/models/{id}", answers: "one of them" },

  notOpenai("/v1/models/*", "models belong to the provider's account, which is not the caller's", "DELETE"),
  notOpenai("/v1/chat/completions", SHARED, "GET"),
  notOpenai("/v1/chat/completions/*", SHARED),
  notOpenai("/v1/responses/compact", "what it makes is billed, and is not metered here", "POST"),
  notOpenai("/v1/responses/input_tokens", "POST /v1/estimate counts the tokens of any model's request", "POST"),
  notOpenai("/v1/conversations/*", SHARED),
  notOpenai("/v1/files/*", SHARED),
  notOpenai("/v1/uploads/*", SHARED),
  notOpenai("/v1/batches/*", LATER),
  notOpenai("/v1/fine_tuning/*", LATER),
  notOpenai("/v1/evals/*", LATER),
  notOpenai("/v1/videos/*", `a film is made after the answer: ${LATER}`),
  notOpenai("/v1/vector_stores/*", `storage is billed by the day: ${LATER}`),
  notOpenai("/v1/containers/*", `a container is billed by its time: ${LATER}`),
  notOpenai("/v1/assistants/*", HOSTED),
  notOpenai("/v1/threads/*", HOSTED),
  notOpenai("/v1/agents/*", HOSTED),
  notOpenai("/v1/chatkit/*", HOSTED),
  notOpenai("/v1/realtime/*", PAST),
  notOpenai("/v1/live/*", PAST),
  notOpenai("/v1/decisions/*", "its price is not known here"),
  notOpenai("/v1/content_provenance_checks/*", "its price is not known here"),
  notOpenai("/v1/audio/voices/*", SHARED),
  notOpenai("/v1/audio/voice_consents/*", SHARED),
  notOpenai("/v1/skills/*", SHARED),
  notOpenai("/v1/vaults/*", SHARED),
  notOpenai("/v1/safety/*", ACCOUNT),
  notOpenai("/v1/organization/*", ACCOUNT),
  notOpenai("/v1/projects/*", ACCOUNT),
  notOpenai("/v1/webhook_endpoints/*", ACCOUNT),
  notOpenai("/v1/webhook_event_types/*", ACCOUNT),
  notAnthropic("/v1/messages/batches/*", LATER),
  notAnthropic("/v1/complete", "Anthropic retired it; POST /v1/messages takes its place"),
  notAnthropic("/v1/sessions/*", HOSTED),
  notAnthropic("/v1/environments/*", HOSTED),
  notAnthropic("/v1/deployments/*", HOSTED),
  notAnthropic("/v1/deployment_runs/*", HOSTED),
  notAnthropic("/v1/dreams/*", HOSTED),
  notAnthropic("/v1/memory_stores/*", SHARED),
  notAnthropic("/v1/user_profiles/*", SHARED),
  notAnthropic("/v1/tunnels/*", PAST),
  notAnthropic("/v1/organizations/*", ACCOUNT),
];

/** The routes that are passed to a provider, by canonical path. */
export const INFERENCE: Readonly<Record<string, Capability>> = Object.fromEntries(
  ROWS.flatMap((row) => ("capability" in row ? [[row.path, row.capability]] : [])),
);
