import { z } from "@hono/zod-openapi";
import type { Kept } from "#content";
import { found } from "#core";
import { type AdminApp, leaveEntry, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, id } from "./shapes.ts";

const side = z.object({
  texts: z.array(z.object({ role: z.string(), text: z.string() })),
  altered: z.boolean(),
});
const content = z
  .object({
    object: z.literal("request_content"),
    request: id,
    key: id,
    at: z.string(),
    logged: z.enum(["redacted", "full"]),
    asked: side.nullable(),
    answered: side.nullable(),
  })
  .openapi("RequestContent");

function sideShape(kept: Kept | undefined) {
  return kept ? { texts: kept.said, altered: kept.altered } : null;
}

const resource = "contents";

/** `/requests/{id}/content`: what a request said, where its key has that logged. Whoever reads it stands in the audit before it is shown. */
export function contents(app: AdminApp): void {
  forgetting(app);
  read(
    app,
    {
      method: "get",
      path: "/requests/{id}/content",
      resource,
      summary: "Read what a request said",
      params: byId,
      answer: content,
    },
    async ({ params }, context) => {
      const kept = await context.env.contents.of(params.id);
      const { request, key, team, at, mode } = found(kept[0], "content of a request");
      await leaveEntry(context, { type: "content.read", subject: { kind: "request", id: request }, key, team });
      const of = (name: Kept["side"]) => sideShape(kept.find(({ side: is }) => is === name));
      return { object: "request_content", request, key, at: iso(at), logged: mode, asked: of("asked"), answered: of("answered") };
    },
  );
}

/** What is kept may be forgotten before its days are over: of a request, or of all the requests of a key. */
function forgetting(app: AdminApp): void {
  for (const [kind, path] of [
    ["request", "/requests/{id}/content"],
    ["key", "/keys/{id}/content"],
  ] as const) {
    write(
      app,
      {
        method: "delete",
        path,
        resource,
        summary: `Forget what ${kind === "key" ? "a key's requests" : "a request"} said`,
        params: byId,
        status: 204,
      },
      async ({ params }, context) => {
        const sides = await context.env.contents.forget(kind === "key" ? { key: params.id } : { request: params.id });
        return { answer: null, audit: { type: "content.delete", subject: { kind, id: params.id }, details: { sides } } };
      },
    );
  }
}
