import { parseArgs } from "node:util";
import { setTimeout as wait } from "node:timers/promises";

/**
 * `npm run scenarios -- --model openai/gpt-5.6`: four tasks for a live model, at the gateway of TOLLGATE_URL and as the key of TOLLGATE_KEY.
 * What came of each is judged by what it left, never by how it speaks. Ends with 1 where one has failed.
 */

const { values: given } = parseArgs({
  options: {
    model: { type: "string" },
    engine: { type: "string", default: "native" },
    "max-cost": { type: "string", default: "0.5" },
  },
});
const BASE = `${process.env["TOLLGATE_URL"] || "http://127.0.0.1:8787"}/v1/task`;
const AGAIN_MS = 500;
const NODE = "/opt/tollgate/node";

interface File {
  readonly path: string;
  readonly text: string;
}

interface Ended {
  readonly id: string;
  readonly exit_reason: string | null;
  readonly error: { readonly message: string } | null;
  readonly cost: { readonly spent_usd: string };
  readonly result: { readonly structured: unknown; readonly files: readonly { readonly path: string; readonly change: string }[] } | null;
}

/** The tasks of the scenario at hand, as they ended. */
const ended: Ended[] = [];

/** `median` sorts its numbers as texts. */
const STATS: File = {
  path: "stats.js",
  text: `export function mean(numbers) {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

export function median(numbers) {
  const sorted = [...numbers].sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
`,
};
const BROKEN: File = { path: "sum.sh", text: "echo $(($1 - $2))\n" };
const REVIEWER: File = {
  path: ".claude/agents/reviewer.md",
  text: "---\nname: reviewer\ndescription: Finds what is wrong with code.\ntools: Read\n---\nSay which function is wrong, and why.\n",
};

/** Each says what is wrong with what its tasks left; null where nothing is. */
const SCENARIOS: Readonly<Record<string, () => Promise<string | null>>> = {
  async analysis() {
    const output_schema = {
      type: "object",
      properties: { function: { type: "string" } },
      required: ["function"],
      additionalProperties: false,
    };
    const prompt = "One function of stats.js gives a wrong result for some numbers. Say which, by its name. Change nothing.";
    const task = await worked({ prompt, files: [STATS], mode: "analysis_only", output_schema });
    const named = (task.result?.structured as { readonly function?: unknown } | null)?.function;
    return named === "median" ? null : `it names ${JSON.stringify(named ?? null)}, and not median`;
  },

  async docs() {
    const prompt = "Write README.md: each function of stats.js by its name, what it does, and an example. Change nothing else.";
    const task = await worked({ prompt, files: [STATS] });
    const changed = (task.result?.files ?? []).map(({ path, change }) => `${change} ${path}`).join(", ");
    if (changed !== "added README.md") return `it was to add README.md, and came to: ${changed || "nothing"}`;
    const text = await left(task, "README.md");
    const missing = ["mean", "median"].filter((name) => !text.includes(name));
    return missing.length === 0 ? null : `README.md says nothing of ${missing.join(" and ")}`;
  },

  async tests() {
    const prompt =
      "sum.sh is to print the sum of its two arguments, and does not. Write test.sh, which exits 0 only where it does, run it with sh, " +
      "see it fail, mend sum.sh, and see it pass.";
    const task = await worked({ prompt, files: [BROKEN] });
    const files = [await kept(task, "sum.sh"), await kept(task, "test.sh"), { ...BROKEN, path: "broken.sh" }];
    const check = 'test "$(sh sum.sh 19 23)" = 42 && sh test.sh && cp broken.sh sum.sh && ! sh test.sh';
    const checked = await ran({ engine: "command", argv: ["sh", "-c", check], files });
    return checked.exit_reason === "ok" ? null : "sum.sh does not sum, or test.sh does not tell";
  },

  async agents() {
    const mended = await kept(given.engine === "claude-code" ? await underOneRoof() : await inTurns(), STATS.path);
    const check = 'import("/workspace/stats.js").then(({ median }) => process.exit(median([10, 9, 1]) === 9 ? 0 : 1))';
    const checked = await ran({
      engine: "command",
      argv: [NODE, "-e", check],
      files: [mended, { path: "package.json", text: '{"type":"module"}' }],
    });
    return checked.exit_reason === "ok" ? null : "the median of 10, 9 and 1 is not 9";
  },
};

/** An agent hands the looking to a sub-agent, and mends what that finds. */
async function underOneRoof(): Promise<Ended> {
  const prompt = "Have the sub-agent reviewer say what is wrong with stats.js. Then mend it as it says.";
  return worked({ prompt, files: [STATS, REVIEWER], allow_agents: ["reviewer"] });
}

/** One agent says what is wrong, and another, which knows nothing but that, mends it. */
async function inTurns(): Promise<Ended> {
  const looking =
    "Write review.md: which function of stats.js gives a wrong result for some numbers, and how to mend it. Change nothing else.";
  const reviewed = await worked({ prompt: looking, files: [STATS] });
  const review = await kept(reviewed, "review.md");
  return worked({ prompt: "Mend stats.js as review.md says. Change nothing else.", files: [STATS, review] });
}

async function call(path: string, body?: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${process.env["TOLLGATE_KEY"] ?? ""}`, "content-type": "application/json" };
  const answer = await fetch(`${BASE}${path}`, { headers, ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }) });
  if (answer.ok) return answer;
  const { error } = (await answer.json()) as { readonly error: { readonly message: string } };
  throw new Error(error.message);
}

/** Runs a task to its end. */
async function ran(asked: object): Promise<Ended> {
  const { id } = (await (await call("", asked)).json()) as Ended;
  for (;;) {
    const task = (await (await call(`/${id}`)).json()) as Ended;
    if (task.exit_reason !== null) return keep(task);
    await wait(AGAIN_MS);
  }
}

function keep(task: Ended): Ended {
  ended.push(task);
  return task;
}

/** Has the agent work. @throws Error where it did not come to its end well. */
async function worked(asked: object): Promise<Ended> {
  const task = await ran({ engine: given.engine, model: given.model, max_cost_usd: given["max-cost"], ...asked });
  if (task.exit_reason === "ok") return task;
  throw new Error(`${task.id} ended of ${task.exit_reason}: ${task.error?.message ?? ""}`);
}

/** A file that a task left. @throws Error where it left none. */
async function left({ id }: Ended, path: string): Promise<string> {
  return (await call(`/${id}/artifacts/${path}`)).text();
}

async function kept(task: Ended, path: string): Promise<File> {
  return { path, text: await left(task, path) };
}

async function play(): Promise<boolean> {
  let well = true;
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const began = performance.now();
    ended.length = 0;
    const wrong = await scenario().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    const usd = ended.reduce((sum, { cost }) => sum + Number(cost.spent_usd), 0);
    const figures = `${((performance.now() - began) / 1_000).toFixed(1)} s  ${usd.toFixed(6)} USD`;
    console.log(`${wrong === null ? "passed" : "failed"}  ${name.padEnd(8)}  ${figures}  ${wrong ?? ended.map(({ id }) => id).join(" ")}`);
    well &&= wrong === null;
  }
  return well;
}

if (given.model === undefined || !process.env["TOLLGATE_KEY"]) {
  console.error("Say --model <name>, and set TOLLGATE_KEY to a key that may call it and run tasks");
  process.exit(2);
}
process.exit((await play()) ? 0 : 1);
