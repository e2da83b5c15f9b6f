import { z } from "@hono/zod-openapi";
import { AutoStore, autoTable, BUILT_IN, type StoredTable } from "#auto";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";

const answer = z
  .looseObject({
    object: z.literal("auto_table"),
    source: z.enum(["built_in", "operator"]),
    tiers: z.array(z.object({ name: z.string(), models: z.array(z.string()) })),
    rules: z.array(z.looseObject({ name: z.string(), tier: z.string() })),
    otherwise: z.string(),
    updated_at: z.string().nullable(),
  })
  .openapi("AutoTable");

function shapeOf(stored: StoredTable | null) {
  const { tiers, rules, otherwise } = stored?.table ?? BUILT_IN;
  const source = stored ? "operator" : "built_in";
  return { object: "auto_table", source, tiers, rules, otherwise, updated_at: iso(stored?.updatedAt ?? null) };
}

const store = ({ env }: AdminContext) => new AutoStore(env.db, () => env.now());
const subject = { kind: "auto_table", id: "deployment" };

/** `/auto`: how a model is chosen for a request whose caller names `auto`. */
export function auto(app: AdminApp): void {
  const [resource, path] = ["auto", "/auto"] as const;
  read(app, { method: "get", path, resource, summary: "Read the table of the auto-router", answer }, async (_, context) =>
    shapeOf(await store(context).read()),
  );
  write(
    app,
    { method: "put", path, resource, summary: "Replace the table of the auto-router", body: autoTable, answer },
    async ({ body }, context) => {
      const before = await store(context).read();
      const after = await store(context).write(body);
      context.env.directory.invalidate();
      return { answer: shapeOf(after), audit: { type: "auto_table.update", subject, before: shapeOf(before), after: shapeOf(after) } };
    },
  );
  write(
    app,
    { method: "delete", path, resource, summary: "Go back to the built-in table of the auto-router", status: 204 },
    async (_, context) => {
      const before = await store(context).read();
      await store(context).clear();
      context.env.directory.invalidate();
      return { answer: null, audit: { type: "auto_table.delete", subject, before: shapeOf(before) } };
    },
  );
}
