import { z } from "@hono/zod-openapi";
import { found, nanoFromUsd, usdFromNano } from "#core";
import { checkHosts, ENGINES, isHost, isRule, type Profile, type ProfileRow, ProfileStore } from "#tasks";
import { iso } from "../time.ts";
import { type AdminApp, type AdminContext, read, write } from "./operation.ts";
import { byId, given, id, listOf, name, page, pagingOnly, usd } from "./shapes.ts";

const resource = "profiles";
const globs = z.array(z.string().min(1).max(256)).max(200);
const rules = z.array(z.string().max(256).refine(isRule, "must be a tool, as in Read, Bash(git *) or mcp:weather:*")).max(200);
const hosts = z.array(z.string().max(270).refine(isHost, "must be a host, as in example.com, *.example.com or example.com:8443")).max(100);
/** Every field but the name. */
const fields = {
  engines: z.array(z.enum(ENGINES)).max(ENGINES.length),
  tools: rules,
  agents: globs,
  skills: globs,
  denied_commands: globs,
  approve_tools: rules,
  network: z.strictObject({ hosts: hosts.default([]) }),
  filesystem: z.enum(["none", "readonly", "readwrite"]),
  max_concurrent_tasks: z.number().int().min(1).max(1_000),
  cpu_cores: z.number().min(0.01).max(64),
  memory_mb: z.number().int().min(16).max(65_536),
  disk_mb: z.number().int().min(1).max(16_384),
  timeout_s: z.number().min(1).max(86_400),
  max_cost_usd: usd,
};
const create = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be of letters, digits and . _ -"),
  ...fields,
  engines: fields.engines.default(["command"]),
  tools: rules.default([]),
  agents: globs.default([]),
  skills: globs.default([]),
  denied_commands: globs.default([]),
  approve_tools: rules.default([]),
  network: fields.network.prefault({}),
  filesystem: fields.filesystem.default("readwrite"),
  max_concurrent_tasks: fields.max_concurrent_tasks.default(4),
  cpu_cores: fields.cpu_cores.default(1),
  memory_mb: fields.memory_mb.default(256),
  disk_mb: fields.disk_mb.default(64),
  timeout_s: fields.timeout_s.default(300),
  max_cost_usd: usd.default("0.5"),
});
const patch = z.strictObject(fields).partial();
const profile = z
  .object({ id, object: z.literal("profile"), name, ...fields, max_cost_usd: z.string(), created_at: z.string() })
  .openapi("Profile");

const store = ({ env }: AdminContext) => new ProfileStore(env.db, () => env.now());

function shapeOf({ id, name, permits, createdAt }: ProfileRow) {
  return {
    id,
    object: "profile",
    name,
    engines: permits.engines,
    tools: permits.tools,
    agents: permits.agents,
    skills: permits.skills,
    denied_commands: permits.deniedCommands,
    approve_tools: permits.approveTools ?? [],
    network: { hosts: permits.hosts },
    filesystem: permits.filesystem,
    max_concurrent_tasks: permits.maxConcurrentTasks,
    cpu_cores: permits.cpuCores,
    memory_mb: permits.memoryMb,
    disk_mb: permits.diskMb,
    timeout_s: permits.timeoutS,
    max_cost_usd: usdFromNano(permits.maxCostNano),
    created_at: iso(createdAt),
  };
}

/** What was named, as the store calls it. @throws TollgateError `invalid_request` for a host that no task may reach. */
function permitsOf(body: z.output<typeof patch>, { env }: AdminContext) {
  checkHosts(body.network?.hosts ?? [], env.config.allowPrivateUpstreams);
  return given({
    engines: body.engines,
    tools: body.tools,
    agents: body.agents,
    skills: body.skills,
    deniedCommands: body.denied_commands,
    approveTools: body.approve_tools,
    hosts: body.network?.hosts,
    filesystem: body.filesystem,
    maxConcurrentTasks: body.max_concurrent_tasks,
    cpuCores: body.cpu_cores,
    memoryMb: body.memory_mb,
    diskMb: body.disk_mb,
    timeoutS: body.timeout_s,
    maxCostNano: body.max_cost_usd === undefined ? undefined : nanoFromUsd(body.max_cost_usd, "max_cost_usd"),
  });
}

/** `/profiles`: what the tasks of the keys that name one may do. A key without one may run nothing. */
export function profiles(app: AdminApp): void {
  write(
    app,
    { method: "post", path: "/profiles", resource, summary: "Create a profile", body: create, answer: profile, status: 201 },
    async ({ body }, context) => {
      const row = await store(context).create({ name: body.name, ...permitsOf(body, context) } as Profile);
      return { answer: shapeOf(row), audit: { type: "profile.create", subject: { kind: "profile", id: row.id }, after: shapeOf(row) } };
    },
  );
  read(
    app,
    { method: "get", path: "/profiles", resource, summary: "List profiles", query: pagingOnly, answer: listOf(profile) },
    async ({ query }, context) => page(await store(context).list({ limit: query.limit, ...given({ cursor: query.cursor }) }), shapeOf),
  );
  read(
    app,
    { method: "get", path: "/profiles/{id}", resource, summary: "Read a profile", params: byId, answer: profile },
    async ({ params }, context) => shapeOf(found(await store(context).get(params.id), "profile")),
  );
  profileChanges(app);
}

function profileChanges(app: AdminApp): void {
  write(
    app,
    { method: "patch", path: "/profiles/{id}", resource, summary: "Change a profile", params: byId, body: patch, answer: profile },
    async ({ params, body }, context) => {
      const before = found(await store(context).get(params.id), "profile");
      const row = await store(context).patch(params.id, permitsOf(body, context));
      const audit = { type: "profile.update", subject: { kind: "profile", id: row.id }, before: shapeOf(before), after: shapeOf(row) };
      return { answer: shapeOf(row), audit };
    },
  );
  write(
    app,
    { method: "delete", path: "/profiles/{id}", resource, summary: "Remove a profile", params: byId, status: 204 },
    async ({ params }, context) => {
      const row = await store(context).delete(params.id);
      return { answer: null, audit: { type: "profile.delete", subject: { kind: "profile", id: row.id }, before: shapeOf(row) } };
    },
  );
}
