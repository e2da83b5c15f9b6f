import type { Capability } from "#core";

/** Every inference route that is served, by canonical path. */
export const INFERENCE: Readonly<Record<string, Capability>> = {
  "/v1/chat/completions": "chat.completions",
  "/v1/responses": "responses",
  "/v1/completions": "completions",
  "/v1/embeddings": "embeddings",
  "/v1/messages": "messages",
  "/messages": "messages",
  "/v1/messages/count_tokens": "count_tokens",
};
