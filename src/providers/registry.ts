import { type Capability, TollgateError } from "#core";
import type { Config } from "#config";
import type { tables } from "#db";

/** What protocol an upstream speaks; `tollgate` is the built-in provider and never leaves the process. */
export type UpstreamKind = (typeof tables.providers.$inferSelect)["kind"] | "tollgate";

/** A provider that calls can be sent to; `credential` is the opened secret and goes to the origin of `baseUrl` only. */
export interface Upstream {
  readonly name: string;
  readonly kind: UpstreamKind;
  readonly baseUrl: string;
  readonly credential: string | null;
  /** Capabilities it is limited to; empty means all that its kind speaks. */
  readonly apis: readonly string[];
  /** Which of its credentials this is; null for its first. */
  readonly account: string | null;
  /** The same upstream under its other credentials. */
  readonly spares: readonly Upstream[];
}

/** The columns of a provider's row that routing needs, with its credential already opened. */
export type ProviderRow = Pick<typeof tables.providers.$inferSelect, "name" | "kind" | "baseUrl" | "apis" | "credential" | "status"> & {
  /** Its other credentials, opened. */
  readonly spares?: readonly { readonly id: string; readonly credential: string }[];
};

const OPENAI_TEXT: Partial<Record<Capability, string>> = {
  "chat.completions": "/chat/completions",
  responses: "/responses",
  completions: "/completions",
  embeddings: "/embeddings",
};
const OPENAI_PATHS: Partial<Record<Capability, string>> = {
  ...OPENAI_TEXT,
  "images.generations": "/images/generations",
  "images.edits": "/images/edits",
  "images.variations": "/images/variations",
  "audio.speech": "/audio/speech",
  "audio.transcriptions": "/audio/transcriptions",
  "audio.translations": "/audio/translations",
  moderations: "/moderations",
};
const ANTHROPIC_PATHS: Partial<Record<Capability, string>> = { messages: "/v1/messages", count_tokens: "/v1/messages/count_tokens" };
const PATHS: Record<UpstreamKind, Partial<Record<Capability, string>>> = {
  openai: OPENAI_PATHS,
  "openai-compatible": { ...OPENAI_PATHS, rerank: "/rerank" },
  ollama: Object.fromEntries(Object.entries(OPENAI_TEXT).map(([capability, path]) => [capability, `/v1${path}`])),
  anthropic: ANTHROPIC_PATHS,
  tollgate: { ...OPENAI_TEXT, ...ANTHROPIC_PATHS },
};

const ALONE = { apis: [], account: null, spares: [] };

/** The upstreams that the deployment's variables name, and the built-in one. */
export function builtinUpstreams(config: Config): Upstream[] {
  const { OPENAI_BASE_URL, ANTHROPIC_BASE_URL, OLLAMA_BASE_URL } = config;
  const upstreams: Upstream[] = [
    { ...ALONE, name: "openai", kind: "openai", baseUrl: OPENAI_BASE_URL, credential: config.OPENAI_API_KEY ?? null },
    { ...ALONE, name: "anthropic", kind: "anthropic", baseUrl: ANTHROPIC_BASE_URL, credential: config.ANTHROPIC_API_KEY ?? null },
  ];
  if (OLLAMA_BASE_URL) upstreams.push({ ...ALONE, name: "ollama", kind: "ollama", baseUrl: OLLAMA_BASE_URL, credential: null });
  upstreams.push({ ...ALONE, name: "tollgate", kind: "tollgate", baseUrl: "https://tollgate.invalid", credential: null });
  return upstreams;
}

/** Every upstream by name: rows win over variables of the same name, a disabled row hides it, and `tollgate` cannot be replaced. */
export function registry(config: Config, rows: readonly ProviderRow[]): ReadonlyMap<string, Upstream> {
  const upstreams = new Map(builtinUpstreams(config).map((upstream) => [upstream.name, upstream]));
  for (const { name, kind, baseUrl, apis, credential, status, spares = [] } of rows) {
    if (name === "tollgate") continue;
    const own = { name, kind, baseUrl, apis, credential, account: null, spares: [] };
    if (status === "disabled") upstreams.delete(name);
    else upstreams.set(name, { ...own, spares: spares.map(({ id, credential }) => ({ ...own, account: id, credential })) });
  }
  return upstreams;
}

/** Whether the upstream takes this capability in its own dialect. */
export function speaks(upstream: Upstream, capability: Capability): boolean {
  return PATHS[upstream.kind][capability] !== undefined && (upstream.apis.length === 0 || upstream.apis.includes(capability));
}

/** Kinds that take calls without a credential. */
const OPEN: ReadonlySet<UpstreamKind> = new Set(["tollgate", "ollama", "openai-compatible"]);

/** Whether the upstream can be called at all: a vendor's own wants a credential. */
export function callable({ kind, credential, spares }: Upstream): boolean {
  return credential !== null || spares.length > 0 || OPEN.has(kind);
}

/** Whether the upstream keeps responses under their ids, for later turns to name. */
export function keepsResponses({ kind }: Upstream): boolean {
  return kind === "openai";
}

/** An upstream under one of its credentials alone: null names its first. Null where it has none of that name. */
export function accountOf(upstream: Upstream, account: string | null): Upstream | null {
  return account === null ? { ...upstream, spares: [] } : (upstream.spares.find((spare) => spare.account === account) ?? null);
}

/** Path of a capability below the upstream's base URL. @throws TollgateError `invalid_request` when it does not speak it. */
export function pathOf(upstream: Upstream, capability: Capability): string {
  const path = PATHS[upstream.kind][capability];
  if (path === undefined || !speaks(upstream, capability)) {
    throw new TollgateError("invalid_request", `The provider ${upstream.name} does not offer ${capability}`);
  }
  return path;
}
