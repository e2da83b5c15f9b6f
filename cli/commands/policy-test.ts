import { faultOf, LIMITS, type TestRun } from "#policy-workbench";
import { command } from "../command.ts";
import type { Exit } from "../failure.ts";
import type { Row } from "../gateway.ts";
import type { Output } from "../output.ts";
import type { Column } from "../print.ts";
import { problemLine } from "../problem.ts";
import { passes, policyFiles, type Tried, tryFile, workbench } from "../workbench.ts";

const COLUMNS: readonly Column[] = [
  { head: "POLICY", path: "policy" },
  { head: "TEST", path: "name" },
  { head: "STAGE", path: "stage" },
  { head: "FUEL", path: "fuel", figure: true },
  { head: "CAME TO", path: "outcome" },
  { head: "RESULT", path: "result" },
];

/** `policy test`: what an upload would say, without one. */
export const policyTest = command({
  name: "policy test",
  summary: "Try policies without a gateway: read, register and run their own tests in the engine that a gateway has.",
  more: `A file, a folder with an index.ts, or a folder of such folders; plugins where nothing is named. Nothing is sent anywhere.
What can never work is told with its line and column; then the policy is loaded, with ${figure(LIMITS.loadFuel)} units of fuel, and each of
its tests is asked on a policy freshly loaded, with ${figure(LIMITS.evaluationFuel)}. Fuel is the same on every machine. What a policy writes
to its console is shown below. Types are not checked: an editor and tsc do that. Ends with 4 where a test fails, or a
policy would be refused.`,
  operands: ["[file|folder]…"],
  options: {},
  examples: [
    ["policy test", "every policy in plugins"],
    ["policy test plugins/business-hours", "one of them"],
    ["policy test mine.ts other.ts --json", "two files, for a program: one line for each policy"],
  ],
  async run({ operands, output }): Promise<Exit> {
    const bench = workbench();
    const tried: Tried[] = [];
    for (const file of policyFiles(operands.length === 0 ? ["plugins"] : operands)) tried.push(await tryFile(file, bench));
    if (output.plain) for (const each of tried) await output.object(report(each));
    else await show(tried, output);
    return tried.every(passes) ? "ok" : "no";
  },
});

function figure(count: number): string {
  return count.toLocaleString("en-US");
}

/** One policy, for a program. */
function report(tried: Tried): Row {
  const { file, kind } = tried;
  const head = { object: "policy_test", file, passed: passes(tried) };
  if (kind === "refused") return { ...head, name: null, version: null, load_fuel: null, problems: tried.problems, tests: [] };
  const { name, version, loadFuel } = tried.described;
  return { ...head, name, version, load_fuel: loadFuel, problems: [], tests: tried.runs.map(testRow) };
}

function testRow(run: TestRun): Row {
  const { name, stage, evaluation } = run;
  const { fuel, result, logs = "" } = evaluation;
  const fault = faultOf(run);
  return { name, stage, passed: fault === null, outcome: outcomeOf(result), fault, fuel, logs: logs.split("\n").filter(Boolean) };
}

/** What an evaluation came to, in a word. */
export function outcomeOf(result: TestRun["evaluation"]["result"]): string {
  if (result.kind === "failed") return `failed: ${result.failure}`;
  return result.value.allowed ? "allowed" : "denied";
}

async function show(tried: readonly Tried[], output: Output): Promise<void> {
  const rows = tried.flatMap((each): Row[] => {
    if (each.kind === "refused") return [{ policy: each.file, name: null, result: "REFUSED" }];
    const { name: policy, loadFuel } = each.described;
    const tests = each.runs.map((run) => ({ ...testRow(run), policy, result: faultOf(run) === null ? "passed" : "FAILED" }));
    return [{ policy, name: "(is loaded)", fuel: loadFuel, result: "passed" }, ...tests];
  });
  await output.text(`${output.table(COLUMNS, rows).join("\n")}\n`);
  for (const each of tried) await explain(each, output);
  const tests = tried.flatMap((each) => (each.kind === "described" ? each.runs : []));
  const failed = tests.filter((run) => faultOf(run) !== null).length;
  const refused = tried.filter(({ kind }) => kind === "refused").length;
  await output.note(
    `${tried.length} ${tried.length === 1 ? "policy" : "policies"}, ${refused} refused; ${tests.length} tests, ${failed} failed.`,
  );
}

/** What stands behind a policy's rows: why it is refused, why a test fails, what it wrote. */
async function explain(tried: Tried, output: Output): Promise<void> {
  if (tried.kind === "refused") {
    for (const problem of tried.problems) await output.note(problemLine(problem));
    return;
  }
  const { name } = tried.described;
  if (tried.runs.length === 0) await output.warn(`${name} has no tests: nobody knows what it decides`);
  for (const run of tried.runs) {
    const fault = faultOf(run);
    const { result, logs = "" } = run.evaluation;
    if (fault !== null) await output.note(`${name}, ${run.name}: ${fault}`);
    if (fault !== null && result.kind === "decision") await output.note(`  it decided ${JSON.stringify(result.value)}`);
    for (const line of logs.split("\n").filter(Boolean)) await output.note(`  ${name}, ${run.name}, wrote: ${line}`);
  }
}
