import { type Command, command, rowsMax } from "../command.ts";
import { DESCRIBING, described } from "../described.ts";
import { type Exit, Failure, misuse } from "../failure.ts";
import type { Gateway, Row } from "../gateway.ts";
import { choice, count, flag, pairs, texts } from "../option.ts";
import type { Column } from "../print.ts";

const PATH = "/admin/v1/routes";
const COLUMNS: readonly Column[] = [
  { head: "NAME", path: "name" },
  { head: "STRATEGY", path: "strategy" },
  { head: "RETRIES", path: "retries", figure: true },
  { head: "TARGETS", path: "targets" },
  { head: "ID", path: "id" },
];
const CANDIDATES: readonly Column[] = [
  { head: "MODEL", path: "model" },
  { head: "TIER", path: "tier" },
  { head: "CHOSEN", path: "chosen" },
  { head: "OUT", path: "out.code" },
  { head: "WHY", path: "out.message" },
];
/** Names another route among targets. */
const ROUTE = "route:";

const list = command({
  name: "routes list",
  summary: "List routes, newest first.",
  operands: [],
  options: { limit: rowsMax },
  examples: [
    ["routes list", "all of them"],
    ["routes list --field name", "the names that callers may write as their model"],
  ],
  async run({ given, gateway, output }) {
    await output.list(gateway.pages(PATH, {}, given.limit), COLUMNS, "There are no routes: every model stands for itself.");
  },
});

const show = command({
  name: "routes show",
  summary: "Show a route.",
  operands: ["<name>"],
  options: {},
  examples: [["routes show helper", "its targets and how it goes on from one that fails"]],
  async run({ operands: [name = ""], gateway, output }) {
    await output.object(await named(name, gateway));
  },
});

const set = command({
  name: "routes set",
  summary: "Make a route, or change the one that has the name.",
  more: `Targets are tried in the order in which they are given, and are replaced as a whole. ${ROUTE}<name> stands for the targets of another route.
Conditions and breakers are set by the API: docs/guides/routes.md.`,
  operands: ["<name>"],
  options: {
    target: texts("where a request may go, best first", undefined, `<provider/model|${ROUTE}name>`),
    weight: pairs("how often a target goes first under --strategy weighted"),
    strategy: choice("how targets are ordered", ["priority", "weighted", "latency", "cost"], "strategy"),
    sticky: choice("whether a session stays with its target", ["yes", "no"]),
    retries: count("how often the whole list is gone through again", "retries"),
    "backoff-ms": count("milliseconds before the first time", "backoff_ms", 1),
    "timeout-ms": count("milliseconds for all attempts together", "timeout_ms", 1),
    "first-byte-timeout-ms": count("milliseconds until an attempt says its first word", "first_byte_timeout_ms", 1),
  },
  examples: [
    ["routes set helper --target openai/gpt-5-mini --target anthropic/claude-haiku-4-5", "the second where the first fails"],
    ["routes set split --target openai/gpt-5-mini --target openai/gpt-5 --strategy weighted --weight openai/gpt-5-mini=9", "nine of ten"],
    ["routes set helper --retries 0", "and nothing else of it"],
  ],
  async run({ operands: [name = ""], given: { target, weight = {}, sticky }, fields, gateway, output }) {
    if (!target && Object.keys(weight).length > 0) throw misuse("--weight is of a --target that is given with it", "--weight");
    const targets = target?.map((each) => targetOf(each, weight));
    const body = { ...fields, ...(targets && { targets }), ...(sticky && { sticky: sticky === "yes" }) };
    const known = await found(name, gateway);
    if (!known && !targets) throw misuse(`There is no route ${name} yet: a new one needs a --target`, "--target");
    const written = known ? gateway.write("PATCH", place(known), { body }) : gateway.write("POST", PATH, { body: { name, ...body } });
    await output.object((await written) ?? {});
  },
});

const remove = command({
  name: "routes delete",
  summary: "Remove a route: its name is unknown from then on.",
  operands: ["<name>"],
  options: { yes: flag("it is meant: this cannot be undone") },
  examples: [["routes delete helper --yes", "callers of helper are told that there is no such model"]],
  async run({ operands: [name = ""], given, gateway, output }) {
    if (!given.yes) throw misuse(`This removes ${name} for ever. Say --yes if that is meant`, "--yes");
    await gateway.write("DELETE", place(await named(name, gateway)));
    if (!output.plain) await output.text(`${name} is removed.\n`);
  },
});

const explain = command({
  name: "routes explain",
  summary: "Where would this request go, and why? Nothing is sent to a provider.",
  more: "Asks for the key in TOLLGATE_KEY. Takes auto, a route or any model. Ends with 4 where nothing can take the request.",
  operands: [],
  options: DESCRIBING,
  examples: [
    ["routes explain --model auto --prompt 'Why is the sky blue?'", "which model is chosen, and what stands against the others"],
    ["routes explain --request body.json --operation messages", "a request as it would be sent"],
    ["routes explain --model helper --prompt hi --field model", "what a route leads to, for a script"],
  ],
  async run({ given, gateway, output }): Promise<Exit> {
    const answer = (await gateway.write("POST", "/v1/route/explain", { body: await described(given), as: "key" })) ?? {};
    await output.object(answer, (all) => output.details(all, { candidates: CANDIDATES }));
    return answer["model"] === null ? "no" : "ok";
  },
});

/** `routes`: names for several models, and where requests go. */
export const routes: readonly Command[] = [list, show, set, remove, explain];

function targetOf(text: string, weights: Readonly<Record<string, string>>): Row {
  const own = weights[text];
  const weight = own === undefined ? {} : { weight: Number(own) };
  if (text.startsWith(ROUTE)) return { route: text.slice(ROUTE.length), ...weight };
  const slash = text.indexOf("/");
  if (slash < 1) throw misuse(`--target takes provider/model or ${ROUTE}name, not ${text}`, "--target");
  return { provider: text.slice(0, slash), model: text.slice(slash + 1), ...weight };
}

/** A route by its name; null where there is none. */
async function found(name: string, gateway: Gateway): Promise<Row | null> {
  for await (const { rows } of gateway.pages(PATH, {})) {
    const row = rows.find((each) => each["name"] === name);
    if (row) return row;
  }
  return null;
}

async function named(name: string, gateway: Gateway): Promise<Row> {
  const row = await found(name, gateway);
  if (!row) throw new Failure("failed", `There is no route ${name}.`, { code: "not_found" });
  return row;
}

function place(route: Row): string {
  return `${PATH}/${encodeURIComponent(String(route["id"]))}`;
}
