import { chat, legacyCompletion } from "./chat.ts";
import type { Exchange } from "./exchange.ts";
import { OPENAI_HEADERS } from "./openai-facts.ts";
import { keptResponse, responses } from "./responses.ts";
import { images, moderation, rerank, speech, transcription } from "./surfaces.ts";

/**
 * OpenAI as its API reference shows it: https://platform.openai.com/docs/api-reference. Each dialect stands in a file of its own.
 */

/** Each status OpenAI documents, with its envelope: https://platform.openai.com/docs/guides/error-codes. */
const ERRORS: Readonly<Record<string, readonly [number, string, string, string | null]>> = {
  "error-400": [400, "Invalid value for 'temperature'.", "invalid_request_error", "invalid_value"],
  "error-401": [401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"],
  "error-403": [403, "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"],
  "error-404": [404, "The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"],
  "error-422": [422, "Unprocessable.", "invalid_request_error", null],
  "error-429": [429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"],
  "error-quota": [
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota",
    "insufficient_quota",
  ],
  "error-500": [500, "The server had an error while processing your request. Sorry about that!", "server_error", null],
  // Not OpenAI's own: what compatible proxies before Anthropic's models pass on.
  "error-529": [529, "Overloaded", "overloaded_error", null],
  "error-503": [503, "The engine is currently overloaded, please try again later", "server_error", null],
};

/** What goes with an error: a wait for what passes, and a plain no for what does not. */
const ERROR_HEADERS: Readonly<Record<string, Record<string, string>>> = {
  "error-429": { "retry-after": "1" },
  "error-quota": { "x-should-retry": "false" },
};

/** Serves one OpenAI route. */
export async function openai(path: string, exchange: Exchange): Promise<void> {
  const { scenario, json } = exchange;
  const error = ERRORS[scenario];
  if (error) {
    const [status, message, type, code] = error;
    return json(status, { error: { message, type, param: null, code } }, { ...OPENAI_HEADERS, ...ERROR_HEADERS[scenario] });
  }
  if (path.startsWith("/v1/responses/")) return keptResponse(path, exchange);
  switch (path) {
    case "/v1/chat/completions":
      return chat(exchange);
    case "/v1/responses":
      return responses(exchange);
    case "/v1/completions":
      return legacyCompletion(exchange);
    case "/v1/embeddings":
      return embeddings(exchange);
    case "/v1/images/generations":
    case "/v1/images/edits":
    case "/v1/images/variations":
      return images(exchange, path);
    case "/v1/audio/speech":
      return speech(exchange);
    case "/v1/audio/transcriptions":
    case "/v1/audio/translations":
      return transcription(exchange);
    case "/v1/moderations":
      return moderation(exchange);
    case "/v1/rerank":
      return rerank(exchange);
    case "/v1/models":
      return models(exchange);
    default:
      json(
        404,
        { error: { message: `Invalid URL (POST ${path})`, type: "invalid_request_error", param: null, code: null } },
        OPENAI_HEADERS,
      );
  }
}

/** https://platform.openai.com/docs/api-reference/embeddings/create */
function embeddings({ body, json }: Exchange): void {
  const data = [{ object: "embedding", embedding: [0.0023064255, -0.009327292, -0.0028842222], index: 0 }];
  json(200, { object: "list", data, model: body["model"], usage: { prompt_tokens: 8, total_tokens: 8 } }, OPENAI_HEADERS);
}

/** https://platform.openai.com/docs/api-reference/models/list */
function models({ json }: Exchange): void {
  json(200, { object: "list", data: [{ id: "gpt-4o-mini", object: "model", created: 1_686_935_002, owned_by: "openai" }] }, OPENAI_HEADERS);
}
