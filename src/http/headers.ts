import type { Config } from "#config";
import { isObject, type Nano, nanoFromUsd, TollgateError } from "#core";

/** What a caller may say about a request in `x-tollgate-*` headers. */
export interface Directions {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly endUser: string | null;
  readonly session: string | null;
  /** Milliseconds; null means the deployment's own. */
  readonly timeoutMs: number | null;
  /** The most that this request may cost, in nano-USD; null means what the budgets allow. */
  readonly costMax: Nano | null;
  /** The cost goes into the answer's usage. */
  readonly costInUsage: boolean;
  /** Whether an answer may come out of the cache and into it; a lifetime in milliseconds, or null for the deployment's. */
  readonly cache: { readonly mode: "use" | "refresh" | "no-store"; readonly ttlMs: number | null };
  /** The request is priced and not sent. */
  readonly dryRun: boolean;
}

const KNOWN = new Set([
  "x-tollgate-api-key",
  "x-tollgate-metadata",
  "x-tollgate-tags",
  "x-tollgate-user",
  "x-tollgate-session-id",
  "x-tollgate-timeout-ms",
  "x-tollgate-max-cost",
  "x-tollgate-usage",
  "x-tollgate-cache",
  "x-tollgate-dry-run",
]);
const METADATA_KEYS_MAX = 16;
const METADATA_KEY_MAX = 64;
const TEXT_MAX = 512;

function refuse(name: string, what: string): never {
  throw new TollgateError("invalid_request", `The header ${name} ${what}`, { param: name });
}

function readText(headers: Headers, name: string): string | null {
  const text = headers.get(name);
  if (text === null) return null;
  if (text.length === 0 || text.length > TEXT_MAX) refuse(name, `must hold 1 to ${TEXT_MAX} characters`);
  return text;
}

function readMetadata(headers: Headers): Record<string, string> {
  const name = "x-tollgate-metadata";
  const text = headers.get(name);
  if (text === null) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new TollgateError("invalid_request", `The header ${name} must be a flat JSON object`, { param: name, cause });
  }
  if (!isObject(parsed)) refuse(name, "must be a flat JSON object");
  const entries = Object.entries(parsed);
  if (entries.length > METADATA_KEYS_MAX) refuse(name, `must hold at most ${METADATA_KEYS_MAX} keys`);
  if (entries.some(([key]) => key.length === 0 || key.length > METADATA_KEY_MAX))
    refuse(name, `must have keys of 1 to ${METADATA_KEY_MAX} characters`);
  const wrong = entries.find(([, value]) => typeof value !== "string" || value.length > TEXT_MAX);
  if (wrong) refuse(name, `must map ${wrong[0].slice(0, 40)} to a string of at most ${TEXT_MAX} characters`);
  return parsed as Record<string, string>;
}

function readTags(headers: Headers): string[] {
  const text = readText(headers, "x-tollgate-tags");
  const tags = text === null ? [] : text.split(",").map((tag) => tag.trim());
  if (tags.some((tag) => tag === "" || tag.length > 64))
    refuse("x-tollgate-tags", "must be a comma-separated list of tags of 1 to 64 characters");
  return tags;
}

function readTimeout(headers: Headers): number | null {
  const text = readText(headers, "x-tollgate-timeout-ms");
  if (text === null) return null;
  if (!/^[1-9]\d{0,8}$/.test(text)) refuse("x-tollgate-timeout-ms", "must be a positive whole number of milliseconds");
  return Number(text);
}

function readCostMax(headers: Headers): Nano | null {
  const name = "x-tollgate-max-cost";
  const text = readText(headers, name);
  return text === null ? null : nanoFromUsd(text, name);
}

function readUsageWish(headers: Headers): boolean {
  const text = readText(headers, "x-tollgate-usage");
  if (text !== null && text !== "include") refuse("x-tollgate-usage", "must be include");
  return text !== null;
}

function readDryRun(headers: Headers): boolean {
  const text = readText(headers, "x-tollgate-dry-run");
  if (text !== null && text !== "true" && text !== "false") refuse("x-tollgate-dry-run", "must be true or false");
  return text === "true";
}

function readCacheWish(headers: Headers, ttlMaxS: number): Directions["cache"] {
  const text = readText(headers, "x-tollgate-cache");
  if (text === null) return { mode: "use", ttlMs: null };
  if (text === "no-store" || text === "refresh") return { mode: text, ttlMs: null };
  const ttlS = Number(/^ttl=([1-9]\d{0,8})$/.exec(text)?.[1] ?? 0);
  if (ttlS === 0 || ttlS > ttlMaxS) refuse("x-tollgate-cache", `must be no-store, refresh or ttl= with 1 to ${ttlMaxS} seconds`);
  return { mode: "use", ttlMs: ttlS * 1000 };
}

const UNDIRECTED: Directions = {
  metadata: {},
  tags: [],
  endUser: null,
  session: null,
  timeoutMs: null,
  costMax: null,
  costInUsage: false,
  cache: { mode: "use", ttlMs: null },
  dryRun: false,
};

/**
 * Reads the caller's directions. A header of this family that nobody knows is refused: a misspelt cap must not pass unheard.
 * @throws TollgateError `invalid_request` naming the header.
 */
export function readDirections(headers: Headers, limits: Pick<Config, "TOLLGATE_CACHE_TTL_MAX_S">): Directions {
  const given = [...headers.keys()].filter((name) => name.startsWith("x-tollgate-"));
  for (const name of given) if (!KNOWN.has(name)) refuse(name, "is not known");
  if (given.length === 0) return UNDIRECTED;
  return {
    metadata: readMetadata(headers),
    tags: readTags(headers),
    endUser: readText(headers, "x-tollgate-user"),
    session: readText(headers, "x-tollgate-session-id"),
    timeoutMs: readTimeout(headers),
    costMax: readCostMax(headers),
    costInUsage: readUsageWish(headers),
    cache: readCacheWish(headers, limits.TOLLGATE_CACHE_TTL_MAX_S),
    dryRun: readDryRun(headers),
  };
}
