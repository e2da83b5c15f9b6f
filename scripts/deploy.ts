import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline/promises";
import { unstable_readConfig } from "wrangler";
import { wishOf } from "./deploy-wish.ts";

/** `npm run deploy`: the whole gateway into a Cloudflare account. `--dry-run` says what it would make and checks that it builds. */

const WRANGLER = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");
const CONFIG = "wrangler.toml";
const WISH = wishOf(process.argv.slice(2), process.env);
if (WISH === null) {
  console.error(
    "npm run deploy -- --dry-run lists what a deploy would make; npm run deploy makes it. There are no other options: nothing was done.",
  );
  process.exit(2);
}
const DRY_RUN = WISH === "dry run";
/** The configuration with this account's ids in it; made anew by each deploy and never committed. */
const DEPLOYED = DRY_RUN ? "wrangler.dry-run.toml" : "wrangler.deployed.toml";
const PLACEHOLDER = "00000000-0000-0000-0000-000000000000";

type Resource = { readonly kind: string; readonly name: string; readonly binding: string; readonly how: string };
type Secret = { readonly name: string; readonly what: string; readonly from: "generated" | "asked" };
/** Where tasks are run: in a container each, or at a runner elsewhere, if at all. */
type Runners = "containers" | "elsewhere";

const SECRETS: readonly Secret[] = [
  { name: "TOLLGATE_PEPPER", what: "HMAC key of every API key digest", from: "generated" },
  { name: "TOLLGATE_ENCRYPTION_KEY", what: "wraps the credentials of providers", from: "generated" },
  { name: "TOLLGATE_ADMIN_KEY", what: "opens the admin plane; shown once", from: "generated" },
  { name: "OPENAI_API_KEY", what: "OpenAI, if you use it", from: "asked" },
  { name: "ANTHROPIC_API_KEY", what: "Anthropic, if you use it", from: "asked" },
];
const RUNNER_SECRETS: readonly Secret[] = [
  { name: "RUNNER_URL", what: "the https origin of a runner for tasks, if you have one", from: "asked" },
  { name: "RUNNER_SECRET", what: "what that runner was started with", from: "asked" },
];

function secretsOf(runners: Runners): readonly Secret[] {
  return runners === "containers" ? SECRETS : [...SECRETS, ...RUNNER_SECRETS];
}

/** The part of wrangler's configuration that names resources; its own type is too wide to be read. */
interface Configuration {
  readonly name?: string;
  readonly d1_databases: readonly { readonly binding: string; readonly database_name?: string }[];
  readonly queues: {
    readonly producers?: readonly { readonly binding: string; readonly queue: string }[];
    readonly consumers?: readonly { readonly queue: string; readonly dead_letter_queue?: string }[];
  };
  readonly r2_buckets?: readonly { readonly binding: string; readonly bucket_name?: string }[];
  readonly durable_objects: { readonly bindings: readonly { readonly name: string; readonly class_name: string }[] };
  readonly ratelimits?: readonly { readonly name: string; readonly namespace_id: string }[];
  readonly triggers: { readonly crons?: readonly string[] };
  readonly containers?: readonly { readonly class_name?: string; readonly image?: string }[];
}

/** Everything that a deploy makes in the account, read from the configuration and from nowhere else. */
function resources(): Resource[] {
  const config = unstable_readConfig({ config: DEPLOYED }) as unknown as Configuration;
  const queues = config.queues.consumers ?? [];
  const names = new Set([...(config.queues.producers ?? []).map(({ queue }) => queue), ...queues.map(({ queue }) => queue)]);
  const dead = queues.flatMap(({ dead_letter_queue }) => dead_letter_queue ?? []);
  return [
    { kind: "Worker", name: config.name ?? "tollgate", binding: "-", how: "deployed" },
    ...config.d1_databases.map((d1) => ({
      kind: "D1 database",
      name: d1.database_name ?? d1.binding,
      binding: d1.binding,
      how: "created, migrated",
    })),
    ...[...names, ...dead].map((name) => ({
      kind: "Queue",
      name,
      binding: (config.queues.producers ?? []).find(({ queue }) => queue === name)?.binding ?? "-",
      how: "created",
    })),
    ...(config.r2_buckets ?? []).map((bucket) => ({
      kind: "R2 bucket",
      name: bucket.bucket_name ?? bucket.binding,
      binding: bucket.binding,
      how: "created",
    })),
    ...config.durable_objects.bindings.map((object) => ({
      kind: "Durable Object",
      name: object.class_name,
      binding: object.name,
      how: "with the Worker",
    })),
    ...(config.containers ?? []).map((container) => ({
      kind: "Container",
      name: relative(process.cwd(), container.image ?? "-"),
      binding: container.class_name ?? "-",
      how: "built, pushed",
    })),
    ...(config.ratelimits ?? []).map((limit) => ({
      kind: "Rate limit",
      name: limit.namespace_id,
      binding: limit.name,
      how: "with the Worker",
    })),
    ...(config.triggers.crons ?? []).map((cron) => ({ kind: "Cron", name: cron, binding: "-", how: "with the Worker" })),
  ];
}

/** Writes this account's configuration: the lines of containers are comments to whoever does not want them. */
function configure(runners: Runners): void {
  const config = readFileSync(CONFIG, "utf8");
  writeFileSync(DEPLOYED, runners === "containers" ? config.replaceAll(/^#: /gm, "") : config);
}

/** Said by the environment, or asked. */
async function runnersWanted(): Promise<Runners> {
  const { RUNNER_CONTAINER: said, RUNNER_URL: url } = process.env;
  if (said !== undefined || url || DRY_RUN) return said === "true" ? "containers" : "elsewhere";
  const answer = await asked("Run each task in a Cloudflare Container? Nobody has tried it yet; it needs Docker here (y/N): ");
  return /^y/i.test(answer) ? "containers" : "elsewhere";
}

/** What the terminal answers. Where there is none, as in CI, nobody is asked: the environment has said everything. */
async function asked(question: string): Promise<string> {
  if (!process.stdin.isTTY) return "";
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

function plan(runners: Runners): string {
  const rows = resources().map(({ kind, name, binding, how }) => `  ${kind.padEnd(15)} ${name.padEnd(24)} ${binding.padEnd(14)} ${how}`);
  const secrets = secretsOf(runners).map(
    ({ name, what, from }) => `  ${"Secret".padEnd(15)} ${name.padEnd(24)} ${from.padEnd(14)} ${what}`,
  );
  return ["A deploy makes or keeps, in your account:", "", ...rows, "", ...secrets, ""].join("\n");
}

/** What wrangler said as it gave up. */
class WranglerFailure extends Error {}

/** Runs wrangler and returns what it printed; a step that may find its work done already passes `tolerate`. */
function wrangler(words: readonly string[], tolerate?: RegExp): string {
  try {
    return execFileSync(process.execPath, [WRANGLER, ...words], { encoding: "utf8", stdio: ["inherit", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    if (tolerate?.test(`${stdout}${stderr}`)) return "";
    throw new WranglerFailure(`wrangler ${words.slice(0, 2).join(" ")} failed:\n${stderr || stdout}`, { cause: error });
  }
}

/** Creates a bucket. R2 is switched on for an account by its owner: where it is not, the gateway is deployed without. */
function provisionBucket(name: string): void {
  try {
    wrangler(["r2", "bucket", "create", name], /already (exists|own)|10004/i);
  } catch (error) {
    if (!/enable R2|10042/i.test(String(error))) throw error;
    console.log("This account has no R2: what a task leaves is kept in its own object, up to 64 MiB. Deploy again once R2 is enabled.");
    const config = readFileSync(DEPLOYED, "utf8");
    writeFileSync(DEPLOYED, config.replace(/^\[\[r2_buckets\]\]\n(?:\w.*\n)*/m, ""));
  }
}

/** Creates what is not there; the database's id goes into the account's own configuration. */
function provision(): void {
  for (const { name } of resources().filter(({ kind }) => kind === "Queue"))
    wrangler(["queues", "create", name], /already (exists|taken)/i);
  for (const { name } of resources().filter(({ kind }) => kind === "R2 bucket")) provisionBucket(name);
  const database = resources().find(({ kind }) => kind === "D1 database");
  if (!database) return;
  wrangler(["d1", "create", database.name], /already exists/i);
  const known = JSON.parse(wrangler(["d1", "list", "--json"])) as { name: string; uuid: string }[];
  const id = known.find(({ name }) => name === database.name)?.uuid;
  if (!id) throw new Error(`The database ${database.name} was created and is not listed; try again`);
  writeFileSync(DEPLOYED, readFileSync(DEPLOYED, "utf8").replace(PLACEHOLDER, id));
  wrangler(["d1", "migrations", "apply", database.name, "--remote", "--config", DEPLOYED]);
}

/** The secrets that the Worker does not have yet. A pepper or an encryption key that is there is never replaced: keys would die with it. */
async function missingSecrets(runners: Runners): Promise<Record<string, string>> {
  const listed = wrangler(["secret", "list", "--config", DEPLOYED], /not found|does not exist/i);
  const have = new Set(listed === "" ? [] : (JSON.parse(listed) as { name: string }[]).map(({ name }) => name));
  const found: Record<string, string> = {};
  for (const { name, what, from } of secretsOf(runners).filter((secret) => !have.has(secret.name))) {
    // A secret of no runner would be one variable of two, which no gateway starts with.
    if (name === "RUNNER_SECRET" && !have.has("RUNNER_URL") && !found["RUNNER_URL"]) continue;
    const value =
      process.env[name] ??
      (from === "generated" ? randomBytes(32).toString("base64url") : await asked(`${name} (${what}; Enter to skip): `));
    if (value.trim() !== "") found[name] = value.trim();
  }
  return found;
}

function deploy(secrets: Record<string, string>): void {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-deploy-"));
  const file = join(folder, "secrets.json");
  try {
    writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
    console.log(wrangler(["deploy", "--config", DEPLOYED, ...(Object.keys(secrets).length > 0 ? ["--secrets-file", file] : [])]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (secrets["TOLLGATE_ADMIN_KEY"]) console.log(`Admin key, shown this once: ${secrets["TOLLGATE_ADMIN_KEY"]}`);
}

async function make(): Promise<void> {
  const runners = await runnersWanted();
  configure(runners);
  console.log(plan(runners));
  if (DRY_RUN) {
    const outdir = mkdtempSync(join(tmpdir(), "tollgate-dry-run-"));
    // Whether the image can be built is Docker's to say, which need not be on a machine that only looks.
    console.log(wrangler(["deploy", "--dry-run", "--containers-rollout=none", "--config", DEPLOYED, "--outdir", outdir]));
    rmSync(outdir, { recursive: true, force: true });
    rmSync(DEPLOYED);
  } else {
    provision();
    deploy(await missingSecrets(runners));
  }
}

try {
  await make();
} catch (error) {
  if (!(error instanceof WranglerFailure)) throw error;
  console.error(`${error.message}
Not deployed. Who is not logged in runs npx wrangler login first, or sets CLOUDFLARE_API_TOKEN where there is no browser.
What was made stands: npm run deploy goes on from there.`);
  process.exitCode = 1;
}
