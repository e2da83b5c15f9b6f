import { type Call, type Command, command, rowsMax } from "../command.ts";
import { misuse } from "../failure.ts";
import { choice, flag, type OptionTable, text } from "../option.ts";
import { BUDGET_COLUMNS, limits, oneOf, WINDOWS } from "./limit.ts";

const PATH = "/admin/v1/budgets";
const MODE = choice("how much a request reserves: all it may cost (the default), or what is likely", ["strict", "tight"], "mode");

/** Whom a budget binds. */
const scope = {
  key: text("of this key", undefined, "<id>"),
  user: text("of this user", undefined, "<id>"),
  team: text("of this team", undefined, "<id>"),
  tag: text("of everything with this tag", undefined, "<tag>"),
  "end-user": text("of this end user, as callers report it", undefined, "<id>"),
  deployment: flag("of everything"),
} satisfies OptionTable;

const limitOptions = limits();

const create = command({
  name: "budgets create",
  summary: "Limit what a key, user, team, tag or everything may spend in a window.",
  more: "A request must fit every budget above it. Windows follow the calendar of --time-zone; weeks begin on Monday.",
  operands: [],
  options: {
    ...scope,
    ...limitOptions,
    window: choice("when it begins anew (required)", WINDOWS, "window"),
    "time-zone": text("whose calendar it follows (UTC)", "time_zone", "<zone>"),
    mode: MODE,
  },
  examples: [
    ["budgets create --limit-usd 5 --window day --key key_9f3k2m7q1xab", "five dollars a day"],
    ["budgets create --limit-usd 100 --window month --time-zone Europe/Berlin --team team_core", "a hundred a month, by Berlin's calendar"],
    ["budgets create --limit-tokens 2000000 --window week --user user_ada", "two million tokens a week"],
  ],
  async run({ given, fields, gateway, output }) {
    oneOf(limitOptions, given, "exactly");
    if (given.window === undefined) throw misuse(`Give --window: ${WINDOWS.join(", ")}`, "--window");
    await output.object((await gateway.write("POST", PATH, { body: { scope: scopeOf(given, "exactly"), ...fields } })) ?? {});
  },
});

const list = command({
  name: "budgets list",
  summary: "List budgets with what was spent, what requests in flight hold, and what is left.",
  operands: [],
  options: { ...scope, team: text("every budget within this team", "team", "<id>"), limit: rowsMax },
  examples: [
    ["budgets list", "all of them"],
    ["budgets list --key key_9f3k2m7q1xab --field status.remaining", "what one key has left"],
  ],
  async run({ given, fields, gateway, output }) {
    const { team: _, ...whom } = given;
    const of = scopeOf(whom, "at most");
    const query = { ...fields, scope_kind: of?.kind, scope_id: of?.id };
    await output.list(gateway.pages(PATH, { query }, given.limit), BUDGET_COLUMNS, "There are no such budgets.");
  },
});

const show = command({
  name: "budgets show",
  summary: "Show a budget and where it stands.",
  operands: ["<id>"],
  options: {},
  examples: [
    ["budgets show bud_01k2m7q1xab", "everything about it"],
    ["budgets show bud_01k2m7q1xab --field status.spent", "what was spent in this window"],
  ],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(place(id)));
  },
});

const update = command({
  name: "budgets update",
  summary: "Change a budget's limit or mode; what was spent stays spent.",
  operands: ["<id>"],
  options: { ...limitOptions, mode: MODE },
  examples: [["budgets update bud_01k2m7q1xab --limit-usd 7.50", "more room, at once"]],
  async run({ operands: [id], given, fields, gateway, output }) {
    if (oneOf(limitOptions, given, "at most") === null && given.mode === undefined)
      throw misuse("budgets update needs a limit or --mode to change");
    await output.object((await gateway.write("PATCH", place(id), { body: fields })) ?? {});
  },
});

const remove = command({
  name: "budgets delete",
  summary: "Delete a budget: what it limited is limited no more.",
  operands: ["<id>"],
  options: { yes: flag("it is meant: from then on nothing holds this spending back") },
  examples: [["budgets delete bud_01k2m7q1xab --yes", "no limit any more"]],
  async run({ operands: [id], given, gateway, output }) {
    if (!given.yes) throw misuse(`This deletes ${id}, and the limit with it. Say --yes if that is meant`, "--yes");
    await gateway.write("DELETE", place(id));
    if (!output.plain) await output.text(`${id} is deleted.\n`);
  },
});

/** `budgets`: limits on what somebody may spend. */
export const budgets: readonly Command[] = [create, list, show, update, remove];

function place(id: string | undefined): string {
  return `${PATH}/${encodeURIComponent(id ?? "")}`;
}

/** Whom the options name, as the API says it. The whole deployment has no id. */
function scopeOf(given: Partial<Call<typeof scope>["given"]>, bound: "exactly" | "at most") {
  const name = oneOf(scope, given, bound);
  if (name === null) return undefined;
  const kind = name === "end-user" ? "end_user" : name;
  return name === "deployment" ? { kind } : { kind, id: String(given[name]) };
}
