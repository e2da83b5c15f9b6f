import { readFile } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Command, command, rowsMax } from "../command.ts";
import { type Exit, Failure, misuse } from "../failure.ts";
import type { Gateway } from "../gateway.ts";
import { choice, count, duration, moment, nested, pairs, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import type { Column } from "../print.ts";
import { type TaskEvent, taskEvents } from "../task-stream.ts";

const PATH = "/v1/task";
const COLUMNS: readonly Column[] = [
  { head: "ID", path: "id" },
  { head: "STATUS", path: "status" },
  { head: "ENGINE", path: "engine" },
  { head: "EXIT", path: "exit_reason" },
  { head: "EVENTS", path: "last_seq", figure: true },
  { head: "SPENT", path: "cost.spent_usd", figure: true },
  { head: "SCORE", path: "feedback.score", figure: true },
  { head: "CREATED", path: "created_at" },
  { head: "ENDED", path: "ended_at" },
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
const EXAMPLE = "task_01k2m7q1xab01k2m7q1xab01";

const run = command({
  name: "tasks run",
  summary: "Run a task to its end: what it writes comes as it writes it, and its exit code is the program's.",
  more: `A command and its arguments stand after --; an agent is told what to do by --prompt. Ctrl-C leaves the task running:
tasks events goes on with it, tasks cancel ends it. It acts for TOLLGATE_KEY, whose profile says what it may.`,
  operands: ["[<command>]…"],
  options: {
    engine: text("what works on it (command)", "engine", "<name>"),
    prompt: text("for an agent: what it is to do", "prompt"),
    model: text("for an agent: the model that it calls", "model", "<name>"),
    file: texts("a file to put into the workspace, under its own path or another", undefined, "<path[=inside]>"),
    "working-directory": text("where it begins, below the workspace", "working_directory", "<path>"),
    time: duration("how long it may take; the profile's, if not given", "timeout_s"),
    memory: count("megabytes of memory that it may use", "memory_mb", 16),
    disk: count("megabytes of disk that it may use", "disk_mb", 1),
    "max-cost": text("USD that its calls of models may cost", "max_cost_usd", "<usd>"),
    mode: choice("whether it may change its workspace", ["normal", "analysis_only"], "mode"),
    metadata: pairs("a fact that stands with it", "metadata"),
    callback: text("whom to tell of its end, by a signed POST", "callback_url", "<url>"),
  },
  examples: [
    ["tasks run -- sh -c 'sort names.txt'", "a command; its exit code is this program's"],
    ["tasks run --file names.txt --file ./etc/rules.json=rules.json -- cat names.txt rules.json", "with files of this machine"],
    ["tasks run --json --time 5m -- make", "each event as one line of JSON"],
  ],
  async run({ operands, given, fields, gateway, output }) {
    const argv = operands.length > 0 ? { argv: operands } : {};
    const files = await Promise.all((given.file ?? []).map(carried));
    const body = { engine: "command", ...nested(fields), ...argv, ...(files.length > 0 ? { files } : {}) };
    const id = String((await gateway.write("POST", PATH, { as: "key", body }))?.["id"]);
    if (!output.plain) await output.note(id);
    return follow({ gateway, output, id, after: 0 });
  },
});

const events = command({
  name: "tasks events",
  summary: "Follow a task to its end, from its beginning or from after an event.",
  operands: ["<id>"],
  options: { after: count("only what comes after the event of this number") },
  examples: [
    [`tasks events ${EXAMPLE}`, "what it writes, and its exit code as this program's"],
    [`tasks events ${EXAMPLE} --after 12 --json`, "for a program: one event per line"],
  ],
  run: ({ operands: [id = ""], given, gateway, output }) => follow({ gateway, output, id, after: given.after ?? 0 }),
});

const list = command({
  name: "tasks list",
  summary: "List the key's own tasks, newest first.",
  operands: [],
  options: { limit: rowsMax },
  examples: [
    ["tasks list --limit 10", "the last ten"],
    ["tasks list --field id", "their ids alone"],
  ],
  async run({ given, gateway, output }) {
    await output.list(gateway.pages(PATH, { as: "key" }, given.limit), COLUMNS, "This key has run no tasks.");
  },
});

const show = command({
  name: "tasks show",
  summary: "Show a task: how it stands, what it came to and which files it changed.",
  operands: ["<id>"],
  options: {},
  examples: [
    [`tasks show ${EXAMPLE}`, "all of it"],
    [`tasks show ${EXAMPLE} --field result.text`, "what it said"],
  ],
  async run({ operands: [id], gateway, output }) {
    await output.object(await gateway.get(place(id), { as: "key" }));
  },
});

const cancel = command({
  name: "tasks cancel",
  summary: "End a task, wherever it is; one that has ended stays as it is.",
  operands: ["<id>"],
  options: {},
  examples: [[`tasks cancel ${EXAMPLE}`, "it ends as cancelled"]],
  async run({ operands: [id], gateway, output }) {
    await output.object((await gateway.write("DELETE", place(id), { as: "key" })) ?? {});
  },
});

const artifacts = command({
  name: "tasks artifacts",
  summary: "Fetch what a task left: one file, or all of it as a tar.",
  operands: ["<id>", "[<path>]"],
  options: { to: text("the file to write it to; standard output, if not given", undefined, "<file>") },
  examples: [
    [`tasks artifacts ${EXAMPLE} report.md`, "one file, to the terminal"],
    [`tasks artifacts ${EXAMPLE} --to all.tar`, "everything; tar -tf all.tar lists it"],
  ],
  async run({ operands: [id, path], given, gateway, output }) {
    if (path === undefined && given.to === undefined)
      throw misuse("A tar is nothing for a terminal: say --to <file>, or which file", "--to");
    const inside = path === undefined ? "" : `/${path.split("/").map(encodeURIComponent).join("/")}`;
    const bytes = await gateway.stream(`${place(id)}/artifacts${inside}`, { as: "key" });
    if (given.to === undefined) for await (const part of bytes.pipeThrough(new TextDecoderStream())) await output.file(part);
    else await pipeline(bytes, createWriteStream(given.to));
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

/** `tasks`: what a key runs in sandboxes. */
export const tasks: readonly Command[] = [run, list, show, events, cancel, artifacts, report];

function place(id: string | undefined): string {
  return `${PATH}/${encodeURIComponent(id ?? "")}`;
}

/** A file of this machine, as a task is given it. */
async function carried(given: string): Promise<{ readonly path: string; readonly base64: string }> {
  const [name, inside] = given.includes("=")
    ? [given.slice(0, given.lastIndexOf("=")), given.slice(given.lastIndexOf("=") + 1)]
    : [given, given];
  try {
    return { path: inside.replace(/^(\.\/)+/, ""), base64: await readFile(name, "base64") };
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Failure("failed", `--file: ${name} cannot be read (${why})`, { code: "file", param: "--file", cause });
  }
}

interface Following {
  readonly gateway: Gateway;
  readonly output: Output;
  readonly id: string;
  readonly after: number;
}

/** Says what a task writes as it writes it, and ends as it does. */
async function follow({ gateway, output, id, after }: Following): Promise<Exit | number> {
  try {
    let last: TaskEvent | null = null;
    for await (const event of taskEvents(gateway, id, after)) {
      await told(event, output);
      last = event;
    }
    return last?.type === "exit" ? endOf(last, output) : endOf({ seq: 0, type: "exit", data: await exitOf(gateway, id) }, output);
  } catch (error) {
    if (gateway.signal.aborted) await output.note(`\n${id} goes on: tollgate tasks events ${id}, or tasks cancel ${id}`);
    throw error;
  }
}

async function told(event: TaskEvent, output: Output): Promise<void> {
  if (output.plain) return output.object({ ...event });
  const written = event.data["text"];
  if (typeof written !== "string") return;
  if (event.type === "stdout") await output.file(written);
  if (event.type === "stderr") await output.aside(written);
}

/** The end of a task of which there was nothing more to tell. */
async function exitOf(gateway: Gateway, id: string): Promise<Readonly<Record<string, unknown>>> {
  const { exit_reason: reason, result } = await gateway.get(place(id), { as: "key" });
  return { reason, exit_code: (result as { readonly exit_code?: unknown } | null)?.exit_code ?? null, message: null };
}

async function endOf({ data }: TaskEvent, output: Output): Promise<Exit | number> {
  const { reason, exit_code: code, message } = data;
  if (reason === "ok") return "ok";
  const why = typeof message === "string" ? `: ${message}` : "";
  if (!output.plain) await output.note(`The task ended: ${String(reason)}${why}`);
  return typeof code === "number" && code > 0 && code < 256 ? code : "failed";
}
