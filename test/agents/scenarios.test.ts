import { execFile } from "node:child_process";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import type { Step } from "./scripted.ts";
import { call, ENGINES, stage, TOOLS } from "./stage.ts";

const gateway = { origin: inject("origin"), adminKey: inject("adminKey") };
const PROFILE = "agents-scenarios";
const MENDED = `export const mean = () => 0;
export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
`;

beforeAll(async () => {
  const tools = ["Read", "Write", "Bash", "Agent"];
  const rest = { agents: ["reviewer"], memory_mb: 1024, cpu_cores: 2, disk_mb: 256 };
  await new Admin(gateway).call("POST", "/profiles", { name: PROFILE, engines: [...ENGINES, "command"], tools, ...rest });
});

describe.skipIf(UNABLE).each(ENGINES)("A60: npm run scenarios --engine %s", (engine) => {
  const { read, write, sh } = TOOLS[engine];
  const structured: Step = engine === "codex" ? '{"function":"median"}' : call("StructuredOutput", { function: "median" });
  const reviewer = { subagent_type: "reviewer", description: "Review", prompt: "Look at stats.js", run_in_background: false };
  /** What a good model would do, by words of what it is asked; a sub-agent's own come first. */
  const scripts: readonly (readonly [string, readonly Step[]])[] = [
    ["Say which function is wrong", [read("stats.js"), "median sorts its numbers as texts."]],
    ["Have the sub-agent reviewer", [call("Agent", reviewer), read("stats.js"), write("stats.js", MENDED), "Mended."]],
    ["Say which, by its name", [read("stats.js"), structured, "median"]],
    ["Write README.md", [read("stats.js"), write("README.md", "# stats\n\nmean and median.\n"), "Written."]],
    [
      "Write test.sh",
      [
        read("sum.sh"),
        write("test.sh", 'test "$(sh sum.sh 1 2)" = 3\n'),
        sh("sh test.sh"),
        write("sum.sh", "echo $(($1 + $2))\n"),
        sh("sh test.sh"),
        "Mended.",
      ],
    ],
    ["Write review.md", [read("stats.js"), write("review.md", "median sorts its numbers as texts.\n"), "Written."]],
    ["as review.md says", [read("stats.js"), read("review.md"), write("stats.js", MENDED), "Mended."]],
  ];

  it("plays the four, and judges each by what it left", async () => {
    const script = (asked: object) => scripts.find(([words]) => JSON.stringify(asked).includes(words))?.[1] ?? [];
    const { upstream, secret, model } = await stage(gateway, { engine, script, profile: PROFILE });
    const out = await new Promise<string>((resolve) => {
      const env = { ...process.env, TOLLGATE_URL: gateway.origin, TOLLGATE_KEY: secret };
      execFile(process.execPath, ["scripts/scenarios.ts", "--model", model, "--engine", engine], { env }, (_, said) => resolve(said));
    });
    expect(upstream.refused).toEqual([]);
    expect(out.match(/^(passed|failed) +\w+/gm)).toEqual(["analysis", "docs", "tests", "agents"].map((name) => `passed  ${name}`));
    const spoke = upstream.heard.some(({ results }) => results.some((each) => each.includes("median sorts its numbers as texts.")));
    expect(spoke).toBe(true);
  }, 240_000);
});
