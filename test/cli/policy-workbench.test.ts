import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { emptyFolder, type Ran, rows, tollgate } from "./run.ts";

/** Nothing of these commands needs a gateway: there is none at this address. */
const NOWHERE = { TOLLGATE_URL: "http://127.0.0.1:9", TOLLGATE_ADMIN_KEY: "" };

interface Tried {
  readonly file: string;
  readonly passed: boolean;
  readonly name: string | null;
  readonly load_fuel: number | null;
  readonly problems: readonly { readonly file: string; readonly line: number; readonly column: number; readonly message: string }[];
  readonly tests: readonly { readonly name: string; readonly passed: boolean; readonly outcome: string; readonly fault: string | null; readonly fuel: number; readonly logs: string[] }[]; // prettier-ignore
}

/** A folder of an author's own, far from the checkout, with a policy in each of the folders named. */
function written(policies: Readonly<Record<string, string>>): string {
  const folder = emptyFolder();
  for (const [name, text] of Object.entries(policies)) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "index.ts"), text);
  }
  return folder;
}

const NO_TOOLS = `import { definePolicy, type Request } from "#plugin-sdk";
const reason: string = "Tools are not allowed here.";
const brings = ({ tools }: Pick<Request, "tools">) => tools;
export default definePolicy({
  name: "no-tools",
  version: "1.0.0",
  needs: ["request"],
  evaluate({ request }) {
    console.log("asked about", request.tools);
    return brings(request) ? { allowed: false, reason } : { allowed: true };
  },
  tests: [
    { name: "tools", context: { request: { tools: true } }, expect: { allowed: false } },
    { name: "none", context: { request: { tools: false } }, expect: { allowed: true } },
  ],
});
`;
const FAILING = NO_TOOLS.replace('name: "no-tools"', 'name: "wrong"').replace("expect: { allowed: true }", "expect: { allowed: false }");
const LOOKS_OUT = NO_TOOLS.replace(
  'const reason: string = "',
  'import { readFileSync } from "node:fs";\nvoid readFileSync;\nconst reason: string = "',
);
const EVALS = NO_TOOLS.replace("return brings(request)", 'eval("1");\n    return brings(request)');

const parsed = ({ out }: Ran) => out.trim().split("\n").map((line) => JSON.parse(line) as Tried); // prettier-ignore

describe("tollgate policy test", () => {
  it("D14: runs every example's tests in the gateway's own engine, without a gateway, and says what each burnt", async () => {
    const folder = resolve(".");
    const tried = await rows<Tried>(["policy", "test"], { env: NOWHERE, folder });
    expect(tried.length).toBeGreaterThanOrEqual(7);
    for (const { name, passed, load_fuel, tests } of tried) {
      expect([name, passed, tests.every((test) => test.passed && test.fuel > 0)]).toEqual([name, true, true]);
      expect(load_fuel).toBeGreaterThan(10_000);
    }
  });

  it("tries policies of a folder far from the checkout, several at once, with what they write", async () => {
    const folder = written({ first: NO_TOOLS, second: NO_TOOLS.replace("no-tools", "second") });
    const ran = await tollgate(["policy", "test", "first", "second/index.ts"], { env: NOWHERE, folder });
    expect([ran.code, ran.err]).toEqual([0, expect.stringContaining("2 policies, 0 refused; 4 tests, 0 failed.")]);
    expect(ran.out).toMatch(/no-tools +tools +evaluate +\d+ +denied +passed/);
    expect(ran.err).toContain("no-tools, tools, wrote: asked about true");
    const again = await tollgate(["policy", "test", ".", "--json"], { env: NOWHERE, folder });
    expect(parsed(again).map(({ name, tests }) => [name, tests.map(({ logs }) => logs)])).toEqual([
      ["no-tools", [["asked about true"], ["asked about false"]]],
      ["second", [["asked about true"], ["asked about false"]]],
    ]);
  });

  it("ends with 4 where a test fails, and says what was decided and what was expected", async () => {
    const folder = written({ wrong: FAILING, right: NO_TOOLS });
    const ran = await tollgate(["policy", "test", "."], { env: NOWHERE, folder });
    expect([ran.code, ran.out]).toEqual([4, expect.stringMatching(/wrong +none +evaluate +\d+ +allowed +FAILED/)]);
    expect(ran.err).toContain("wrong, none: allowed: is true, expected false");
    expect(ran.err).toContain('it decided {"allowed":true');
    const [wrong] = parsed(await tollgate(["policy", "test", "wrong", "--json"], { env: NOWHERE, folder }));
    expect(wrong).toMatchObject({ passed: false, tests: [{ passed: true }, { passed: false, fault: "allowed: is true, expected false" }] });
  });

  it.each([
    ["an import", LOOKS_OUT, 2, 30, "node:fs"],
    ["eval", EVALS, 10, 5, "calls eval"],
    ["a syntax that is none", NO_TOOLS.replace("version:", "version"), 6, 11, "Expected"],
  ])("refuses %s by the line and column of the author's own file, with 4", async (_, text, line, column, message) => {
    const folder = written({ mine: text });
    const ran = await tollgate(["policy", "test", "mine"], { env: NOWHERE, folder });
    expect([ran.code, ran.err]).toEqual([4, expect.stringContaining(`mine/index.ts:${line}:${column}: `)]);
    const [tried] = parsed(await tollgate(["policy", "test", "mine", "--json"], { env: NOWHERE, folder }));
    expect(tried).toMatchObject({ passed: false, name: null, problems: [{ line, column, message: expect.stringContaining(message) }] });
  });

  it.each([
    ["a fact that is not declared", NO_TOOLS.replace('needs: ["request"]', 'needs: ["time"]'), "request is not among the policy's needs"],
    ["a loop at load", `for (;;);\n${NO_TOOLS}`, "load: fuel"],
    [
      "an onUnload that throws",
      NO_TOOLS.replace("evaluate(", "onUnload() { throw new Error('stuck'); },\n  evaluate("),
      "onUnload: Error: stuck",
    ],
    [
      "what no chain grants",
      NO_TOOLS.replace("{ allowed: true };", '{ allowed: true, obligations: [{ type: "reboot" as never }] };'),
      "obligations.0.type: must be one of",
    ],
  ])("refuses %s, with 4", async (_, text, message) => {
    const folder = written({ mine: text });
    const ran = await tollgate(["policy", "test", "mine"], { env: NOWHERE, folder });
    expect([ran.code, ran.err]).toEqual([4, expect.stringContaining(message)]);
  });

  it("warns of a policy that has no tests, and of a place that holds none", async () => {
    const folder = written({ mine: NO_TOOLS.replace(/ {2}tests: \[[\s\S]*\],\n/, "") });
    const ran = await tollgate(["policy", "test", "mine"], { env: NOWHERE, folder });
    expect([ran.code, ran.err]).toEqual([0, expect.stringContaining("no-tools has no tests")]);
    for (const argv of [["nowhere.ts"], []])
      expect(await tollgate(["policy", "test", ...argv], { env: NOWHERE, folder })).toMatchObject({
        code: 1,
        err: expect.stringContaining("is not there"),
      });
    expect(await tollgate(["policy", "test", emptyFolder()], { env: NOWHERE })).toMatchObject({
      code: 1,
      err: expect.stringContaining("holds no policy"),
    });
  });
});

interface Benched {
  readonly name: string;
  readonly load_fuel: number;
  readonly rows: readonly { readonly stage: string; readonly over: string; readonly fuel: number; readonly ms: number; readonly outcome: string; readonly over_max: boolean }[]; // prettier-ignore
}

describe("tollgate policy bench", () => {
  const benched = (argv: readonly string[]) => rows<Benched>(["policy", "bench", ...argv], { env: NOWHERE, folder: resolve(".") });
  const fuels = ({ rows: all }: Benched) => all.map(({ stage, over, fuel }) => [stage, over, fuel]);

  it("says what each stage burns over texts of several sizes, and the same fuel again and again, as the tests do", async () => {
    const [first] = await benched(["plugins/pii-redact", "--size", "1", "--size", "2"]);
    const [again] = await benched(["plugins/pii-redact", "--size", "1", "--size", "2"]);
    expect(fuels(again!)).toEqual(fuels(first!));
    const sized = first!.rows.slice(0, 6);
    expect(sized.map(({ stage, over }) => [stage, over])).toEqual(
      ["evaluate", "onResponse", "onChunk"].flatMap((stage) => [
        [stage, "1 KB"],
        [stage, "2 KB"],
      ]),
    );
    for (const at of [0, 2, 4]) expect(sized[at + 1]!.fuel / sized[at]!.fuel).toBeGreaterThan(1.5);
    for (const { ms, outcome } of sized) expect([ms > 0, outcome]).toEqual([true, "allowed"]);
    const [tried] = await rows<Tried>(["policy", "test", "plugins/pii-redact"], { env: NOWHERE, folder: resolve(".") });
    expect(first!.rows.slice(6).map(({ over, fuel }) => [over, fuel])).toEqual(tried!.tests.map(({ name, fuel }) => [name, fuel]));
    expect(first!.load_fuel).toBe(tried!.load_fuel);
  });

  it("asks a policy that reads no text about one request, and shows what a limit stops as what it is", async () => {
    const endless = NO_TOOLS.replace("return brings", "for (;;);\n    return brings").replace(/ {2}tests: \[[\s\S]*\],\n/, "");
    const folder = written({ mine: endless });
    const [row] = await rows<Benched>(["policy", "bench", "mine"], { env: NOWHERE, folder });
    expect(row!.rows).toMatchObject([{ stage: "evaluate", over: "a request", fuel: 10_000_000, outcome: "failed: fuel", over_max: false }]);
  });

  it("ends with 4 where a decision burns more than --max-fuel, and with 0 at what it burns exactly", async () => {
    const argv = ["policy", "bench", "plugins/max-tokens-cap"];
    const [row] = await benched(["plugins/max-tokens-cap"]);
    const most = Math.max(...row!.rows.map(({ fuel }) => fuel));
    const run = (bar: number) => tollgate([...argv, "--max-fuel", String(bar)], { env: NOWHERE, folder: resolve(".") });
    expect(await run(most)).toMatchObject({ code: 0 });
    expect(await run(most - 1)).toMatchObject({
      code: 4,
      out: expect.stringContaining("OVER"),
      err: expect.stringContaining(`burn more than ${most - 1}`),
    });
  });

  it("ends with 4 where a policy would be refused", async () => {
    const ran = await tollgate(["policy", "bench", "mine"], { env: NOWHERE, folder: written({ mine: EVALS }) });
    expect([ran.code, ran.err]).toEqual([4, expect.stringContaining("mine/index.ts:10:5: calls eval")]);
  });
});
