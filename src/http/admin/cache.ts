import { z } from "@hono/zod-openapi";
import type { CacheScope } from "#cache";
import { found, TollgateError } from "#core";
import { KeyStore, TenantStore } from "#keys";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { id } from "./shapes.ts";

const resource = "cache";
const query = z.strictObject({ key: id.optional(), team: id.optional() });
const stock = z
  .object({
    object: z.literal("cache"),
    scope: z.object({ kind: z.enum(["key", "team"]), id }),
    answers: z.number().int(),
    bytes: z.number().int(),
  })
  .openapi("Cache");

/** `/cache`: what is kept of a key's or a team's answers, and how it is dropped. No answer can be read here. */
export function cache(app: AdminApp): void {
  read(
    app,
    { method: "get", path: "/cache", resource, summary: "What is kept of a key's or a team's answers", query, answer: stock },
    async ({ query: asked }, context) => {
      const scope = await scopeOf(asked, context);
      return { object: "cache", scope, ...(await context.env.cache.stock(scope)) };
    },
  );
  write(
    app,
    { method: "delete", path: "/cache", resource, summary: "Drop a key's or a team's answers", query, answer: stock },
    async ({ query: asked }, context) => {
      const scope = await scopeOf(asked, context);
      const dropped = await context.env.cache.purge(scope);
      return { answer: { object: "cache", scope, ...dropped }, audit: { type: "cache.delete", subject: scope, before: dropped } };
    },
  );
}

/** @throws TollgateError `invalid_request` unless one scope is named, `not_found` where it is not there. */
async function scopeOf({ key, team }: z.output<typeof query>, { env }: AdminContext): Promise<CacheScope> {
  const now = () => env.now();
  if (key !== undefined && team === undefined) {
    found(await new KeyStore(env.db, env.config.TOLLGATE_PEPPER, now).get(key), "key");
    return { kind: "key", id: key };
  }
  if (team !== undefined && key === undefined) {
    found(await new TenantStore(env.db, now).getTeam(team), "team");
    return { kind: "team", id: team };
  }
  throw new TollgateError("invalid_request", "Name either key or team", { param: key === undefined ? "key" : "team" });
}
