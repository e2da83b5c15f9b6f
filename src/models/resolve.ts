import type { PriceBook } from "./book.ts";
import type { Target } from "./contract.ts";

/** What names may mean in this deployment. */
export interface Known {
  readonly providers: ReadonlySet<string>;
  readonly aliases: ReadonlyMap<string, Target>;
  readonly book: PriceBook;
  readonly at: number;
}

/** Providers whose models may be named without a prefix, in the order in which they are asked. */
const BARE = ["openai", "anthropic", "google", "mistral", "deepseek", "xai", "groq", "cohere"] as const;

/** The model a name stands for: an alias, `provider/model`, or a bare name that the catalogue knows; null for any other. */
export function resolveModel(name: string, { providers, aliases, book, at }: Known): Target | null {
  const alias = aliases.get(name);
  if (alias) return { provider: alias.provider, model: alias.model };
  const slash = name.indexOf("/");
  const provider = name.slice(0, Math.max(0, slash));
  if (providers.has(provider) && slash + 1 < name.length) return { provider, model: name.slice(slash + 1) };
  const owner = BARE.find((each) => providers.has(each) && book.knows(each, name, at));
  return owner === undefined ? null : { provider: owner, model: name };
}

/** Whether a key's lists let it call the model that was resolved. Deny wins; letter case is no way around either list. */
export function allowed(rules: { readonly allow: readonly string[]; readonly deny: readonly string[] }, target: Target): boolean {
  const hits = (pattern: string) => matches(pattern.toLowerCase(), target);
  return rules.allow.some(hits) && !rules.deny.some(hits);
}

/** A pattern with a slash is held against `provider/model`, one without against the model alone; `*` stands for any text. */
function matches(pattern: string, { provider, model }: Target): boolean {
  const name = (pattern.includes("/") ? `${provider}/${model}` : model).toLowerCase();
  const parts = pattern.split("*");
  const [first = ""] = parts;
  if (parts.length === 1) return name === pattern;
  const last = parts.at(-1) ?? "";
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, from);
    if (found === -1 || found + part.length > name.length - last.length) return false;
    from = found + part.length;
  }
  return true;
}
