import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Scripted, type Step } from "../agents/scripted.ts";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";

const admin = new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
let model: Scripted;
let key = "";

const call =
  (name: string, input: unknown): Step =>
  () => ({ name, input });
const write = (file_path: string, content: string) => call("Write", { file_path: `/workspace/${file_path}`, content });
const TEST = 'test "$(sh sum.sh 1 2)" = 3\n';
const MENDED = `export const mean = () => 0;
export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
`;

/** What a good model would do, by what it is asked. */
const SCRIPTS: readonly (readonly [string, readonly Step[]])[] = [
  ["Say which, by its name", [call("Read", { file_path: "stats.js" }), call("StructuredOutput", { function: "median" })]],
  ["Write README.md", [write("README.md", "# stats\n\nmean and median.\n"), "Written."]],
  ["Write test.sh", [write("test.sh", TEST), call("Bash", { command: "sh test.sh" }), write("sum.sh", "echo $(($1 + $2))\n"), "Mended."]],
  ["Write review.md", [write("review.md", "median sorts texts.\n"), "Written."]],
  ["as review.md says", [call("Read", { file_path: "review.md" }), write("stats.js", MENDED), "Mended."]],
];

beforeAll(async () => {
  model = await Scripted.start((asked) => SCRIPTS.find(([words]) => JSON.stringify(asked).includes(words))?.[1] ?? []);
  await admin.upstream("scenarios", "anthropic", model.origin, ["m-1"]);
  key = (await admin.key({ name: "scenarios", profile: "default" })).secret;
});
afterAll(() => model.stop());

const scenarios = (...words: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const env = { ...process.env, TOLLGATE_URL: inject("origin"), TOLLGATE_KEY: key };
    execFile(process.execPath, ["scripts/scenarios.ts", ...words], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });

describe.skipIf(UNABLE)("A60: npm run scenarios", () => {
  it("plays the four on the model that it is told, and judges each by what it left", async () => {
    const { code, out } = await scenarios("--model", "scenarios/m-1");
    expect(model.refused).toEqual([]);
    expect([
      code,
      out
        .trim()
        .split("\n")
        .map((line) => line.split(/ {2,}/).slice(0, 2)),
    ]).toEqual([0, ["analysis", "docs", "tests", "agents"].map((name) => ["passed", name])]);
  }, 120_000);

  it("says what is wrong with each, and ends with 1, where a model does nothing of what it is asked", async () => {
    const { code, out } = await scenarios("--model", "tollgate/echo");
    expect([code, out.match(/^failed/gm)?.length]).toEqual([1, 4]);
    expect(out).toContain("it was to add README.md");
  }, 120_000);

  it("says what it needs, and begins nothing, where it is told no model", async () => {
    expect(await scenarios()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("--model") as string });
  });
});
