import { Failure } from "../failure.ts";
import type { Gateway, Row } from "../gateway.ts";
import type { Secret, Step } from "./blueprint.ts";
import type { Imported } from "./litellm.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What an import would write, what became of each value of the file, and which variables it lacks. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly lines: readonly { readonly path: string; readonly to: string | null; readonly reason: string | null }[];
  /** Variables of the environment that secrets are to be read from and that are not set. */
  readonly missing: readonly string[];
  readonly env: Environment;
}

/** The plan of what was read. Variables that the file itself sets stand in for those of the environment. */
export function planOf({ blueprint, account }: Imported, env: Environment): Plan {
  const own = account.root
    .at("environment_variables")
    .entries.flatMap(([name, { text }]) => (text === null ? [] : [[name, text] as const]));
  const all = { ...Object.fromEntries(own), ...env };
  const missing = [...blueprint.variables].filter((name) => !all[name]);
  return { steps: blueprint.steps(), lines: account.lines(), missing, env: all };
}

/** A plan for programs: no secret is in it, only where each comes from. */
export function planShape({ steps, lines, missing }: Plan): Row {
  return {
    object: "import_plan",
    steps: steps.map(({ kind, name, path, body, secrets }) => ({
      kind,
      name,
      path: `/admin/v1${path}`,
      body: { ...body, ...Object.fromEntries(Object.entries(secrets).map(([field, secret]) => [field, whence(secret)])) },
    })),
    lines: lines.map((line) => ({ ...line })),
    missing,
  };
}

/** A plan for a person. */
export function planLines({ steps, lines, missing }: Plan): string[] {
  const left = lines.filter(({ to }) => to === null);
  return [
    ...steps.map((step) => `${step.kind.padEnd(8)}  ${step.name}${detail(step)}`),
    "",
    `${lines.length - left.length} of ${lines.length} values are carried over.${left.length > 0 ? " Not these:" : ""}`,
    ...left.map(({ path, reason }) => `  ${path}: ${reason}`),
    ...(missing.length > 0 ? ["", `Not set in the environment: ${missing.join(", ")}`] : []),
  ];
}

function detail({ kind, body, secrets }: Step): string {
  const credentials = Object.entries(secrets).map(([field, secret]) => `${field} ${whence(secret)}`);
  const targets = body["targets"] as readonly Row[] | undefined;
  const told = {
    provider: [body["kind"], body["base_url"], ...credentials],
    price: [ratesOf((body["rates"] ?? {}) as Row)],
    alias: [`${String(body["provider"])}/${String(body["model"])}`],
    route: [
      body["strategy"],
      ...(targets ?? []).map((target) => target["route"] ?? `${String(target["provider"])}/${String(target["model"])}`),
    ],
    budget: ["of the deployment"],
    key: [],
  }[kind];
  const shown = told.filter((each) => each !== undefined).map(String);
  return shown.length === 0 ? "" : `  ${shown.join(", ")}`;
}

function ratesOf(rates: Row): string {
  const shown = Object.entries(rates).map(([name, rate]) => `${name} ${String(rate)}`);
  return `${shown.join(", ")} USD per million tokens`;
}

function whence(secret: Secret): string {
  return "variable" in secret ? `from ${secret.variable}` : "from the file";
}

/** What was made of a step: it was written, or a row was there already. */
export interface Applied {
  readonly kind: string;
  readonly name: string;
  readonly outcome: "created" | "exists";
  /** A new key's, shown this once. */
  readonly secret?: string;
}

/**
 * Writes a plan, in order. What is there already under the same name stays as it is, so that a plan that was cut off can be applied
 * again.
 * @throws Failure before anything is written where a variable is missing; the gateway's own refusal of a step.
 */
export async function* apply({ steps, missing, env }: Plan, gateway: Gateway): AsyncGenerator<Applied> {
  if (missing.length > 0)
    throw new Failure("failed", `Nothing was written: not set in the environment: ${missing.join(", ")}`, {
      code: "missing_secrets",
      details: { missing },
    });
  const there = new Map<string, readonly Row[]>();
  for (const { kind, name, path, body, secrets, known } of steps) {
    const rows = there.get(path) ?? (await all(gateway, `/admin/v1${path}`));
    there.set(path, rows);
    const same = (row: Row) => known.every((field) => JSON.stringify(row[field]) === JSON.stringify(body[field]));
    if (rows.some(same)) {
      yield { kind, name, outcome: "exists" };
      continue;
    }
    const filled = Object.fromEntries(Object.entries(secrets).map(([field, secret]) => [field, opened(secret, env)]));
    const made = await gateway.write("POST", `/admin/v1${path}`, { body: { ...body, ...filled } });
    const secret = made?.["secret"];
    yield { kind, name, outcome: "created", ...(typeof secret === "string" && { secret }) };
  }
}

function opened(secret: Secret, env: Environment): string {
  return "variable" in secret ? env[secret.variable]! : secret.literal;
}

async function all(gateway: Gateway, path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of gateway.pages(path, {})) rows.push(...page.rows);
  return rows;
}
