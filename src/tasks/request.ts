import * as z from "zod";
import { nanoFromUsd, TollgateError } from "#core";
import { workspacePath } from "#runner-protocol";
import type { Violation } from "./contract.ts";
import { ENGINES } from "./engines/contract.ts";
import { OFFERED } from "./engines/engines.ts";
import { isRule } from "./permissions/rules.ts";

/** The longest spec of a task, files included. */
export const TASK_BYTES_MAX = 8 * 2 ** 20;

/** An agent takes it as one argument. */
const SCHEMA_CHARS_MAX = 65_536;

const NOT_YET = "is not offered yet";
const noNul = (text: string) => !text.includes("\0");
const none = z.null({ message: NOT_YET }).optional();
const pattern = z.string().min(1).max(256).refine(noNul, { message: "must hold no NUL" });
const patterns = z.array(pattern).max(200).default([]);
const rules = z
  .array(pattern.refine(isRule, { message: "must be a tool, as in Read, Bash(git *) or mcp:weather:*" }))
  .max(200)
  .default([]);
const usd = z.union([z.string(), z.number()]).transform((amount, context) => {
  try {
    return nanoFromUsd(amount, "max_cost_usd");
  } catch {
    context.addIssue({ code: "custom", message: "must be an amount in USD, such as 0.5" });
    return z.NEVER;
  }
});
const file = z.union(
  [z.strictObject({ path: workspacePath, text: z.string() }), z.strictObject({ path: workspacePath, base64: z.base64() })],
  { message: "must be a path of plain segments below the workspace, with text or base64" },
);

/** What a task may be asked to do: `POST /v1/task`. Limits that are not named are those of the key's profile. */
const taskRequest = z.strictObject({
  engine: z
    .enum(ENGINES, { message: `must be one of ${OFFERED.join(", ")}` })
    .refine((engine) => OFFERED.includes(engine), { message: `${NOT_YET}; those that are: ${OFFERED.join(", ")}` }),
  /** For `command`. Never a string: no shell reads it but one that it names. */
  argv: z
    .array(z.string().max(131_072).refine(noNul, { message: "must hold no NUL" }))
    .min(1)
    .max(1_024)
    .nullish(),
  /** For an agent: what it is to do. */
  prompt: z.string().min(1).max(1_000_000).refine(noNul, { message: "must hold no NUL" }).nullish(),
  /** For an agent: the model that it calls; a route's name or `auto` will do. */
  model: z.string().min(1).max(256).nullish(),
  files: z.array(file).max(10_000).default([]),
  working_directory: z.union([z.literal("."), workspacePath]).default("."),
  timeout_s: z.number().positive().optional(),
  cpu_cores: z.number().min(0.01).optional(),
  memory_mb: z.int().min(16).optional(),
  disk_mb: z.int().min(1).optional(),
  max_cost_usd: usd.optional(),
  /** `analysis_only` may read its workspace and change nothing; `dry_run` says what it would change. */
  mode: z.enum(["normal", "analysis_only", "dry_run"], { message: "must be normal, analysis_only or dry_run" }).default("normal"),
  metadata: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((given) => Object.keys(given).length <= 16, { message: "must hold at most 16 keys" })
    .default({}),
  /** Each a part of what the profile allows; all of that where none is named. */
  allow_tools: rules,
  allow_agents: patterns,
  allow_skills: patterns,
  /** What waits for a person's word, of what is allowed. */
  approve_tools: rules,
  /** For an agent: a JSON schema of what it is to come to. */
  output_schema: z
    .record(z.string(), z.json())
    .refine((schema) => JSON.stringify(schema).length <= SCHEMA_CHARS_MAX, {
      message: `must be at most ${SCHEMA_CHARS_MAX} characters of JSON`,
    })
    .refine(isSchema, { message: "must be a JSON schema of plain keywords, by which an answer can be checked" })
    .nullish(),
  callback_url: none,
});

function isSchema(value: Record<string, unknown>): boolean {
  try {
    z.fromJSONSchema(value);
    return true;
  } catch {
    return false;
  }
}

export type TaskRequest = z.output<typeof taskRequest>;

/** A task's request, or everything that is wrong with it. */
export function parseTask(value: unknown): { readonly request: TaskRequest } | { readonly problems: readonly Violation[] } {
  const read = taskRequest.safeParse(value);
  if (read.success) {
    const problems = misplaced(read.data);
    return problems.length === 0 ? { request: read.data } : { problems };
  }
  const problems = read.error.issues.flatMap((issue): Violation[] => {
    const fields = issue.code === "unrecognized_keys" ? issue.keys.map((each) => [...issue.path, each]) : [issue.path];
    const reason = issue.code === "unrecognized_keys" ? "is not a known field" : issue.message;
    return fields.map((path) => ({ kind: "field", name: path.join("."), field: path.join(".") || null, reason }));
  });
  return { problems };
}

/** What a command has and an agent has not, and the other way about. */
function misplaced(request: TaskRequest): Violation[] {
  const isCommand = request.engine === "command";
  const wanted = isCommand ? "argv" : "prompt";
  const foreign = isCommand ? (["prompt", "model", "output_schema"] as const) : (["argv"] as const);
  const problem = (field: string, reason: string): Violation => ({ kind: "field", name: field, field, reason });
  const modelless = request.engine === "native" && (request.model ?? null) === null;
  return [
    ...(modelless ? [problem("model", "is needed where the engine is native; a route's name or auto will do")] : []),
    ...((request[wanted] ?? null) === null ? [problem(wanted, `is needed where the engine is ${request.engine}`)] : []),
    ...foreign
      .filter((field) => (request[field] ?? null) !== null)
      .map((field) => problem(field, `is not for the engine ${request.engine}`)),
  ];
}

/** Reads a task's request. @throws TollgateError `invalid_request` telling every problem, the first one's field as `param`. */
export function readTask(value: unknown): TaskRequest {
  const read = parseTask(value);
  if ("request" in read) return read.request;
  const { problems } = read;
  const message = problems.map(({ field, reason }) => `${field ?? "The body"}: ${reason}`).join("; ");
  const field = problems[0]?.field ?? null;
  throw new TollgateError("invalid_request", message, { ...(field === null ? {} : { param: field }), details: { problems } });
}
