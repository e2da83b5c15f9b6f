import { bundleOf, newSigner } from "../bundle.ts";
import { type Call, type Command, command, rowsMax } from "../command.ts";
import { Failure, misuse } from "../failure.ts";
import type { Gateway, Page, Row } from "../gateway.ts";
import { choice, count, flag, type OptionTable, text } from "../option.ts";
import type { Column } from "../print.ts";
import { parsedJson, readSource } from "../source.ts";
import { oneOf } from "./limit.ts";
import { policyBench } from "./policy-bench.ts";
import { policyReplay } from "./policy-replay.ts";
import { policyTest } from "./policy-test.ts";

const PATH = "/admin/v1/policies";
const COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "NAME", path: "name" },
  { head: "VERSION", path: "version" },
  { head: "PRIORITY", path: "priority" },
  { head: "SIGNED BY", path: "signed_by" },
  { head: "CREATED", path: "created_at" },
];
const STANDING: readonly Column[] = [
  { head: "NAME", path: "name" },
  { head: "POLICY", path: "policy" },
  { head: "OF", path: "scope.kind" },
  { head: "WHOM", path: "scope.id" },
  { head: "MODE", path: "mode" },
  { head: "PERCENT", path: "canary_percent" },
  { head: "ON ERROR", path: "on_error" },
  { head: "GENERATION", path: "generation" },
];
const MODES = ["enforce", "canary", "shadow", "off", "inherit"] as const;

/** Where a version shall stand. */
const scope = {
  key: text("for this key", undefined, "<id>"),
  team: text("for this team", undefined, "<id>"),
  deployment: flag("for everybody"),
} satisfies OptionTable;

/** How it shall stand there. */
const standing = {
  ...scope,
  "canary-percent": count("the share of keys that a canary is tried on", "canary_percent"),
  "on-error": choice("what a failure of the policy comes to", ["deny", "allow"], "on_error"),
  compose: choice("how it stands among policies of equal priority", ["all", "any"], "compose"),
  priority: count("in the place of the policy's own; lower runs first", "priority"),
  config: text("a JSON file with its settings, - for standard input", undefined, "<file>"),
} satisfies OptionTable;

const signing = {
  "signing-key": text("a file with the Ed25519 private key that signs it (PEM)", undefined, "<file>"),
  "key-id": text("the id by which the gateway trusts that key", undefined, "<id>"),
} satisfies OptionTable;

const list = command({
  name: "policy list",
  summary: "List versions of policies, newest first.",
  operands: [],
  options: { name: text("only of this policy", "name", "<name>"), limit: rowsMax },
  examples: [["policy list", "all of them"], ["policy list --name business-hours --field version", "the versions there are of one"]], // prettier-ignore
  async run({ fields, given, gateway, output }) {
    await output.list(gateway.pages(PATH, { query: fields }, given.limit), COLUMNS, "There are no policies.");
  },
});

const status = command({
  name: "policy status",
  summary: "Show which version stands where.",
  operands: [],
  options: { name: text("only of this policy", "name", "<name>") },
  examples: [["policy status", "everything that is in force, on trial or turned off"]],
  async run({ fields, gateway, output }) {
    await output.list(wholly(await gateway.get(`${PATH}/activations`, { query: fields })), STANDING, "No policy stands anywhere.");
  },
});

const push = command({
  name: "policy push",
  summary: "Bundle, sign and upload a policy; with --mode, put it where it shall stand.",
  more: "The file is TypeScript or JavaScript. It is bundled into one module with the SDK inside, and passes its own tests before it is kept.",
  operands: ["<file>"],
  options: { ...signing, mode: choice("how it shall stand at once", MODES), ...standing },
  examples: [
    ["policy push plugins/business-hours/index.ts", "a new version, in force nowhere yet"],
    ["policy push plugins/rate-limit/index.ts --mode shadow --deployment", "watched by all requests, changing none"],
    ["policy push plugins/rate-limit/index.ts --signing-key ops.pem --key-id ops --mode enforce --team team_core", "signed, and in force"],
  ],
  async run({ operands: [file], given, fields, gateway, output }) {
    const [key, keyId] = [given["signing-key"], given["key-id"]];
    if ((key === undefined) !== (keyId === undefined))
      throw misuse("--signing-key and --key-id go together", key ? "--key-id" : "--signing-key");
    if (given.mode === undefined && oneOf(scope, given, "at most") !== null) throw misuse(`Give --mode: ${MODES.join(", ")}`, "--mode");
    const where = given.mode === undefined ? null : scopeOf(given);
    const bundle = await bundleOf(file ?? "", key === undefined || keyId === undefined ? null : { file: key, keyId });
    const made = (await gateway.write("POST", PATH, { body: bundle })) ?? {};
    if (given.mode === undefined || where === null) return output.object(made);
    await output.object(await activated(String(made["id"]), { scope: where, mode: given.mode, fields, given }, gateway));
  },
});

const activate = command({
  name: "policy activate",
  summary: "Put a version of a policy in force, on trial, or turn it off.",
  more: "It is seen within two seconds. A canary and a shadow leave in force what was; enforcing a version ends every trial of its policy there.",
  operands: ["<id>"],
  options: { mode: choice("how it shall stand (required)", MODES), ...standing },
  examples: [
    ["policy activate pol_01k2m7q1xab --mode canary --canary-percent 5 --deployment", "tried on five of a hundred keys"],
    ["policy activate pol_01k2m7q1xab --mode enforce --deployment --config hours.json", "in force for everybody, with settings"],
  ],
  async run({ operands: [id], given, fields, gateway, output }) {
    if (given.mode === undefined) throw misuse(`Give --mode: ${MODES.join(", ")}`, "--mode");
    await output.object(await activated(id ?? "", { scope: scopeOf(given), mode: given.mode, fields, given }, gateway));
  },
});

const rollback = command({
  name: "policy rollback",
  summary: "Put the version in force that is older than the one that is, with the same settings.",
  operands: ["<name>"],
  options: { ...scope, to: text("this older version instead, such as 1.2.0", undefined, "<version>") },
  examples: [
    ["policy rollback business-hours --deployment", "the one before, at once"],
    ["policy rollback business-hours --deployment --to 1.2.0", "a certain one"],
  ],
  async run({ operands: [name], given, gateway, output }) {
    const where = scopeOf(given);
    const { data } = (await gateway.get(`${PATH}/activations`, { query: { name } })) as { readonly data: readonly Row[] };
    const inForce = data.find((row) => row["mode"] === "enforce" && same(row["scope"], where));
    if (!inForce) throw new Failure("failed", `${name} is not in force there; policy status shows where it is`, { code: "not_found" });
    const target = await olderThan(String(inForce["policy"]), { name: name ?? "", to: given.to }, gateway);
    const { config, on_error, compose, priority } = inForce;
    const body = { scope: where, mode: "enforce", config, on_error, compose, priority };
    await output.object((await gateway.write("PUT", `${PATH}/${String(target["id"])}/activation`, { body })) ?? {});
  },
});

const keygen = command({
  name: "policy keygen",
  summary: "Make a key that signs policies.",
  more: "What is printed goes into the gateway's TOLLGATE_POLICY_KEYS, more than one separated by commas.",
  operands: ["<id>"],
  options: { out: text("the file for the private key (required); it must not be there yet", undefined, "<file>") },
  examples: [["policy keygen ops --out ops.pem", "ops.pem signs, and what is printed lets the gateway know"]],
  async run({ operands: [id], given, output }) {
    if (given.out === undefined) throw misuse("Give --out: the file for the private key", "--out");
    await output.text(`${await newSigner(id ?? "", given.out)}\n`);
  },
});

/** `policy`: what decides about requests, and where it stands. */
export const policy: readonly Command[] = [policyTest, policyBench, push, list, status, activate, policyReplay, rollback, keygen];

interface Wanted {
  readonly scope: Row;
  readonly mode: (typeof MODES)[number];
  readonly fields: Readonly<Record<string, unknown>>;
  readonly given: Partial<Call<typeof standing>["given"]>;
}

async function activated(id: string, { scope: where, mode, fields, given }: Wanted, gateway: Gateway): Promise<Row> {
  const { config: file } = given;
  const config = file === undefined ? {} : { config: parsedJson(await readSource(file, "--config"), file, "--config") };
  const path = `${PATH}/${encodeURIComponent(id)}/activation`;
  return (await gateway.write("PUT", path, { body: { scope: where, mode, ...fields, ...config } })) ?? {};
}

/** Whom the options name, as the API says it. */
function scopeOf(given: Partial<Call<typeof scope>["given"]>): Row {
  const kind = oneOf(scope, given, "exactly");
  return kind === "deployment" ? { kind } : { kind, id: given[kind as "key" | "team"] };
}

function same(a: unknown, b: Row): boolean {
  const { kind, id } = a as Row;
  return kind === b["kind"] && (id ?? null) === (b["id"] ?? null);
}

/** The newest version before the one of `id`, or the one that is named. Lists come newest first. */
async function olderThan(
  id: string,
  { name, to }: { readonly name: string; readonly to: string | undefined },
  gateway: Gateway,
): Promise<Row> {
  const versions: Row[] = [];
  for await (const { rows } of gateway.pages(PATH, { query: { name } })) versions.push(...rows);
  const older = versions.slice(versions.findIndex((row) => row["id"] === id) + 1);
  const found = to === undefined ? older[0] : older.find((row) => row["version"] === to);
  if (found) return found;
  throw new Failure("failed", to === undefined ? `There is no older version of ${name}` : `There is no older version ${to} of ${name}`, {
    code: "not_found",
  });
}

/** A list that comes in one piece. */
async function* wholly(answer: Row): AsyncGenerator<Page> {
  yield { answer, rows: answer["data"] as readonly Row[], more: false };
}
