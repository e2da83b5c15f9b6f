import { type Command, command, rowsMax } from "../command.ts";
import { misuse } from "../failure.ts";
import { choice, flag, text } from "../option.ts";
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

const list = command({
  name: "tasks list",
  summary: "List everybody's tasks, newest first, with what they cost.",
  operands: [],
  options: {
    key: text("only of this key", "key", "<id>"),
    team: text("only of this team", "team", "<id>"),
    status: choice("only in this state", ["pending", "running", "completed", "failed", "cancelled"], "status"),
    limit: rowsMax,
  },
  examples: [
    ["tasks list --status running", "what runs now"],
    ["tasks list --key key_9f3k2m7q1xab --json", "for a program: the API's objects, one per line"],
  ],
  async run({ fields, given, gateway, output }) {
    await output.list(gateway.pages(PATH, { query: fields }, given.limit), COLUMNS, "There are no such tasks.");
  },
});

const show = command({
  name: "tasks show",
  summary: "Show a task; what it said is its key's alone.",
  operands: ["<id>"],
  options: {},
  examples: [[`tasks show ${EXAMPLE} --field cost.spent_usd`, "what it has come to"]],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(place(id)));
  },
});

const cancel = command({
  name: "tasks cancel",
  summary: "End a task: none of its calls is admitted any more.",
  operands: ["<id>"],
  options: {},
  examples: [[`tasks cancel ${EXAMPLE}`, "whatever it is at"]],
  async run({ operands: [id], gateway, output }) {
    await output.object((await gateway.write("DELETE", place(id))) ?? {});
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

/** `tasks`: what keys run in sandboxes, as operators see and end it. */
export const tasks: readonly Command[] = [list, show, cancel, cancelAll];

function place(id = ""): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}
