import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EXITS } from "../../runner/native/contract.ts";
import { call, FakeGateway, NativeAgent, resultsOf, type Step } from "../support/native.ts";

let gateway: FakeGateway;
let agent: NativeAgent;
beforeEach(async () => {
  gateway = await FakeGateway.start();
  agent = new NativeAgent({ "a.txt": "one\ntwo\nthree\n", "src/b.ts": "export const b = 1;\n" });
});
afterEach(async () => {
  await gateway.stop();
  agent.remove();
});

const DONE: Step = { blocks: ["Done."] };

/** Plays a script to its end; the results that the model was given, by the calls' ids. */
async function played(steps: readonly Step[], asked: Parameters<NativeAgent["run"]>[1] = {}) {
  gateway.steps = steps;
  const went = await agent.run(gateway.origin, asked);
  return { ...went, results: resultsOf(gateway.calls.at(-1)!) };
}

describe("the native agent's tools", () => {
  it("A14: read, find, write, change and run, and the model is told what each came to, in the order of its calls", async () => {
    const { code, result, results, lines } = await played([
      {
        blocks: [
          "I look around.",
          call("c1", "Read", { file_path: "a.txt", offset: 2, limit: 1 }),
          call("c2", "Glob", { pattern: "**/*.ts" }),
          call("c3", "Grep", { pattern: "t\\w+", path: "a.txt", output_mode: "content", "-n": true }),
        ],
      },
      {
        blocks: [
          call("c4", "Write", { file_path: "out/new/c.txt", content: "größer\n" }),
          call("c5", "Edit", { file_path: join(agent.workspace, "src/b.ts"), old_string: "b = 1", new_string: "b = 2" }),
          call("c6", "Bash", { command: "cat out/new/c.txt src/b.ts; echo oops >&2" }),
        ],
      },
      { blocks: ["All is done."] },
    ]);
    expect([code, result]).toEqual([0, { type: "result", turns: 3, reason: "ok", text: "All is done.", structured: null, message: null }]);
    expect([...results.keys()]).toEqual(["c1", "c2", "c3", "c4", "c5", "c6"]);
    expect(results.get("c1")?.content).toBe("     2\ttwo\n(1 more lines)");
    expect(results.get("c2")?.content).toBe("src/b.ts");
    expect(results.get("c3")?.content).toBe("a.txt:2:two\na.txt:3:three");
    expect(results.get("c6")?.content).toBe("größer\nexport const b = 2;\noops");
    expect(readFileSync(join(agent.workspace, "src/b.ts"), "utf8")).toBe("export const b = 2;\n");
    expect(lines.map(({ type }) => type)).toEqual([
      "system",
      "text",
      ...Array<string>(3).fill("tool_use"),
      ...Array<string>(3).fill("tool_result"),
      ...Array.from({ length: 3 }, () => ["tool_use", "tool_result"]).flat(),
      "text",
      "result",
    ]);
  });

  it("A37: nothing outside of the workspace is read or written, by whatever name or link", async () => {
    const outside = join(agent.home, "secret.txt");
    writeFileSync(outside, "secret");
    symlinkSync(outside, join(agent.workspace, "link.txt"));
    symlinkSync(agent.home, join(agent.workspace, "up"));
    execFileSync("mkfifo", [join(agent.workspace, "pipe")]);
    const names = [
      "../secret.txt",
      "src/../../secret.txt",
      outside,
      "link.txt",
      "up/secret.txt",
      "/etc/passwd",
      "/proc/self/environ",
      "pipe",
    ];
    const calls = names.flatMap((file_path, at) => [
      call(`r${at}`, "Read", { file_path }),
      call(`w${at}`, "Write", { file_path, content: "changed" }),
      call(`e${at}`, "Edit", { file_path, old_string: "secret", new_string: "changed" }),
    ]);
    const looks = [
      call("g1", "Glob", { pattern: "../*" }),
      call("g2", "Glob", { pattern: "*", path: "up" }),
      call("g3", "Grep", { pattern: "secret", path: "up", output_mode: "content" }),
      call("g4", "Grep", { pattern: "secret", path: "link.txt", output_mode: "content" }),
    ];
    const own = [call("o1", "Grep", { pattern: "secret", output_mode: "content" }), call("o2", "Glob", { pattern: "**/*secret*" })];
    const { results } = await played([{ blocks: [...calls, ...looks, ...own] }, DONE]);
    for (const { id } of [...calls, ...looks]) expect([id, results.get(id)?.is_error]).toEqual([id, true]);
    for (const { id } of own) expect(results.get(id)?.content).toMatch(/^No /);
    expect(JSON.stringify([...results.values()].map(({ content }) => content))).not.toMatch(/root:x|PATH=/);
    expect(readFileSync(outside, "utf8")).toBe("secret");
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["Read", { file_path: "none.txt" }, "there is no such file"],
    ["Read", { file_path: "src" }, "is a folder|no regular file"],
    ["Read", { file_path: 7 }, "file_path: must be a text"],
    ["Read", { file_path: "a.txt", offset: 9 }, "the file has 3 lines"],
    ["Edit", { file_path: "a.txt", old_string: "e", new_string: "E" }, "stands there 3 times"],
    ["Edit", { file_path: "a.txt", old_string: "four", new_string: "4" }, "does not stand there"],
    ["Grep", { pattern: "(" }, "pattern: .*parenthes"],
    ["Bash", { command: "echo before; exit 3" }, "^before\\nExit code 3\\.$"],
    ["Bash", { command: "sleep 30", timeout: 100 }, "ended after 100 ms"],
    ["Fly", {}, "There is no tool Fly"],
  ])("%s %j is told to fail, and why", async (name, input, reason) => {
    const { results, code } = await played([{ blocks: [call("c1", name, input)] }, DONE]);
    expect([results.get("c1")?.is_error, results.get("c1")?.content, code]).toEqual([true, expect.stringMatching(reason), 0]);
  });

  it("a long output is shown without its middle, and what a command leaves running is not waited for", async () => {
    const command = "seq 1 100000; (sleep 15 &) ; echo the end";
    const before = performance.now();
    const { results, bytes } = await played([{ blocks: [call("c1", "Bash", { command })] }, DONE]);
    const { content = "" } = results.get("c1") ?? {};
    expect(performance.now() - before).toBeLessThan(12_000);
    expect(content).toMatch(/^1\n2\n[^]*characters are left out here[^]*\nthe end$/);
    expect(content.length).toBeLessThan(31_000);
    expect(bytes).toBeLessThan(12_000);
  });

  it("an input that was cut off is not guessed at", async () => {
    const { results, result } = await played([{ blocks: [call("c1", "Write", '{"file_path": "x.txt", "content": "half')] }, DONE]);
    expect([results.get("c1")?.is_error, results.get("c1")?.content]).toEqual([true, expect.stringContaining("cut off")]);
    expect([existsSync(join(agent.workspace, "x.txt")), gateway.asked, result.reason]).toEqual([false, [], "ok"]);
  });
});

describe("a permission", () => {
  const write = call("c1", "Write", { file_path: "x.txt", content: "x" });

  it("A15: is asked for each call in the form of Claude Code's hook, and a no is told to the model with its reason", async () => {
    gateway.verdict = ({ tool_name }) =>
      tool_name === "Write"
        ? { permissionDecision: "deny", permissionDecisionReason: "not in the profile" }
        : { permissionDecision: "allow" };
    const { results } = await played([{ blocks: [write, call("c2", "Read", { file_path: "a.txt" })] }, DONE]);
    expect(gateway.asked[0]).toEqual({
      hook_event_name: "PreToolUse",
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      tool_name: "Write",
      tool_input: { file_path: "x.txt", content: "x" },
      tool_use_id: "c1",
    });
    expect(results.get("c1")).toMatchObject({ is_error: true, content: "Not permitted: not in the profile" });
    expect(results.get("c2")?.content).toContain("one");
    expect(existsSync(join(agent.workspace, "x.txt"))).toBe(false);
  });

  it.each<[string, (nth: number) => number | { permissionDecision: string }, boolean]>([
    ["404", () => 404, false],
    ["403", () => 403, false],
    ["500, again and again", () => 500, false],
    ["ask", () => ({ permissionDecision: "ask" }), false],
    ["500 once, then a yes", (nth) => (nth === 1 ? 500 : { permissionDecision: "allow" }), true],
  ])("without a clear yes nothing runs: %s", async (_, verdict, runs) => {
    gateway.verdict = (_question, nth) => verdict(nth);
    const { results } = await played([{ blocks: [write] }, DONE]);
    expect([existsSync(join(agent.workspace, "x.txt")), results.get("c1")?.is_error ?? false]).toEqual([runs, !runs]);
  });
});

describe("the native agent stops", () => {
  const look = call("c1", "Read", { file_path: "a.txt" });

  it("at its limit of turns", async () => {
    const steps = [1, 2, 3, 4].map((nth): Step => ({ blocks: [call(`c${nth}`, "Read", { file_path: "a.txt", limit: nth })] }));
    const { code, result } = await played(steps, { turnsMax: 3 });
    expect([code, result.reason, result.turns, gateway.calls.length]).toEqual([EXITS.turns, "turns", 3, 3]);
  });

  it("where the same call comes to the same a third time", async () => {
    const { code, result } = await played([{ blocks: [look] }]);
    expect([code, result.reason, result.turns]).toEqual([EXITS.no_progress, "no_progress", 3]);
    expect(result.message).toContain("Read was called 3 times");
  });

  it("not where something was changed between", async () => {
    const steps = [1, 2, 3, 4].flatMap((nth): Step[] => [
      { blocks: [look] },
      { blocks: [call("c2", "Write", { file_path: "x.txt", content: `${nth}` })] },
    ]);
    expect((await played([...steps, DONE])).result.reason).toBe("ok");
  });

  it("where every call failed in three turns in a row", async () => {
    const steps = [1, 2, 3, 4].map((nth): Step => ({ blocks: [call(`c${nth}`, "Read", { file_path: `none-${nth}` })] }));
    const { result } = await played(steps);
    expect([result.reason, result.turns]).toEqual(["no_progress", 3]);
  });

  it("A21: after one refused call where there is no money left, and says so", async () => {
    const refused: Step = {
      status: 402,
      headers: { "x-should-retry": "false" },
      error: { type: "billing_error", message: "The task's lease is used up", code: "budget_exceeded" },
    };
    const { code, result, stderr } = await played([{ blocks: ["I begin.", look] }, refused]);
    expect([code, result.reason, result.text, gateway.calls.length]).toEqual([EXITS.budget, "budget", "I begin.", 2]);
    expect([result.message, stderr]).toEqual(["The task's lease is used up", "The task's lease is used up\n"]);
  });

  it("A21: where a stream ends in the word that there is no money left", async () => {
    const ended: Step = { blocks: ["Half"], ends: { type: "billing_error", message: "used up", code: "budget_exceeded" } };
    const { result } = await played([ended]);
    expect([result.reason, gateway.calls.length]).toEqual(["budget", 1]);
  });
});

describe("a call of the model", () => {
  const busy: Step = { status: 529, error: { type: "overloaded_error", message: "Overloaded" } };
  const never: Step = { status: 500, headers: { "x-should-retry": "false" }, error: { type: "api_error", message: "No." } };

  it("is sent again where the answer says that it makes sense, and not where it says that it does not", async () => {
    expect([(await played([busy, busy, DONE])).result.reason, gateway.calls.length]).toEqual(["ok", 3]);
    gateway.calls.length = 0;
    const { result } = await played([never, DONE]);
    expect([result.reason, result.message, gateway.calls.length]).toEqual(["error", "No.", 1]);
  });

  it.each<[string, Step]>([
    ["in the middle", { blocks: ["Ha"], ends: "cut" }],
    ["by an error in band", { blocks: ["Ha"], ends: { type: "overloaded_error", message: "Overloaded" } }],
    ["before its head", "hang-up"],
  ])("that broke off %s is sent again once, under the same key, and says which one it repeats", async (_, broken) => {
    const { result, lines } = await played([broken, DONE]);
    const [first, second] = gateway.calls;
    expect([result.reason, result.text, gateway.calls.length]).toEqual(["ok", "Done.", 2]);
    expect(second!.bytes).toBe(first!.bytes);
    expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
    const retryOf = broken === "hang-up" ? "unknown" : "req_1";
    expect([first!.headers["x-tollgate-metadata"], second!.headers["x-tollgate-metadata"]]).toEqual([
      undefined,
      JSON.stringify({ retry_of: retryOf }),
    ]);
    expect(lines.filter(({ type }) => type === "notice")).toHaveLength(1);
  });

  it("that breaks off a second time is not paid a third time", async () => {
    const { code, result } = await played([{ blocks: ["Ha"], ends: "cut" }]);
    expect([code, result.reason, gateway.calls.length]).toEqual([EXITS.error, "error", 2]);
  });

  it("waits for a gateway that cannot be reached, for as long as the task may take", async () => {
    const { port } = gateway;
    await gateway.stop();
    gateway.steps = [DONE];
    const going = agent.run(`http://127.0.0.1:${port}`);
    await vi.waitFor(() => expect(agent.said).toContain("waiting for it"), 10_000);
    await gateway.listen(port);
    const { result, lines } = await going;
    expect([result.reason, lines[1]]).toEqual(["ok", { type: "notice", text: "the gateway cannot be reached; waiting for it" }]);
  });

  it("has the same bytes at its head for every task, and goes on from what it said before", async () => {
    const { calls } = gateway;
    await played([{ blocks: [call("c1", "Read", { file_path: "a.txt" })] }, { blocks: [call("c2", "Glob", { pattern: "*" })] }, DONE]);
    const other = new NativeAgent();
    await other.run(gateway.origin, { prompt: "Something else." }).finally(() => other.remove());
    const head = ({ bytes }: (typeof calls)[number]) => bytes.slice(0, bytes.indexOf('"messages":'));
    expect(new Set(calls.map(head)).size).toBe(1);
    const said = calls
      .slice(0, 3)
      .map(({ bytes }) => bytes.slice(bytes.indexOf('"messages":')).replaceAll(',"cache_control":{"type":"ephemeral"}', ""));
    for (const nth of [0, 1]) expect(said[nth + 1]!.startsWith(said[nth]!.slice(0, -2))).toBe(true);
  });

  it("that is too long is sent again with older results shortened, and they say so", async () => {
    agent.put("long.txt", "x".repeat(1_999).concat("\n").repeat(20));
    const long = { status: 400, error: { type: "invalid_request_error", message: "prompt is too long: 250000 tokens" } };
    const { result, results } = await played([{ blocks: [call("c1", "Read", { file_path: "long.txt" })] }, long, DONE]);
    expect([result.reason, gateway.calls.length]).toEqual(["ok", 3]);
    expect(resultsOf(gateway.calls[1]!).get("c1")!.content.length).toBeGreaterThan(30_000);
    expect(results.get("c1")?.content).toMatch(/characters are left out here/);
  });

  it("that was cut off at the most that may be said is gone on with", async () => {
    const { result } = await played([{ blocks: ["Half of"], stop: "max_tokens" }, { blocks: ["it."] }]);
    expect([result.reason, result.turns]).toEqual(["ok", 2]);
    expect(JSON.stringify(gateway.calls[1]!.body.messages.at(-1))).toContain("was cut off");
  });
});

describe("an answer in a form", () => {
  const outputSchema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"], additionalProperties: false };

  it("A19: is what the model gives as StructuredOutput, and ends the task", async () => {
    const { result } = await played([{ blocks: ["It is 3.", call("c1", "StructuredOutput", { sum: 3 })] }], { outputSchema });
    expect(result).toMatchObject({ reason: "ok", structured: { sum: 3 }, text: "It is 3.", turns: 1 });
    expect(gateway.asked).toEqual([]);
  });

  it("is asked for once more where it does not fit, with what is wrong", async () => {
    const steps: Step[] = [
      { blocks: [call("c1", "StructuredOutput", { sum: "3" })] },
      { blocks: [call("c2", "StructuredOutput", { sum: 3 })] },
    ];
    const { result, results } = await played(steps, { outputSchema });
    expect([result.reason, result.structured]).toEqual(["ok", { sum: 3 }]);
    expect(results.get("c1")).toMatchObject({ is_error: true, content: expect.stringMatching(/sum: /) as string });
  });

  it("is none where it does not fit twice, and that is told", async () => {
    const { code, result } = await played([{ blocks: ["Three."] }], { outputSchema });
    expect([code, result.reason, result.structured, gateway.calls.length]).toEqual([EXITS.output, "output", null, 2]);
    expect(result.message).toContain("no JSON");
  });

  it.each([
    ["the last message, as JSON", { blocks: ['{"sum": 3}'] }, outputSchema, { sum: 3 }],
    ["the last message, in a fence", { blocks: ['```json\n{"sum": 3}\n```'] }, outputSchema, { sum: 3 }],
    [
      "no object, in one",
      { blocks: [call("c1", "StructuredOutput", { answer: [1, 2] })] },
      { type: "array", items: { type: "integer" } },
      [1, 2],
    ],
  ])("may be %s", async (_, step, schema, structured) => {
    const { result } = await played([step], { outputSchema: schema });
    expect([result.reason, result.structured]).toEqual(["ok", structured]);
  });
});

describe("what a person says meanwhile", () => {
  it("A24: is heard before the next call of the model, and before the end", async () => {
    gateway.verdict = () => {
      agent.say("Mind the umlauts.\n");
      return { permissionDecision: "allow" };
    };
    const { lines } = await played([{ blocks: [call("c1", "Bash", { command: "sleep 0.3" })] }, DONE]);
    expect(JSON.stringify(gateway.calls[1]!.body.messages.at(-1))).toContain("Mind the umlauts.");
    expect(lines).toContainEqual({ type: "input", text: "Mind the umlauts." });
  });
});
