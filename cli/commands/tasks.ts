import { type Command, command, rowsMax } from "../command.ts";
import { misuse } from "../failure.ts";
import { choice, flag, moment, text, texts } from "../option.ts";
import type { Column } from "../print.ts";
import { oneOf } from "./limit.ts";

const PATH = "/admin/v1/tasks";
const EXAMPLE = "task_1m7zk06zb000enaaja2mq311";
const COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "STATUS", path: "status" },
  { head: "REASON", path: "exit_reason" },
  { head: "ENGINE", path: "engine" },
  { head: "KEY", path: "key" },
  { head: "CREATED", path: "created_at" },
  { head: "CAP", path: "cost.cap_usd", figure: true },
  { head: "SPENT", path: "cost.spent_usd", figure: true },
  { head: "RESERVED", path: "cost.reserved_usd", figure: true },
];

const REPORT: readonly Column[] = [
  { head: "TASKS", path: "tasks", figure: true },
  { head: "ENDED", path: "ended", figure: true },
  { head: "SUCCESS", path: "success_rate", figure: true },
  { head: "MEDIAN S", path: "seconds.median", figure: true },
  { head: "P90 S", path: "seconds.p90", figure: true },
  { head: "USD", path: "cost_usd", figure: true },
  { head: "SCORES", path: "feedback.count", figure: true },
  { head: "SCORE", path: "feedback.mean", figure: true },
];
/** A key's own tasks, as it sees them itself. */
const OWN = "/v1/task";
const mine = flag("of the key in TOLLGATE_KEY, as it sees them itself");

const list = command({
  name: "tasks list",
  summary: "List everybody's tasks, newest first, with what they cost.",
  operands: [],
  options: {
    key: text("only of this key", "key", "<id>"),
    team: text("only of this team", "team", "<id>"),
    status: choice("only in this state", ["pending", "running", "waiting_approval", "completed", "failed", "cancelled"], "status"),
    mine,
    limit: rowsMax,
  },
  examples: [
    ["tasks list --status running", "what runs now"],
    ["tasks list --mine --limit 10", "the key's own last ten"],
    ["tasks list --key key_9f3k2m7q1xab --json", "for a program: the API's objects, one per line"],
  ],
  async run({ fields, given, gateway, output }) {
    const pages = given.mine
      ? gateway.pages(OWN, { as: "key", query: fields }, given.limit)
      : gateway.pages(PATH, { query: fields }, given.limit);
    await output.list(pages, COLUMNS, "There are no such tasks.");
  },
});

const show = command({
  name: "tasks show",
  summary: "Show a task; what it said is its key's alone.",
  operands: ["<id>"],
  options: { mine },
  examples: [
    [`tasks show ${EXAMPLE} --field cost.spent_usd`, "what it has come to"],
    [`tasks show --mine ${EXAMPLE} --field result.text`, "what it said, for its key"],
  ],
  async run({ operands: [id], given, gateway, output }) {
    await output.object(given.mine ? await gateway.get(place(id, OWN), { as: "key" }) : await gateway.get(place(id)));
  },
});

const cancel = command({
  name: "tasks cancel",
  summary: "End a task: none of its calls is admitted any more.",
  operands: ["<id>"],
  options: { mine },
  examples: [[`tasks cancel ${EXAMPLE}`, "whatever it is at"]],
  async run({ operands: [id], given, gateway, output }) {
    const ended = given.mine ? gateway.write("DELETE", place(id, OWN), { as: "key" }) : gateway.write("DELETE", place(id));
    await output.object((await ended) ?? {});
  },
});

const WHOSE = {
  key: text("those of this key", "key", "<id>"),
  team: text("those of this team", "team", "<id>"),
  all: flag("every one there is"),
};

const cancelAll = command({
  name: "tasks cancel-all",
  summary: "End all tasks of a key, of a team, or of the deployment.",
  more: "New ones may begin: disable a key first that shall begin none.",
  operands: [],
  options: { ...WHOSE, yes: flag("it is meant: this cannot be undone") },
  examples: [
    ["tasks cancel-all --key key_9f3k2m7q1xab --yes", "of an agent that runs away"],
    ["tasks cancel-all --all --yes", "the switch"],
  ],
  async run({ fields, given, gateway, output }) {
    oneOf(WHOSE, given, "exactly");
    if (!given.yes) throw misuse("Tasks that are ended do not go on again. Say --yes if it is meant", "--yes");
    await output.object((await gateway.write("POST", `${PATH}/cancel`, { body: given.all ? { all: true } : fields })) ?? {});
  },
});

const report = command({
  name: "tasks report",
  summary: "Tell how tasks went, what they cost and what their owners thought of them.",
  more: "For operators and analysts. Tasks are counted by when they began, and kept for 30 days after their end.",
  operands: [],
  options: {
    by: texts("what to tell apart: engine, model, key, day (engine)", undefined, "<word>"),
    from: moment("from then on (7d)", "ago", "from"),
    to: moment("until then, itself left out", "ago", "to"),
  },
  examples: [
    ["tasks report", "by engine, of the last seven days"],
    ["tasks report --by key --by day --from 2d", "which key's tasks fail, by day"],
  ],
  async run({ given, fields, gateway, output }) {
    const by = given.by ?? ["engine"];
    const answer = await gateway.get("/admin/v1/tasks/report", { query: { ...fields, group_by: by.join(",") } });
    const columns = [...by.map((name) => ({ head: name.toUpperCase(), path: `group.${name}` })), ...REPORT];
    const known = { data: columns };
    await output.object(answer, (row) => output.details(row, known));
  },
});

/** `tasks`: what keys run in sandboxes, as operators see and end it. */
export const tasks: readonly Command[] = [list, show, cancel, cancelAll, report];

function place(id = "", path = PATH): string {
  return `${path}/${encodeURIComponent(id)}`;
}
