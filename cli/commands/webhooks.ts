import { randomBytes } from "node:crypto";
import { type Command, command, rowsMax } from "../command.ts";
import { misuse } from "../failure.ts";
import { choice, flag, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import type { Column } from "../print.ts";
import { ALERTS } from "./alerts.ts";

const PATH = "/admin/v1/webhooks";
const COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "STATUS", path: "status" },
  { head: "URL", path: "url" },
  { head: "EVENTS", path: "events" },
  { head: "CREATED", path: "created_at" },
];
const DELIVERIES: readonly Column[] = [
  { head: "CREATED", path: "created_at" },
  { head: "STATUS", path: "status" },
  { head: "ALERT", path: "alert" },
  { head: "ATTEMPTS", path: "attempts", figure: true },
  { head: "HTTP", path: "http_status", figure: true },
  { head: "ERROR", path: "error" },
  { head: "NEXT", path: "next_attempt_at" },
];
const SECRET_BYTES = 32;
const EVENT = texts("a type of alert that it is told of; all, if none is given", "events", "<type>");
const EXAMPLE = "whk_01k2m7q1xab";

const create = command({
  name: "webhooks create",
  summary: "Have alerts sent to a URL, signed.",
  more: `The signing secret is printed by this command and never again. A URL is https, of no private address, and without a query.
Types of alerts: ${ALERTS.slice(0, 6).join(", ")},
${ALERTS.slice(6).join(", ")}.`,
  operands: ["<url>"],
  options: { event: EVENT },
  examples: [
    ["webhooks create https://hooks.example.com/tollgate", "every alert there is"],
    ["webhooks create https://hooks.example.com/money --event budget.threshold --event budget.exceeded", "only of budgets"],
    ["webhooks create https://hooks.example.com/tollgate --field secret", "print nothing but the secret, for a vault"],
  ],
  async run({ operands: [url], fields, gateway, output }) {
    await output.object((await gateway.write("POST", PATH, { body: { url, ...fields } })) ?? {});
    await sayOnce(output);
  },
});

const list = command({
  name: "webhooks list",
  summary: "List who is told of alerts.",
  operands: [],
  options: { limit: rowsMax },
  examples: [["webhooks list", "all of them"]],
  async run({ given, gateway, output }) {
    await output.list(gateway.pages(PATH, {}, given.limit), COLUMNS, "There are no webhooks: nobody is told of alerts.");
  },
});

const show = command({
  name: "webhooks show",
  summary: "Show a webhook.",
  operands: ["<id>"],
  options: {},
  examples: [[`webhooks show ${EXAMPLE}`, "everything about it but its secret"]],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(place(id)));
  },
});

const update = command({
  name: "webhooks update",
  summary: "Change where a webhook goes, what it is told of, or whether at all.",
  operands: ["<id>"],
  options: {
    url: text("another URL", "url", "<url>"),
    event: EVENT,
    "all-events": flag("told of every alert again"),
    status: choice("whether anything is sent to it", ["active", "disabled"], "status"),
  },
  examples: [
    [`webhooks update ${EXAMPLE} --status disabled`, "silence, for now"],
    [`webhooks update ${EXAMPLE} --event spend.anomaly`, "of nothing else"],
  ],
  async run({ operands: [id], given, fields, gateway, output }) {
    if (given["all-events"] && given.event) throw misuse("--event and --all-events contradict each other", "--all-events");
    const body = { ...fields, ...(given["all-events"] && { events: [] }) };
    if (Object.keys(body).length === 0) throw misuse("webhooks update needs something to change, such as --status disabled");
    await output.object((await gateway.write("PATCH", place(id), { body })) ?? {});
  },
});

const rotate = command({
  name: "webhooks rotate",
  summary: "Give a webhook a new signing secret; it signs everything from now on.",
  more: "The secret is made on this machine, printed by this command and never again.",
  operands: ["<id>"],
  options: {},
  examples: [[`webhooks rotate ${EXAMPLE} --field secret`, "print nothing but the new secret"]],
  async run({ operands: [id], gateway, output }) {
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString("base64url")}`;
    await output.object({ ...(await gateway.write("PATCH", place(id), { body: { secret } })), secret });
    await sayOnce(output);
  },
});

const test = command({
  name: "webhooks test",
  summary: "Send a webhook.test now, and say what came of it.",
  more: "Ends with 4 where it was not taken: status, http_status and error say why.",
  operands: ["<id>"],
  options: {},
  examples: [[`webhooks test ${EXAMPLE}`, "does the receiver take it, and know its signature?"]],
  async run({ operands: [id], gateway, output }) {
    const sent = (await gateway.write("POST", `${place(id)}/test`)) ?? {};
    await output.object(sent);
    return sent["status"] === "delivered" ? "ok" : "no";
  },
});

const deliveries = command({
  name: "webhooks deliveries",
  summary: "List what was sent to a webhook, newest first, and what is tried again.",
  operands: ["<id>"],
  options: { limit: rowsMax },
  examples: [
    [`webhooks deliveries ${EXAMPLE} --limit 20`, "the last twenty"],
    [`webhooks deliveries ${EXAMPLE} --field error`, "why each was not taken, one per line"],
  ],
  async run({ operands: [id], given, gateway, output }) {
    await output.list(gateway.pages(`${place(id)}/deliveries`, {}, given.limit), DELIVERIES, "Nothing was sent to it yet.");
  },
});

const remove = command({
  name: "webhooks delete",
  summary: "Remove a webhook: what was waiting for it is not sent.",
  operands: ["<id>"],
  options: { yes: flag("it is meant: this cannot be undone") },
  examples: [[`webhooks delete ${EXAMPLE} --yes`, "for ever; webhooks update --status disabled is the gentler way"]],
  async run({ operands: [id], given, gateway, output }) {
    if (!given.yes) throw misuse(`This removes ${id} for ever. Say --yes if that is meant`, "--yes");
    await gateway.write("DELETE", place(id));
    if (!output.plain) await output.text(`${id} is removed.\n`);
  },
});

/** `webhooks`: who is told of alerts. */
export const webhooks: readonly Command[] = [create, list, show, update, rotate, test, deliveries, remove];

async function sayOnce(output: Output): Promise<void> {
  if (!output.plain) await output.note("\nThe secret is shown this once: keep it where secrets are kept.");
}

function place(id: string | undefined): string {
  return `${PATH}/${encodeURIComponent(id ?? "")}`;
}
