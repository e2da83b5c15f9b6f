import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { type ModelRow, ModelStore } from "#models";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, name, page, pagingOnly } from "./shapes.ts";

const upstreamModel = z.string().min(1).max(256);
const tokens = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).nullable();
const model = z
  .object({
    id,
    object: z.literal("model"),
    name,
    provider: name,
    model: upstreamModel,
    context_tokens: tokens,
    max_output_tokens: tokens,
    created_at: z.string(),
  })
  .openapi("Model");

function shapeOf(row: ModelRow) {
  return {
    id: row.id,
    object: "model",
    name: row.name,
    provider: row.provider,
    model: row.model,
    context_tokens: row.contextTokens,
    max_output_tokens: row.maxOutputTokens,
    created_at: iso(row.createdAt),
  };
}

const store = ({ env }: AdminContext) => new ModelStore(env.db, () => env.now());

/** `/models`: aliases, names of the operator's choice for models of a provider. */
export function models(app: AdminApp): void {
  const resource = "models";
  const create = z.strictObject({
    name,
    provider: name,
    model: upstreamModel,
    context_tokens: tokens.default(null),
    max_output_tokens: tokens.default(null),
  });
  write(
    app,
    { method: "post", path: "/models", resource, summary: "Create an alias", body: create, answer: model, status: 201 },
    async ({ body }, context) => {
      const { context_tokens, max_output_tokens, ...rest } = body;
      const row = await store(context).create({ ...rest, contextTokens: context_tokens, maxOutputTokens: max_output_tokens });
      context.env.directory.invalidate();
      return { answer: shapeOf(row), audit: { type: "model.create", subject: { kind: "model", id: row.id }, after: shapeOf(row) } };
    },
  );
  read(
    app,
    { method: "get", path: "/models", resource, summary: "List aliases", query: pagingOnly, answer: listOf(model) },
    async ({ query }, context) => page(await store(context).list({ limit: query.limit, ...given({ cursor: query.cursor }) }), shapeOf),
  );
  read(
    app,
    { method: "get", path: "/models/{id}", resource, summary: "Read an alias", params: byId, answer: model },
    async ({ params }, context) => shapeOf(found(await store(context).get(params.id), "model")),
  );
  modelChanges(app);
}

function modelChanges(app: AdminApp): void {
  const resource = "models";
  const patch = z.strictObject({
    provider: name.optional(),
    model: upstreamModel.optional(),
    context_tokens: tokens.optional(),
    max_output_tokens: tokens.optional(),
  });
  write(
    app,
    { method: "patch", path: "/models/{id}", resource, summary: "Change an alias", params: byId, body: patch, answer: model },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "model");
      const changes = given({
        provider: body.provider,
        model: body.model,
        contextTokens: body.context_tokens,
        maxOutputTokens: body.max_output_tokens,
      });
      const row = await store(context).patch(params.id, changes);
      context.env.directory.invalidate();
      const audit = { type: "model.update", subject: { kind: "model", id: row.id }, before: shapeOf(before), after: shapeOf(row) };
      return { answer: shapeOf(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/models/{id}", resource, summary: "Remove an alias", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      context.env.directory.invalidate();
      return { answer: null, audit: { type: "model.delete", subject: { kind: "model", id: row.id }, before: shapeOf(row) } };
    },
  );
}
