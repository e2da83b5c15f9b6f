import * as z from "zod";
import { hostRuleOf } from "./host-rule.ts";

export { hostRuleOf, reaches } from "./host-rule.ts";

/**
 * The whole contract between the Worker and a runner, version 1: HTTP/1.1, JSON, and NDJSON for events. Both sides import this file.
 *
 * | Route | Claim | Answer |
 * |---|---|---|
 * | `GET /healthz` | none | `Health` |
 * | `PUT /v1/jobs/{id}` with a `JobSpec` | `create`, bound to the body's digest | 201 where it was made, 200 where the same job was there |
 * | `GET /v1/jobs/{id}/events?after=N` | `events` | `JobEvent`s after N as NDJSON, until `exit`; those up to N are dropped |
 * | `POST /v1/jobs/{id}/stdin` | `stdin` | 204; an empty body closes it |
 * | `DELETE /v1/jobs/{id}` | `cancel` | 202, however often |
 * | `GET /v1/jobs/{id}/artifacts.tar` | `artifacts` | what the job left in its workspace, packed inside a sandbox |
 * | `DELETE /v1/jobs/{id}/data` | `delete` | 204; nothing of the job is left |
 *
 * Errors are `{"error":{"code","message"}}`. Nothing here imports anything of the gateway's.
 */
export const PROTOCOL_VERSION = 1;

/** Where a job that has a gateway finds it, inside the sandbox. */
export const GATEWAY_INSIDE = "http://127.0.0.1:8787";

/** The home folder of a job's command, inside the sandbox. */
export const HOME_INSIDE = "/tmp";

/** Programs of ours that a job with a gateway finds inside the sandbox: Node, and for it what asks before a tool runs, and the native agent. */
export const NODE_INSIDE = "/opt/tollgate/node";
export const HOOK_INSIDE = "/opt/tollgate/hook.ts";
export const NATIVE_INSIDE = "/opt/tollgate/native";

/** Where the workspace is inside the sandbox. */
export const WORKSPACE_INSIDE = "/workspace";

/** A path in the workspace: relative, of plain segments. */
export const workspacePath = z
  .string()
  .min(1)
  .max(1024)
  .refine(
    (path) => !path.includes("\0") && path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.length <= 255),
    {
      message: "must be relative, without empty segments, . and ..",
    },
  );

/** What a job may use. Sizes in bytes, times in milliseconds. */
export const jobLimits = z.strictObject({
  wallMs: z.int().min(1).max(86_400_000),
  cpuCores: z.number().min(0.01).max(64),
  memoryBytes: z
    .int()
    .min(16 * 2 ** 20)
    .max(64 * 2 ** 30),
  processes: z.int().min(4).max(10_000),
  diskBytes: z
    .int()
    .min(2 ** 16)
    .max(16 * 2 ** 30),
  files: z.int().min(16).max(10_000_000),
  /** Of stdout and stderr together; what comes after is dropped, and the exit says so. */
  outputBytes: z
    .int()
    .min(0)
    .max(2 ** 26),
});

/** The agents that a runner may offer; its operator installs them (`RUNNER_AGENTS`). */
export const agentName = z.enum(["claude-code", "codex"]);

export type AgentName = z.infer<typeof agentName>;

/** Where a job that names an agent finds its program, whatever machine it runs on. */
export const AGENT_PROGRAMS = {
  "claude-code": "/opt/agents/claude-code/claude",
  codex: "/opt/agents/codex/bin/codex",
} as const satisfies Record<AgentName, string>;

const files = z.array(z.strictObject({ path: workspacePath, base64: z.base64(), executable: z.boolean().optional() })).max(10_000);

/** A host that a job may reach, as it is written. */
export const host = z
  .string()
  .max(270)
  .refine((text) => hostRuleOf(text) !== null, { message: "must be a host, as in example.com, *.example.com or example.com:8443" });

/** So many hosts are named at most. */
export const HOSTS_MAX = 100;

/** One command in one sandbox. */
export const jobSpec = z.strictObject({
  v: z.literal(PROTOCOL_VERSION),
  /** Never a string: nothing is read by a shell that the job did not start itself. */
  argv: z
    .array(
      z
        .string()
        .max(2 ** 17)
        .refine((each) => !each.includes("\0"), { message: "must hold no NUL" }),
    )
    .min(1)
    .max(1024),
  env: z.record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/),
    z
      .string()
      .max(2 ** 16)
      .refine((each) => !each.includes("\0"), { message: "must hold no NUL" }),
  ),
  /** Put into the workspace before the command begins. */
  files,
  /** Put into its home, `HOME_INSIDE`, which is no part of what it leaves. */
  home: files.default([]),
  /** Where the command begins, below the workspace; `.` is the workspace. */
  workingDirectory: z.union([z.literal("."), workspacePath]),
  /** What the command may do to the workspace; `none` leaves it an empty one that is thrown away. */
  filesystem: z.enum(["none", "readonly", "readwrite"]),
  limits: jobLimits,
  /**
   * The one thing beyond the sandbox: calls to `GATEWAY_INSIDE` become calls to `url` with the credential, which is never
   * inside. Null for a job that reaches nothing.
   */
  gateway: z.strictObject({ url: z.url({ protocol: /^https?$/ }), authorization: z.string().min(1).max(4096) }).nullable(),
  /**
   * The hosts that it may reach over the gateway's socket, by CONNECT and plain HTTP; a runner whose operator allows none refuses a job
   * that names any.
   */
  hosts: z.array(host).max(HOSTS_MAX).default([]),
  /** The agent whose program the sandbox is given, to be read; a runner that does not have it refuses the job. */
  agent: agentName.nullable().default(null),
  /** Refuses the job where this runner cannot enforce every limit. */
  strict: z.boolean(),
});

export type JobSpec = z.infer<typeof jobSpec>;
export type JobLimits = z.infer<typeof jobLimits>;

/** A file that the job changed; `sha256` and `bytes` are those after, null where it was deleted. */
export const fileChange = z.object({
  path: z.string(),
  change: z.enum(["added", "modified", "deleted"]),
  bytes: z.int().nullable(),
  sha256: z.string().nullable(),
});

export type FileChange = z.infer<typeof fileChange>;

/**
 * The exit code of a command that was killed by SIGSYS, as the filter of system calls does: by another machine's calls. It may also be one
 * that a command has chosen; a call that is merely refused leaves none.
 */
export const KILLED_FOR_CALL = 128 + 31;

/** Why a job ended. */
export const exitReason = z.enum(["ok", "error", "timeout", "cancelled", "oom", "lost"]);

export type ExitReason = z.infer<typeof exitReason>;

/** What a job's end says. */
export const jobExit = z.object({
  reason: exitReason,
  code: z.int().nullable(),
  signal: z.string().nullable(),
  cpuMs: z.number().nullable(),
  memoryPeakBytes: z.number().nullable(),
  droppedBytes: z.int(),
  files: z.array(fileChange),
  /** Whether its processes, mounts and cgroups are gone. The workspace stays until its data is deleted. */
  cleaned: z.boolean(),
  message: z.string().nullable(),
});

export type JobExit = z.infer<typeof jobExit>;

/** What a claim lets its bearer do, to one job. */
export const operation = z.enum(["create", "events", "stdin", "cancel", "artifacts", "delete"]);

export type Operation = z.infer<typeof operation>;

/** Something in a job that is a matter of security: the same is told once, and of each job no more than so many. */
export const incident = z.discriminatedUnion("event", [
  /** It asked for a host that it may not reach, for one that leads into a private network, or for more than it may move. */
  z.object({
    event: z.literal("egress_denied"),
    host: z.string().max(253),
    port: z.int(),
    reason: z.enum(["not_allowed", "not_public", "bytes"]),
  }),
  /** Somebody asked something of it with no claim, or with one that is not signed by us, is over, or is of something else. */
  z.object({ event: z.literal("claim_refused"), op: operation, reason: z.enum(["missing", "forged", "expired", "rebound"]) }),
  /** There were more than these. */
  z.object({ event: z.literal("incidents_untold"), told: z.int() }),
]);

export type Incident = z.infer<typeof incident>;

const eventHead = { v: z.literal(PROTOCOL_VERSION), seq: z.int().positive(), at: z.int() };

/** What happened in a job. `seq` begins at 1 and has no gaps. */
export const jobEvent = z.discriminatedUnion("type", [
  z.object({ ...eventHead, type: z.literal("status"), data: z.object({ status: z.enum(["starting", "running"]) }) }),
  z.object({ ...eventHead, type: z.literal("stdout"), data: z.object({ text: z.string() }) }),
  z.object({ ...eventHead, type: z.literal("stderr"), data: z.object({ text: z.string() }) }),
  z.object({ ...eventHead, type: z.literal("security"), data: incident }),
  z.object({ ...eventHead, type: z.literal("exit"), data: jobExit }),
]);

export type JobEvent = z.infer<typeof jobEvent>;

/** What this runner can enforce, found by trying. */
export const capabilities = z.object({
  sandbox: z.boolean(),
  /** A host uid for each job, dropped before the sandbox is made. */
  uidPerJob: z.boolean(),
  seccomp: z.boolean(),
  cgroup: z.enum(["v2", "v1", "none"]),
  memory: z.boolean(),
  processes: z.boolean(),
  cpu: z.boolean(),
  disk: z.boolean(),
  /** Why not, for each thing that is missing. */
  missing: z.array(z.string()),
});

export type Capabilities = z.infer<typeof capabilities>;

export const health = z.object({
  v: z.literal(PROTOCOL_VERSION),
  ok: z.boolean(),
  jobs: z.int(),
  capabilities,
  /** The agents that jobs may name, each of which has said its version in a sandbox here. */
  agents: z.array(z.object({ name: agentName, version: z.string() })).default([]),
  /** Whether its operator lets jobs reach hosts at all. */
  egress: z.boolean().default(false),
});

export type Health = z.infer<typeof health>;

/**
 * A claim: a JWT by HS256 with the shared secret, `aud` the runner, `sub` the job's id. `spec` is the base64url SHA-256 of the body
 * that it makes a job of.
 */
export const claims = z.object({ sub: z.string(), op: operation, spec: z.string().optional(), iat: z.int(), exp: z.int() });

export type Claims = z.infer<typeof claims>;

export const CLAIM_AUDIENCE = "tollgate-runner";
/** A claim lives this long at most. */
export const CLAIM_SECONDS_MAX = 120;

/** An id that may be a folder's name. */
export const JOB_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
