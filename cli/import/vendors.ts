/** A vendor as this gateway calls it. */
export interface Vendor {
  /** What its provider is named here. */
  readonly name: string;
  readonly kind: "openai" | "anthropic" | "openai-compatible" | "ollama";
  /** Null where every installation has its own. */
  readonly baseUrl: string | null;
}

const compatible = (name: string, baseUrl: string | null): Vendor => ({ name, kind: "openai-compatible", baseUrl });
const google = compatible("google", "https://generativelanguage.googleapis.com/v1beta/openai");
const cohere = compatible("cohere", "https://api.cohere.ai/compatibility/v1");
const together = compatible("together", "https://api.together.xyz/v1");
const fireworks = compatible("fireworks", "https://api.fireworks.ai/inference/v1");
const perplexity = compatible("perplexity", "https://api.perplexity.ai");
const ollama: Vendor = { name: "ollama", kind: "ollama", baseUrl: "http://127.0.0.1:11434" };
const own = compatible("own", null);

/** Vendors by the words that LiteLLM and Portkey have for them. Addresses are those that each documents for OpenAI's SDK. */
const VENDORS: ReadonlyMap<string, Vendor> = new Map(
  Object.entries({
    openai: { name: "openai", kind: "openai", baseUrl: "https://api.openai.com/v1" },
    text_completion_openai: { name: "openai", kind: "openai", baseUrl: "https://api.openai.com/v1" },
    anthropic: { name: "anthropic", kind: "anthropic", baseUrl: "https://api.anthropic.com" },
    groq: compatible("groq", "https://api.groq.com/openai/v1"),
    mistral: compatible("mistral", "https://api.mistral.ai/v1"),
    mistral_ai: compatible("mistral", "https://api.mistral.ai/v1"),
    deepseek: compatible("deepseek", "https://api.deepseek.com/v1"),
    xai: compatible("xai", "https://api.x.ai/v1"),
    x_ai: compatible("xai", "https://api.x.ai/v1"),
    openrouter: compatible("openrouter", "https://openrouter.ai/api/v1"),
    cerebras: compatible("cerebras", "https://api.cerebras.ai/v1"),
    gemini: google,
    google,
    cohere,
    cohere_chat: cohere,
    together_ai: together,
    fireworks_ai: fireworks,
    perplexity,
    perplexity_ai: perplexity,
    ollama,
    ollama_chat: ollama,
    hosted_vllm: { ...own, name: "vllm" },
    openai_like: own,
    custom_openai: own,
    litellm_proxy: { ...own, name: "litellm" },
    lm_studio: { ...own, name: "lm-studio" },
  } satisfies Record<string, Vendor>),
);

/** Vendors that cannot be called from here, and why. */
const OTHERS: Readonly<Record<string, string>> = {
  azure: "Azure OpenAI takes its key in a header of its own and its model in the path: no provider kind here does",
  azure_openai: "Azure OpenAI takes its key in a header of its own and its model in the path: no provider kind here does",
  azure_ai: "Azure AI takes its key in a header of its own: no provider kind here does",
  bedrock: "Bedrock's requests are signed with AWS keys: no provider kind here does",
  sagemaker: "SageMaker's requests are signed with AWS keys: no provider kind here does",
  vertex_ai: "Vertex AI's tokens are made of a service account: no provider kind here does",
};

const spelt = (name: string) => name.toLowerCase().replaceAll("-", "_");

/** The vendor of a word, or why there is none. */
export function vendorOf(word: string): Vendor | string {
  return (
    VENDORS.get(spelt(word)) ??
    OTHERS[spelt(word)] ??
    `${word} is no vendor that this importer knows; register its address with tollgate's API`
  );
}

/** Whether a word names a vendor, callable or not. */
export function isVendor(word: string): boolean {
  return VENDORS.has(spelt(word)) || Object.hasOwn(OTHERS, spelt(word));
}

/** The vendor whose name stands within a name of somebody's choice: `openai-prod-2`. */
export function vendorWithin(name: string): Vendor | null {
  const words = spelt(name).split(/[^a-z0-9]+/);
  const found = [...VENDORS].find(([word]) => words.includes(word) || spelt(name).startsWith(word));
  return found?.[1] ?? null;
}
