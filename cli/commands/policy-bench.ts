import { type Evaluation, LIMITS, type Question, type Stage, type Workbench } from "#policy-workbench";
import { command } from "../command.ts";
import type { Exit } from "../failure.ts";
import type { Row } from "../gateway.ts";
import type { Output } from "../output.ts";
import { count, counts, type OptionTable } from "../option.ts";
import type { Column } from "../print.ts";
import { contextOf, hasSize } from "../sample-context.ts";
import { problemLine } from "../problem.ts";
import { policyFiles, type Tried, tryFile, workbench } from "../workbench.ts";
import { outcomeOf } from "./policy-test.ts";

const SIZES_KB = [1, 10, 100, 1_000];
/** Times that something is asked: until so many milliseconds have gone, or so often. */
const BUDGET_MS = 60;
const TIMES = { least: 3, most: 200 };
const COLUMNS: readonly Column[] = [
  { head: "POLICY", path: "policy" },
  { head: "STAGE", path: "stage" },
  { head: "OVER", path: "over" },
  { head: "FUEL", path: "fuel", figure: true },
  { head: "% OF LIMIT", path: "percent", figure: true },
  { head: "MS", path: "ms", figure: true },
  { head: "CAME TO", path: "outcome" },
];

const options = {
  size: counts(`kilobytes of text in a prompt or an answer, in place of ${SIZES_KB.join(", ")}`, 1),
  "max-fuel": count("end with 4 where a decision burns more", undefined, 1),
} satisfies OptionTable;

/** `policy bench`: what a policy burns. */
export const policyBench = command({
  name: "policy bench",
  summary: "Say what policies burn: fuel and time per stage, over texts of several sizes and over their own tests.",
  more: `Files and folders as for policy test; nothing is sent anywhere. Fuel is deterministic: the same policy and context burn the same here
and in every gateway, so --max-fuel is a bar that CI can hold. Milliseconds are this machine's, the median of several runs
in Node. A policy that reads no text is asked about one request of a usual kind; what is over the limit fails, and is shown
as what it is. Ends with 4 where --max-fuel is passed, or a policy would be refused.`,
  operands: ["[file|folder]…"],
  options,
  examples: [
    ["policy bench", "every policy in plugins"],
    ["policy bench plugins/pii-redact --size 10 --size 50", "prompts of 10 and 50 KB"],
    ["policy bench --size 10 --max-fuel 1000000 --json", "a bar for CI, one line for each policy"],
  ],
  async run({ operands, given, output }): Promise<Exit> {
    const bench = workbench();
    const bar = { sizes: given.size ?? SIZES_KB, most: given["max-fuel"] ?? null };
    const measured: Report[] = [];
    let refused = 0;
    for (const file of policyFiles(operands.length === 0 ? ["plugins"] : operands)) {
      await output.progress(`asking ${file}`);
      const tried = await tryFile(file, bench);
      if (tried.kind === "described") measured.push(reportOf(tried, bench, bar));
      else for (const problem of tried.problems) await output.note(problemLine(problem));
      if (tried.kind === "refused") refused++;
    }
    await output.progress("");
    const over = await show(measured, bar, output);
    return over > 0 || refused > 0 ? "no" : "ok";
  },
});

/** Shows what was measured. @returns how many decisions burn more than they may. */
async function show(measured: readonly Report[], { most }: Bar, output: Output): Promise<number> {
  if (output.plain) for (const report of measured) await output.object(report);
  else await output.text(`${output.table(COLUMNS, measured.flatMap(tableRows)).join("\n")}\n`);
  const over = measured.flatMap(({ rows }) => rows).filter(({ over_max }) => over_max).length;
  if (over > 0) await output.note(`${over} decisions burn more than ${most}.`);
  return over;
}

/** One question, and what it burnt. */
interface Measured {
  readonly stage: Stage;
  /** The size of its text, the name of the policy's own test, or `a request`. */
  readonly over: string;
  readonly fuel: number;
  readonly ms: number;
  readonly outcome: string;
  readonly over_max: boolean;
}

type Described = Extract<Tried, { kind: "described" }>;
/** One policy, as a program is told of it. */
type Report = Row & { readonly name: string; readonly load_fuel: number; readonly rows: readonly Measured[] };
type Bar = { readonly sizes: readonly number[]; readonly most: number | null };

function reportOf(tried: Described, bench: Workbench, bar: Bar): Report {
  const { file, hash, described } = tried;
  const { name, version, loadFuel, stages, needs } = described;
  const asked = (question: Omit<Question, "hash">, over: string) => measuredOf({ ...question, hash }, over, { bench, most: bar.most });
  const sized = stages.flatMap((stage) => {
    if (!hasSize(stage, needs)) return [asked({ stage, settings: {}, context: contextOf(stage, needs, 1) }, "a request")];
    return bar.sizes.map((kb) => asked({ stage, settings: {}, context: contextOf(stage, needs, kb) }, `${kb} KB`));
  });
  const tests = tried.runs.map(({ name: over, stage, settings, context }) => asked({ stage, settings, context }, over));
  return {
    object: "policy_bench",
    file,
    name,
    version,
    load_fuel: loadFuel,
    fuel_limit: LIMITS.evaluationFuel,
    rows: [...sized, ...tests],
  };
}

function measuredOf(
  question: Question,
  over: string,
  { bench, most }: { readonly bench: Workbench; readonly most: number | null },
): Measured {
  const times: number[] = [];
  let evaluation: Evaluation;
  const until = performance.now() + BUDGET_MS;
  do {
    const from = performance.now();
    evaluation = bench.ask(question);
    times.push(performance.now() - from);
  } while (times.length < TIMES.least || (times.length < TIMES.most && performance.now() < until));
  const { fuel, result } = evaluation;
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
  const ms = Number(median.toFixed(3));
  return { stage: question.stage, over, fuel, ms, outcome: outcomeOf(result), over_max: most !== null && fuel > most };
}

function tableRows({ name, load_fuel: loadFuel, rows }: Report): Row[] {
  const loaded = { policy: name, stage: null, over: "(is loaded)", fuel: loadFuel, percent: percent(loadFuel, LIMITS.loadFuel) };
  const asked = rows.map((row) => ({
    ...row,
    policy: name,
    percent: percent(row.fuel, LIMITS.evaluationFuel),
    outcome: row.over_max ? `${row.outcome}, OVER` : row.outcome,
  }));
  return [loaded, ...asked];
}

function percent(fuel: number, limit: number): string {
  return ((fuel / limit) * 100).toFixed(2);
}
