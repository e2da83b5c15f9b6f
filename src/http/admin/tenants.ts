import { z } from "@hono/zod-openapi";
import { found } from "#core";
import { type TeamRow, TenantStore, type UserRow } from "#keys";
import { removeBudgetsOf } from "./budgets.ts";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { iso } from "../time.ts";
import { byId, given, id, listOf, metadata, name, page, paging, pagingOnly } from "./shapes.ts";

const team = z.object({ id, object: z.literal("team"), name, metadata, created_at: z.string() }).openapi("Team");
const user = z
  .object({ id, object: z.literal("user"), team: id, name, email: z.string().nullable(), metadata, created_at: z.string() })
  .openapi("User");
const email = z.email().max(254).nullable();

function teamShape(row: TeamRow) {
  return { id: row.id, object: "team", name: row.name, metadata: row.metadata, created_at: iso(row.createdAt) };
}

function userShape(row: UserRow) {
  return {
    id: row.id,
    object: "user",
    team: row.team,
    name: row.name,
    email: row.email,
    metadata: row.metadata,
    created_at: iso(row.createdAt),
  };
}

const stores = ({ env }: AdminContext) => new TenantStore(env.db, () => env.now());

/** `/teams`: tenants, each with a ledger of its own. */
export function teams(app: AdminApp): void {
  const resource = "teams";
  const create = z.strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9_-]{1,64}$/)
      .optional(),
    name,
    metadata: metadata.default({}),
  });
  write(
    app,
    { method: "post", path: "/teams", resource, summary: "Create a team", body: create, answer: team, status: 201 },
    async ({ body }, context) => {
      const made = await stores(context).createTeam({ ...given({ id: body.id }), name: body.name, metadata: body.metadata });
      return {
        answer: teamShape(made),
        audit: { type: "team.create", subject: { kind: "team", id: made.id }, team: made.id, after: teamShape(made) },
      };
    },
  );
  read(
    app,
    { method: "get", path: "/teams", resource, summary: "List teams", query: pagingOnly, answer: listOf(team) },
    async ({ query }, context) =>
      page(await stores(context).listTeams({ limit: query.limit, ...given({ cursor: query.cursor }) }), teamShape),
  );
  read(
    app,
    { method: "get", path: "/teams/{id}", resource, summary: "Read a team", params: byId, answer: team },
    async ({ params }, context) => teamShape(found(await stores(context).getTeam(params.id), "team")),
  );
  teamChanges(app);
}

function teamChanges(app: AdminApp): void {
  const resource = "teams";
  const patch = z.strictObject({ name: name.optional(), metadata: metadata.optional() });
  write(
    app,
    { method: "patch", path: "/teams/{id}", resource, summary: "Change a team", params: byId, body: patch, answer: team },
    async ({ params, body }, context) => {
      const store = stores(context);
      const before = found(await store.getTeam(params.id), "team");
      const row = await store.patchTeam(params.id, given(body));
      const audit = {
        type: "team.update",
        subject: { kind: "team", id: row.id },
        team: row.id,
        before: teamShape(before),
        after: teamShape(row),
      };
      return { answer: teamShape(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/teams/{id}", resource, summary: "Delete an empty team", params: byId, status: 204 },
    async ({ params }, context) => {
      const store = stores(context);
      const before = found(await store.getTeam(params.id), "team");
      await store.deleteTeam(params.id);
      const details = { budgets: await removeBudgetsOf(context, before.id) };
      return {
        answer: null,
        audit: { type: "team.delete", subject: { kind: "team", id: before.id }, team: before.id, before: teamShape(before), details },
      };
    },
  );
}

/** `/users`: people and services inside a team. */
export function users(app: AdminApp): void {
  const resource = "users";
  const create = z.strictObject({ team: id.default("team_default"), name, email: email.default(null), metadata: metadata.default({}) });
  write(
    app,
    { method: "post", path: "/users", resource, summary: "Create a user", body: create, answer: user, status: 201 },
    async ({ body }, context) => {
      const row = await stores(context).createUser(body);
      return {
        answer: userShape(row),
        audit: { type: "user.create", subject: { kind: "user", id: row.id }, team: row.team, after: userShape(row) },
      };
    },
  );
  const query = z.strictObject({ ...paging, team: id.optional() });
  read(
    app,
    { method: "get", path: "/users", resource, summary: "List users", query, answer: listOf(user) },
    async ({ query: asked }, context) =>
      page(await stores(context).listUsers({ limit: asked.limit, ...given({ cursor: asked.cursor, team: asked.team }) }), userShape),
  );
  read(
    app,
    { method: "get", path: "/users/{id}", resource, summary: "Read a user", params: byId, answer: user },
    async ({ params }, context) => userShape(found(await stores(context).getUser(params.id), "user")),
  );
  userChanges(app);
}

function userChanges(app: AdminApp): void {
  const resource = "users";
  const patch = z.strictObject({ name: name.optional(), email: email.optional(), metadata: metadata.optional() });
  write(
    app,
    { method: "patch", path: "/users/{id}", resource, summary: "Change a user", params: byId, body: patch, answer: user },
    async ({ params, body }, context) => {
      const store = stores(context);
      const before = found(await store.getUser(params.id), "user");
      const row = await store.patchUser(params.id, given(body));
      const audit = {
        type: "user.update",
        subject: { kind: "user", id: row.id },
        team: row.team,
        before: userShape(before),
        after: userShape(row),
      };
      return { answer: userShape(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/users/{id}", resource, summary: "Delete a user without keys", params: byId, status: 204 },
    async ({ params }, context) => {
      const store = stores(context);
      const before = found(await store.getUser(params.id), "user");
      await store.deleteUser(params.id);
      const details = { budgets: await removeBudgetsOf(context, before.team, before.id) };
      return {
        answer: null,
        audit: { type: "user.delete", subject: { kind: "user", id: before.id }, team: before.team, before: userShape(before), details },
      };
    },
  );
}
