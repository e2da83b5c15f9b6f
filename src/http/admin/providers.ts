import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { ProviderStore, type StoredProvider } from "#providers";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, name, page, pagingOnly } from "./shapes.ts";

/** Short names of the surfaces, as the contract has them, and what they are called on records. */
const APIS = {
  chat: "chat.completions",
  responses: "responses",
  completions: "completions",
  embeddings: "embeddings",
  messages: "messages",
  count_tokens: "count_tokens",
  images: "images.generations",
  image_edits: "images.edits",
  image_variations: "images.variations",
  speech: "audio.speech",
  transcriptions: "audio.transcriptions",
  translations: "audio.translations",
  moderations: "moderations",
  rerank: "rerank",
} as const;
type Api = keyof typeof APIS;

const kind = z.enum(["openai", "anthropic", "openai-compatible", "ollama"]);
const apis = z.array(z.enum(Object.keys(APIS) as [Api, ...Api[]])).max(Object.keys(APIS).length);
/** What a header can carry, so that no line break of it could smuggle another one. */
export const apiKey = z
  .string()
  .regex(/^[\x21-\x7e]+$/, "must be visible ASCII without spaces")
  .max(4096);
const status = z.enum(["active", "disabled"]);
const provider = z
  .object({
    id,
    object: z.literal("provider"),
    name,
    kind,
    base_url: z.string(),
    api_key: z.object({ set: z.boolean(), last4: z.string().nullable() }),
    apis,
    status,
    created_at: z.string(),
  })
  .openapi("Provider");

const capabilities = (short: readonly Api[]) => short.map((each) => APIS[each]);

function shapeOf(row: StoredProvider) {
  const short = (Object.keys(APIS) as Api[]).filter((each) => row.apis.includes(APIS[each]));
  return {
    id: row.id,
    object: "provider",
    name: row.name,
    kind: row.kind,
    base_url: row.baseUrl,
    api_key: { set: row.credential !== null, last4: row.credentialLast4 },
    apis: short,
    status: row.status,
    created_at: iso(row.createdAt),
  };
}

const store = ({ env }: AdminContext) => new ProviderStore(env.db, env.config, () => env.now());

/** `/providers`: upstreams, callable at once as `name/<model>`. Credentials go in and are never answered. */
export function providers(app: AdminApp): void {
  const resource = "providers";
  const create = z.strictObject({
    name,
    kind,
    base_url: z.string().max(2048),
    api_key: apiKey.nullable().default(null),
    apis: apis.default([]),
  });
  write(
    app,
    { method: "post", path: "/providers", resource, summary: "Register an upstream", body: create, answer: provider, status: 201 },
    async ({ body }, context) => {
      const { api_key, base_url, ...rest } = body;
      const row = await store(context).create({ ...rest, baseUrl: base_url, apiKey: api_key, apis: capabilities(body.apis) });
      context.env.directory.invalidate();
      return { answer: shapeOf(row), audit: { type: "provider.create", subject: { kind: "provider", id: row.id }, after: shapeOf(row) } };
    },
  );
  read(
    app,
    { method: "get", path: "/providers", resource, summary: "List upstreams", query: pagingOnly, answer: listOf(provider) },
    async ({ query }, context) => page(await store(context).list({ limit: query.limit, ...given({ cursor: query.cursor }) }), shapeOf),
  );
  read(
    app,
    { method: "get", path: "/providers/{id}", resource, summary: "Read an upstream", params: byId, answer: provider },
    async ({ params }, context) => shapeOf(found(await store(context).get(params.id), "provider")),
  );
  providerChanges(app);
}

function providerChanges(app: AdminApp): void {
  const resource = "providers";
  const patch = z.strictObject({
    base_url: z.string().max(2048).optional(),
    api_key: apiKey.nullable().optional(),
    apis: apis.optional(),
    status: status.optional(),
  });
  write(
    app,
    { method: "patch", path: "/providers/{id}", resource, summary: "Change an upstream", params: byId, body: patch, answer: provider },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "provider");
      const changes = given({
        baseUrl: body.base_url,
        apiKey: body.api_key,
        apis: body.apis && capabilities(body.apis),
        status: body.status,
      });
      const row = await store(context).patch(params.id, changes);
      context.env.directory.invalidate();
      const audit = { type: "provider.update", subject: { kind: "provider", id: row.id }, before: shapeOf(before), after: shapeOf(row) };
      return { answer: shapeOf(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/providers/{id}", resource, summary: "Remove an upstream", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      context.env.directory.invalidate();
      return { answer: null, audit: { type: "provider.delete", subject: { kind: "provider", id: row.id }, before: shapeOf(row) } };
    },
  );
}
