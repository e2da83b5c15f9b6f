/** The dialects that clients speak. */
export type Dialect = "openai-chat" | "openai-responses" | "openai-completions" | "openai-embeddings" | "anthropic";

/** What a request asks a provider to do; stands on the cost record. */
export type Capability = "chat.completions" | "completions" | "responses" | "embeddings" | "messages" | "count_tokens";

/** The two envelopes that errors come in. */
export type Envelope = "openai" | "anthropic";
