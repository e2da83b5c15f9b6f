import { type Command, command, rowsMax } from "../command.ts";
import { choice, moment, text } from "../option.ts";
import type { Column } from "../print.ts";

/** What is told of, in the API's words. */
export const ALERTS = [
  "budget.threshold",
  "budget.exceeded",
  "price.unknown",
  "spend.anomaly",
  "usage.doubtful",
  "policy.failed",
  "security.event",
  "permission.denied",
  "audit.critical",
  "audit.checkpoint",
] as const;

const COLUMNS: readonly Column[] = [
  { head: "CREATED", path: "created_at" },
  { head: "SEVERITY", path: "severity" },
  { head: "TYPE", path: "type" },
  { head: "SUBJECT", path: "subject.id" },
  { head: "TEAM", path: "team" },
  { head: "KEY", path: "key" },
  { head: "FACTS", path: "data" },
];

const list = command({
  name: "alerts list",
  summary: "List what somebody should know of, newest first; each was said once.",
  more: "To be told of them as they come, register a webhook: tollgate help webhooks create.",
  operands: [],
  options: {
    type: choice("only of this type", ALERTS, "type"),
    severity: choice("only so grave", ["info", "warning", "critical"], "severity"),
    team: text("only about this team", "team", "<id>"),
    key: text("only about this key", "key", "<id>"),
    subject: text("only about this budget, key, task or provider/model", "subject", "<id>"),
    from: moment("from then on: a day, a month, a time, or a duration back from now", "ago", "from"),
    to: moment("until then, itself left out", "ago", "to"),
    limit: rowsMax,
  },
  examples: [
    ["alerts list --from 24h", "what happened today"],
    ["alerts list --type budget.threshold --subject bud_01k2m7q1xab", "how one budget filled up"],
    ["alerts list --severity critical --json", "for a program: the API's objects, one per line"],
  ],
  async run({ fields, given, gateway, output }) {
    await output.list(gateway.pages("/admin/v1/alerts", { query: fields }, given.limit), COLUMNS, "There are no such alerts.");
  },
});

/** `alerts`: what somebody should know of. */
export const alerts: readonly Command[] = [list];
