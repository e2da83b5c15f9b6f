import { type Command, command, rowsMax } from "../command.ts";
import { choice, moment, text } from "../option.ts";
import type { Column } from "../print.ts";
import { chain, verify } from "./audit-chain.ts";

const COLUMNS: readonly Column[] = [
  { head: "AT", path: "at" },
  { head: "SEQ", path: "seq", figure: true },
  { head: "SEVERITY", path: "severity" },
  { head: "TYPE", path: "type" },
  { head: "OUTCOME", path: "outcome" },
  { head: "ACTOR", path: "actor.id" },
  { head: "SUBJECT", path: "subject.id" },
  { head: "TASK", path: "task" },
  { head: "DETAILS", path: "details" },
];

const search = command({
  name: "audit search",
  summary: "Search who did what: writes, refusals, and every call of a tool by a task.",
  more: `Words of --q may stand anywhere in an entry, all of them must; those in double quotes one after the other. Punctuation is no
part of a word, and case does not count.`,
  operands: [],
  options: {
    q: text("only entries that hold these words", "q", "<words>"),
    task: text("only of this task", "task", "<id>"),
    key: text("only about this key", "key", "<id>"),
    team: text("only about this team", "team", "<id>"),
    type: text("only of this type, such as tool_call, bash_command or key.update", "type"),
    severity: choice("only so grave", ["info", "warning", "critical"], "severity"),
    actor: text("only by this actor", "actor", "<id>"),
    subject: text("only about this one: a key, a file, a tool", "subject", "<id>"),
    from: moment("from then on: a day, a month, a time, or a duration back from now", "ago", "from"),
    to: moment("until then, itself left out", "ago", "to"),
    order: choice("the oldest first (asc) or the newest (desc, the default)", ["asc", "desc"], "order"),
    limit: rowsMax,
  },
  examples: [
    ["audit search --task task_01k2m7q1xab --type tool_call --order asc", "what a task did, in its order"],
    ["audit search --q '\"rm -rf\"' --from 24h", "who removed things today"],
    ["audit search --type file_access --subject /etc/passwd --json", "for a program: the API's objects, one per line"],
  ],
  async run({ fields, given, gateway, output }) {
    await output.list(gateway.pages("/admin/v1/audit", { query: fields }, given.limit), COLUMNS, "There are no such entries.");
  },
});

/** `audit`: who did what, and whether that is still what is said. */
export const audit: readonly Command[] = [search, verify, chain];
