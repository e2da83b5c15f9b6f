import { type Command, command, rowsMax } from "../command.ts";
import { misuse } from "../failure.ts";
import type { Row } from "../gateway.ts";
import { choice, clearing, count, duration, flag, moment, nested, type OptionTable, pairs, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import type { Column } from "../print.ts";
import { BUDGET_COLUMNS, limits, oneOf, WINDOWS } from "./limit.ts";

const PATH = "/admin/v1/keys";
const COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "NAME", path: "name" },
  { head: "STATUS", path: "status" },
  { head: "TEAM", path: "team" },
  { head: "ROLE", path: "role" },
  { head: "LAST4", path: "last4" },
  { head: "EXPIRES", path: "expires_at" },
  { head: "CREATED", path: "created_at" },
];
const ROLES = ["owner", "operator", "analyst", "auditor", "key_holder"] as const;

/** What may be set at birth and changed later, and taken away again. */
const changeable = {
  user: text("the user it belongs to", "user", "<id>"),
  tag: texts("a tag on everything it spends", "tags"),
  metadata: pairs("a fact on everything it spends", "metadata"),
  allow: texts("a model pattern it may call: openai/*, gpt-4o-mini, * (everything)", "models.allow", "<pattern>"),
  deny: texts("a model pattern it may not call; it wins over what is allowed", "models.deny", "<pattern>"),
  expires: moment("when it ends: a day, or a duration from now", "ahead", "expires_at"),
  rpm: count("requests per minute", "limits.rpm", 1),
  tpm: count("tokens per minute", "limits.tpm", 1),
  concurrency: count("requests at once", "limits.concurrency", 1),
  profile: text("the profile that says which tasks it may run", "profile", "<name>"),
} satisfies OptionTable;

const lasting = {
  role: choice("its rights on the admin plane, beside calling models (key_holder)", ROLES, "role"),
  "unknown-price": choice("what becomes of a model without a price", ["charge_dearest", "refuse"], "unknown_price"),
  cache: choice("whether what it asked before is answered again, of its own or of its team's (off)", ["off", "key", "team"], "cache"),
  responses: choice("whether its responses can be gone on from by their ids (kept)", ["kept", "off"], "responses"),
  "content-logging": choice("whether what its requests say is kept for some days (off)", ["off", "redacted", "full"], "content_logging"),
} satisfies OptionTable;

const birthLimits = limits("budgets.0.");
const birthBudget = {
  ...birthLimits,
  window: choice("the window of its budget", WINDOWS, "budgets.0.window"),
  "time-zone": text("whose calendar the window follows (UTC)", "budgets.0.time_zone", "<zone>"),
} satisfies OptionTable;

const create = command({
  name: "keys create",
  summary: "Make a key, with its limits and a budget.",
  more: "The secret is printed by this command and never again. Budgets on teams, users and tags: tollgate help budgets create.",
  operands: ["<name>"],
  options: { team: text("the team it belongs to (team_default)", "team", "<id>"), ...changeable, ...lasting, ...birthBudget },
  examples: [
    ["keys create intern --limit-usd 5 --window day", "five dollars a day, and not a cent more"],
    ["keys create search --allow 'openai/*' --deny '*-pro' --rpm 600 --tag search", "some models, at a pace"],
    ["keys create demo --expires 2d --field secret", "a key for two days; print nothing but its secret"],
  ],
  async run({ operands: [name], given, fields, gateway, output }) {
    if (oneOf(birthLimits, given, "at most") !== null && given.window === undefined)
      throw misuse(`A budget needs --window: ${WINDOWS.join(", ")}`, "--window");
    const made = await gateway.write("POST", PATH, { body: { name, ...nested(fields) } });
    await output.object(made ?? {}, whole(output));
    if (!output.plain) await output.note("\nThe secret is shown this once: keep it where secrets are kept.");
  },
});

const list = command({
  name: "keys list",
  summary: "List keys, newest first.",
  operands: [],
  options: {
    team: text("only this team's", "team", "<id>"),
    user: text("only this user's", "user", "<id>"),
    status: choice("only those in this state", ["active", "disabled", "revoked"], "status"),
    limit: rowsMax,
  },
  examples: [
    ["keys list", "all of them"],
    ["keys list --status disabled --field id", "the ids of those that are switched off, one per line"],
  ],
  async run({ fields, given, gateway, output }) {
    await output.list(gateway.pages(PATH, { query: fields }, given.limit), COLUMNS, "There are no such keys.");
  },
});

const show = command({
  name: "keys show",
  summary: "Show a key with its budgets and what they have left.",
  operands: ["<id>"],
  options: {},
  examples: [["keys show key_9f3k2m7q1xab", "everything about one key but its secret, which nobody keeps"]],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(place(id)), whole(output));
  },
});

const update = command({
  name: "keys update",
  summary: "Change a key. Lists are replaced as a whole.",
  operands: ["<id>"],
  options: { name: text("another name", "name"), ...changeable, ...lasting, clear: clearing(changeable) },
  examples: [
    ["keys update key_9f3k2m7q1xab --rpm 60 --allow 'tollgate/*'", "slower, and fewer models"],
    ["keys update key_9f3k2m7q1xab --clear expires --clear tag", "no end, no tags"],
  ],
  async run({ operands: [id], given, fields, gateway, output }) {
    const cleared = (given.clear ?? []).map((name) => cleanSlate(name as keyof typeof changeable, given));
    const changes = { ...fields, ...Object.fromEntries(cleared) };
    if (Object.keys(changes).length === 0) throw misuse("keys update needs something to change, such as --rpm 60");
    await output.object((await gateway.write("PATCH", place(id), { body: nested(changes) })) ?? {}, whole(output));
  },
});

const rotate = command({
  name: "keys rotate",
  summary: "Give a key a new secret; the old one works a little longer.",
  more: "The new secret is printed by this command and never again.",
  operands: ["<id>"],
  options: { grace: duration("how long the old secret goes on working (1h; 0s: not at all)", "grace_s") },
  examples: [
    ["keys rotate key_9f3k2m7q1xab --grace 24h", "a day to bring the new secret everywhere"],
    ["keys rotate key_9f3k2m7q1xab --grace 0s", "the old secret has leaked"],
  ],
  async run({ operands: [id], fields, gateway, output }) {
    await output.object((await gateway.write("POST", `${place(id)}/rotate`, { body: fields })) ?? {});
    if (!output.plain) await output.note("\nThe secret is shown this once: keep it where secrets are kept.");
  },
});

const disable = switching("disable", "Refuse a key from now on, until it is enabled again.");
const enable = switching("enable", "Let a disabled key call again.");

const remove = command({
  name: "keys delete",
  summary: "Revoke a key for ever. Its costs stay on record.",
  operands: ["<id>"],
  options: { yes: flag("it is meant: this cannot be undone") },
  examples: [["keys delete key_9f3k2m7q1xab --yes", "for ever; keys disable is the gentler way"]],
  async run({ operands: [id], given, gateway, output }) {
    if (!given.yes) throw misuse(`This revokes ${id} for ever. Say --yes if that is meant, or use keys disable`, "--yes");
    await gateway.write("DELETE", place(id));
    if (!output.plain) await output.text(`${id} is revoked.\n`);
  },
});

/** `keys`: who may call, with what limits. */
export const keys: readonly Command[] = [create, list, show, update, rotate, disable, enable, remove];

function switching(verb: "disable" | "enable", summary: string): Command {
  return command({
    name: `keys ${verb}`,
    summary,
    operands: ["<id>"],
    options: {},
    examples: [[`keys ${verb} key_9f3k2m7q1xab`, "in force when the command ends"]],
    async run({ operands: [id], gateway, output }) {
      await output.object((await gateway.write("POST", `${place(id)}/${verb}`)) ?? {}, whole(output));
    },
  });
}

/** A whole key for a person, its budgets in their own columns. */
function whole(output: Output): (key: Row) => readonly string[] {
  return (key) => output.details(key, { budgets: BUDGET_COLUMNS });
}

function place(id: string | undefined): string {
  return `${PATH}/${encodeURIComponent(id ?? "")}`;
}

/** The field of an option as it is where nothing is set. */
function cleanSlate(name: keyof typeof changeable, given: Readonly<Record<string, unknown>>): readonly [string, unknown] {
  if (given[name] !== undefined) throw misuse(`--${name} and --clear ${name} contradict each other`, "--clear");
  const { field, many } = changeable[name] as OptionTable[string];
  return [field!, name === "metadata" ? {} : many ? [] : null];
}
