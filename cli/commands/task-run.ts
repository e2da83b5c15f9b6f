import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { type Command, command } from "../command.ts";
import { type Exit, Failure, misuse } from "../failure.ts";
import type { Gateway } from "../gateway.ts";
import { choice, count, duration, flag, nested, pairs, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import { cell } from "../print.ts";
import { type TaskEvent, taskEvents } from "../task-stream.ts";

const PATH = "/v1/task";
const EXAMPLE = "task_1m7zk06zb000enaaja2mq311";
const APPROVAL = "apr_3f0c9a7be1d24486";

const run = command({
  name: "tasks run",
  summary: "Run a task to its end: what it writes comes as it writes it, and its exit code is the program's.",
  more: `A command and its arguments stand after --; an agent is told what to do by --prompt. Ctrl-C leaves the task running:
tasks events goes on with it, tasks cancel --mine ends it. It acts for TOLLGATE_KEY, whose profile says what it may.`,
  operands: ["[<command>]…"],
  options: {
    engine: text("what works on it: command, native, claude-code or codex (command)", "engine", "<name>"),
    prompt: text("for an agent: what it is to do", "prompt"),
    model: text("for an agent: the model that it calls", "model", "<name>"),
    file: texts("a file to put into the workspace, under its own path or another", undefined, "<path[=inside]>"),
    "working-directory": text("where it begins, below the workspace", "working_directory", "<path>"),
    time: duration("how long it may take; the profile's, if not given", "timeout_s"),
    memory: count("megabytes of memory that it may use", "memory_mb", 16),
    disk: count("megabytes of disk that it may use", "disk_mb", 1),
    "max-cost": text("USD that its calls of models may cost", "max_cost_usd", "<usd>"),
    mode: choice("whether it may change its workspace", ["normal", "analysis_only", "dry_run"], "mode"),
    "allow-tool": texts("a tool that it may use, of those that the profile allows; all of them, if none is given", "allow_tools", "<rule>"),
    "allow-agent": texts("a sub-agent that it may call, of the profile's", "allow_agents", "<name>"),
    "allow-skill": texts("a skill that it may use, of the profile's", "allow_skills", "<name>"),
    "approve-tool": texts("what waits for a person's word, beside what the profile says", "approve_tools", "<rule>"),
    "output-schema": text("for an agent: a file with the JSON schema of what it is to come to", "output_schema", "<file>"),
    "max-turns": count("for the native agent: how often it may ask its model (100)", "max_turns", 1),
    host: texts("a host that it is to reach, of those that the profile allows; none, if none is given", "network.hosts", "<host>"),
    metadata: pairs("a fact that stands with it", "metadata"),
    callback: text("whom to tell of its end, by a signed POST", "callback_url", "<url>"),
  },
  examples: [
    ["tasks run -- sh -c 'sort names.txt'", "a command; its exit code is this program's"],
    ["tasks run --file names.txt --file ./etc/rules.json=rules.json -- cat names.txt rules.json", "with files of this machine"],
    ["tasks run --json --time 5m -- make", "each event as one line of JSON"],
    ["tasks run --engine native --model auto --prompt 'Mend the tests.' --approve-tool 'Bash(git *)'", "an agent; git waits for a word"],
  ],
  async run({ operands, given, fields, gateway, output }) {
    const isCommand = (given.engine ?? "command") === "command";
    if (isCommand && operands.length === 0)
      throw misuse("Say what to run: a command after --, or --engine with --model and --prompt", "--");
    if (!isCommand && operands.length > 0) throw misuse(`What ${given.engine} is to do is said by --prompt`, "--prompt");
    const argv = isCommand ? { argv: operands } : {};
    const files = await Promise.all((given.file ?? []).map(carried));
    const schema = given["output-schema"] === undefined ? {} : { output_schema: await schemaIn(given["output-schema"]) };
    const body = { engine: "command", ...nested(fields), ...schema, ...argv, ...(files.length > 0 ? { files } : {}) };
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

const approve = command({
  name: "tasks approve",
  summary: "Say the word that a call of a task waits for: yes, or no by --deny.",
  operands: ["<task>", "<approval>"],
  options: {
    deny: flag("it may not be; an agent is told so, a command never begins"),
    reason: text("what the agent is told beside it", "reason"),
  },
  examples: [
    [`tasks approve ${EXAMPLE} ${APPROVAL}`, "it goes on"],
    [`tasks approve ${EXAMPLE} ${APPROVAL} --deny --reason 'not on a Friday'`, "it is told why not"],
  ],
  async run({ operands: [id, approval], given, fields, gateway, output }) {
    const body = { id: approval, decision: given.deny ? "deny" : "approve", ...fields };
    await output.object((await gateway.write("POST", `${place(id)}/approve`, { as: "key", body })) ?? {});
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

/** `tasks run` and what follows from it: what a key runs itself. */
export const taskRuns: readonly Command[] = [run, events, approve, artifacts];

function place(id: string | undefined): string {
  return `${PATH}/${encodeURIComponent(id ?? "")}`;
}

/** A file of this machine, as a task is given it. */
async function carried(given: string): Promise<{ readonly path: string; readonly base64: string }> {
  const [name, inside] = given.includes("=")
    ? [given.slice(0, given.lastIndexOf("=")), given.slice(given.lastIndexOf("=") + 1)]
    : [given, given];
  return { path: inside.replace(/^(\.\/)+/, ""), base64: await readGiven("--file", name, "base64") };
}

/** A JSON schema out of a file of this machine. */
async function schemaIn(name: string): Promise<unknown> {
  const text = await readGiven("--output-schema", name, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Failure("failed", `--output-schema: ${name} holds no JSON`, { code: "file", param: "--output-schema", cause });
  }
}

async function readGiven(option: string, name: string, encoding: "base64" | "utf8"): Promise<string> {
  try {
    return await readFile(name, encoding);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Failure("failed", `${option}: ${name} cannot be read (${why})`, { code: "file", param: option, cause });
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
      await told(event, id, output);
      last = event;
    }
    return last?.type === "exit" ? endOf(last, output) : endOf({ seq: 0, type: "exit", data: await exitOf(gateway, id) }, output);
  } catch (error) {
    if (gateway.signal.aborted) await output.note(`\n${id} goes on: tollgate tasks events ${id}, or tasks cancel --mine ${id}`);
    throw error;
  }
}

async function told(event: TaskEvent, task: string, output: Output): Promise<void> {
  if (output.plain) return output.object({ ...event });
  const { id, tool, input, decision } = event.data;
  if (event.type === "approval" && decision === undefined) {
    await output.note(`${cell(tool)} waits for a word: ${cell(input)}\ntollgate tasks approve ${task} ${cell(id)}, or with --deny`);
  }
  if (event.type === "security") return output.note(`security: ${Object.values(event.data).join(" ")}`);
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
