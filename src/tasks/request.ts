import * as z from "zod";
import { asTollgateError, checkBaseUrl, isObject, isShallow, nanoFromUsd, TollgateError } from "#core";
import { host, HOSTS_MAX, workspacePath } from "#runner-protocol";
import type { Violation } from "./contract.ts";
import { ENGINES } from "./engines/contract.ts";
import { rulesIn } from "./engines/rules.ts";
import { isRule } from "./permissions/rules.ts";
import { inWords } from "./words.ts";

/** The longest spec of a task, files included. */
export const TASK_BYTES_MAX = 8 * 2 ** 20;

/** However long a task may take, nothing that asks so often gets anywhere. */
const MAX_TURNS = 1_000;

/** An agent takes it as one argument. */
const SCHEMA_CHARS_MAX = 65_536;

/** More than that Linux hands to no program; with what we add it takes twice as much in all. */
const ARGUMENT_BYTES_MAX = 131_071;
const ARGV_BYTES_MAX = 1_000_000;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;
const noNul = (text: string) => !text.includes("\0");
const argument = z
  .string()
  .max(ARGUMENT_BYTES_MAX)
  .refine((text) => bytesOf(text) <= ARGUMENT_BYTES_MAX, { message: `must be at most ${ARGUMENT_BYTES_MAX} bytes` })
  .refine(noNul, { message: "must hold no NUL" });
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
const file = z
  .strictObject({ path: workspacePath, text: z.string().optional(), base64: z.base64().optional() })
  .refine(({ text, base64 }) => (text === undefined) !== (base64 === undefined), { message: "must have either text or base64" });

/** What a task may be asked to do: `POST /v1/task`. Limits that are not named are those of the key's profile. */
const taskRequest = z.strictObject({
  engine: z.enum(ENGINES, {
    error: ({ input }) => `${input === "workflow" ? "workflow is not offered yet; " : ""}must be one of ${ENGINES.join(", ")}`,
  }),
  /** For `command`. Never a string: no shell reads it but one that it names. */
  argv: z
    .array(argument)
    .min(1)
    .max(1_024)
    .refine((argv) => bytesOf(argv.join("")) <= ARGV_BYTES_MAX, { message: `must be at most ${ARGV_BYTES_MAX} bytes in all` })
    .nullish(),
  /** For an agent: what it is to do. */
  prompt: z.string().min(1).max(1_000_000).refine(noNul, { message: "must hold no NUL" }).nullish(),
  /** For an agent: the model that it calls; a route's name or `auto` will do. */
  model: z.string().min(1).max(256).nullish(),
  /** For the native agent: how often it may ask its model. What bounds it in earnest is its money and its time. */
  max_turns: z.int().min(1).max(MAX_TURNS).nullish(),
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
  /** What it is to reach beyond the gateway, of what the profile allows; nothing where nothing is named. */
  network: z.strictObject({ hosts: z.array(host).max(HOSTS_MAX).default([]) }).optional(),
  /** For an agent: a JSON schema of what it is to come to. */
  output_schema: z
    .record(z.string(), z.unknown())
    .refine((schema) => isShallow(schema), { message: "must be nested no deeper than 64 levels", abort: true })
    .refine((schema) => JSON.stringify(schema).length <= SCHEMA_CHARS_MAX, {
      message: `must be at most ${SCHEMA_CHARS_MAX} characters of JSON`,
    })
    .refine(isSchema, { message: "must be a JSON schema of plain keywords, by which an answer can be checked" })
    .nullish(),
  /** Who is told of its end, and of what waits for a word, by a signed POST. */
  callback_url: z.string().max(2_048).nullish(),
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

/** Where a callback may lead. */
export interface CallbackReach {
  readonly allowPrivate: boolean;
}

const PUBLIC_ONLY: CallbackReach = { allowPrivate: false };

/** A task's request with everything that is wrong with it; `request` is what can be read of it, without the fields that are wrong. */
export function parseTask(
  value: unknown,
  reach: CallbackReach = PUBLIC_ONLY,
): { readonly request: TaskRequest | null; readonly problems: readonly Violation[] } {
  const read = taskRequest.safeParse(value, { error: inWords });
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const found = [
    ...(read.error?.issues ?? []).flatMap(problemsOf),
    ...misplaced(given),
    ...uncheckable(given),
    ...colliding(given),
    ...astray(given, reach),
  ];
  const problems = found.filter(({ name }, at) => found.findIndex((each) => each.name === name) === at);
  return { request: read.data ?? remains(given, problems), problems };
}

/** Reads a task's request. @throws TollgateError `invalid_request` telling every problem, the first one's field as `param`. */
export function readTask(value: unknown, reach?: CallbackReach): TaskRequest {
  const { request, problems } = parseTask(value, reach);
  if (request && problems.length === 0) return request;
  const message = problems.map(({ field, reason }) => `${field ?? "The body"}: ${reason}`).join("; ");
  const field = problems[0]?.field ?? null;
  throw new TollgateError("invalid_request", message, { ...(field === null ? {} : { param: field }), details: { problems } });
}

/** The field of a request that a path lies in. */
export function rootOf(path: string): string {
  return path.split(".")[0] ?? path;
}

function problem(path: string, reason: string): Violation {
  return { kind: "field", name: path, field: path || null, reason };
}

function problemsOf(issue: z.core.$ZodIssue): Violation[] {
  const paths = issue.code === "unrecognized_keys" ? issue.keys.map((each) => [...issue.path, each]) : [issue.path];
  return paths.map((path) => problem(path.join("."), issue.message));
}

/** What can still be read, so that what a profile has against it is told at once. */
function remains(given: Record<string, unknown>, problems: readonly Violation[]): TaskRequest | null {
  const wrong = new Set(problems.map(({ name }) => rootOf(name)));
  const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !wrong.has(name)));
  return taskRequest.safeParse({ engine: "command", ...rest }).data ?? null;
}

/** What a command has and an agent has not, and the other way about. */
function misplaced(given: Record<string, unknown>): Violation[] {
  const engine = ENGINES.find((each) => each === given["engine"]);
  if (!engine) return [];
  const wanted = engine === "command" ? "argv" : "prompt";
  const foreign = [
    ...(engine === "command" ? ["prompt", "model", "output_schema"] : ["argv"]),
    ...(engine === "native" ? [] : ["max_turns"]),
  ];
  const modelless = engine === "native" && (given["model"] ?? null) === null;
  return [
    ...(modelless ? [problem("model", "is needed where the engine is native; a route's name or auto will do")] : []),
    ...((given[wanted] ?? null) === null ? [problem(wanted, `is needed where the engine is ${engine}`)] : []),
    ...foreign.filter((name) => (given[name] ?? null) !== null).map((name) => problem(name, `is not for the engine ${engine}`)),
  ];
}

/** What Codex comes to is held against its schema here, beside what others ask: others check in their sandbox. */
function uncheckable({ engine, output_schema: schema }: Record<string, unknown>): Violation[] {
  if (engine !== "codex" || !isObject(schema) || Number.isFinite(rulesIn(schema))) return [];
  const reason =
    "must have no pattern and no reference that leads back to itself where the engine is codex, and be no larger than 10,000 values with all references written out";
  return [problem("output_schema", reason)];
}

/** Files of which one would stand in the other's place. */
function colliding({ files }: Record<string, unknown>): Violation[] {
  if (!Array.isArray(files)) return [];
  const paths = files.map((file) => (file as { readonly path?: unknown } | null)?.path);
  const folders = new Set(paths.flatMap((path) => (typeof path === "string" ? foldersOf(path) : [])));
  const seen = new Set<unknown>();
  return paths.flatMap((path, at) => {
    if (typeof path !== "string") return [];
    const twice = seen.has(path);
    seen.add(path);
    if (twice) return [problem(`files.${at}.path`, "stands twice")];
    return folders.has(path) ? [problem(`files.${at}.path`, "is a folder of another file")] : [];
  });
}

function foldersOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join("/"));
}

/** A callback that would lead where none may. */
function astray({ callback_url: url }: Record<string, unknown>, { allowPrivate }: CallbackReach): Violation[] {
  if (typeof url !== "string") return [];
  try {
    checkBaseUrl(url, allowPrivate, "callback_url");
    return [];
  } catch (error) {
    return [problem("callback_url", asTollgateError(error).message.replace(/^callback_url /, ""))];
  }
}
