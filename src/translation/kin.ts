import type { Conversation } from "./conversation.ts";
import type { Fields, Json } from "./fields.ts";
import type { Losses } from "./losses.ts";

/** Fields that OpenAI's two dialects have under one name and with one meaning. */
const KIN = ["metadata", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "moderation", "service_tier"];

/** What passes unread between OpenAI's two dialects, and what of it another vendor's has. Responses are kept by the gateway itself. */
export function kinOf(body: Fields, losses: Losses): { readonly kin: Json; readonly tier: Conversation["tier"] } {
  if (losses.to !== "anthropic") {
    const names = losses.from === "openai-responses" ? KIN.filter((name) => name !== "store") : KIN;
    const kin = Object.fromEntries(names.flatMap((name) => (body.raw(name) === undefined ? [] : [[name, body.raw(name)]])));
    return { kin, tier: null };
  }
  const tier = body.text("service_tier");
  if (tier === null || tier === "auto") return { kin: {}, tier };
  if (tier !== "default") losses.lose("service_tier", "service_tier");
  return { kin: {}, tier: "standard" };
}
