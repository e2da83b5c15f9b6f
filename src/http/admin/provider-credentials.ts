import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { CredentialStore, ProviderStore, type StoredCredential } from "#providers";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { apiKey } from "./providers.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, name, page, pagingOnly } from "./shapes.ts";

const credential = z
  .object({
    id,
    object: z.literal("provider_credential"),
    provider: id,
    label: name,
    api_key: z.object({ set: z.literal(true), last4: z.string().nullable() }),
    created_at: z.string(),
  })
  .openapi("ProviderCredential");

function shapeOf({ id, provider, label, credentialLast4, createdAt }: StoredCredential) {
  const api_key = { set: true, last4: credentialLast4 };
  return { id, object: "provider_credential", provider, label, api_key, created_at: iso(createdAt) };
}

/** The credentials of a provider that is there. @throws TollgateError `not_found`. */
async function storeOf({ env }: AdminContext, id: string): Promise<CredentialStore> {
  const clock = () => env.now();
  const provider = found(await new ProviderStore(env.db, env.config, clock).get(id), "provider");
  return new CredentialStore(env.db, env.config, { provider, clock });
}

/** `/providers/{id}/credentials`: further credentials of an upstream, used where another is refused or limited. They go in and are never answered. */
export function providerCredentials(app: AdminApp): void {
  const resource = "providers";
  const path = "/providers/{id}/credentials";
  const create = z.strictObject({ label: name, api_key: apiKey });
  write(
    app,
    { method: "post", path, resource, summary: "Add a credential", params: byId, body: create, answer: credential, status: 201 },
    async ({ params, body }, context) => {
      const row = await (await storeOf(context, params.id)).add(body.label, body.api_key);
      context.env.directory.invalidate();
      const audit = { type: "provider_credential.create", subject: { kind: "provider_credential", id: row.id }, after: shapeOf(row) };
      return { answer: shapeOf(row), audit };
    },
  );
  read(
    app,
    { method: "get", path, resource, summary: "List credentials", params: byId, query: pagingOnly, answer: listOf(credential) },
    async ({ params, query }, context) =>
      page(await (await storeOf(context, params.id)).list({ limit: query.limit, ...given({ cursor: query.cursor }) }), shapeOf),
  );
  write(
    app,
    {
      method: "delete",
      path: `${path}/{credential}`,
      resource,
      summary: "Remove a credential",
      params: z.object({ id, credential: id }),
      status: 204,
    },
    async ({ params }, context) => {
      const row = await (await storeOf(context, params.id)).delete(params.credential);
      context.env.directory.invalidate();
      const audit = { type: "provider_credential.delete", subject: { kind: "provider_credential", id: row.id }, before: shapeOf(row) };
      return { answer: null, audit };
    },
  );
}
