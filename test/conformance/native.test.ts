import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { EXITS } from "../../runner/native/contract.ts";
import { type Offered, Scripted, type Step } from "../agents/scripted.ts";
import { waiting } from "../support/asking.ts";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const native = { engine: "native", model: "tollgate/echo", prompt: "Say hello." };
let tasks: TaskClient;

const KINDS = ["anthropic", "openai"] as const;
const calls = (name: string, input: Record<string, unknown>): Step => {
  return (offered: readonly Offered[]) => {
    if (!offered.some((each) => each.name === name)) throw new Error(`no ${name} is offered`);
    return { name, input };
  };
};

beforeAll(async () => {
  const { secret } = await admin.key({ name: "native", profile: "default" });
  tasks = new TaskClient(origin, secret);
});

describe("a request for the native agent", () => {
  it.each([
    [{ ...native, model: null }, "model"],
    [{ ...native, prompt: null }, "prompt"],
    [{ ...native, argv: ["true"] }, "argv"],
    [{ ...native, output_schema: { if: { type: "object" } } }, "output_schema"],
    [{ ...native, output_schema: "an object" }, "output_schema"],
  ])("A13: %j is refused by the name of its field", async (body, field) => {
    const { status, error } = await tasks.refused(body);
    expect([status, error.code, error.param]).toEqual([400, "invalid_request", field]);
  });
});

describe.skipIf(UNABLE)("the native agent", () => {
  it("A2, A18: completes a task on tollgate/echo, and what it says streams as events, one object to a line", async () => {
    const { id } = await tasks.begin({ ...native, files: [{ path: "in/a.txt", text: "a" }] });
    const events = await tasks.events(id);
    const stdout = events.flatMap(({ type, data }) => (type === "stdout" ? [String(data["text"])] : [])).join("");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type }) => type)).toEqual(["system", "text", "result"]);
    expect(lines[0]).toMatchObject({ model: "tollgate/echo", tools: ["Read", "Write", "Edit", "Glob", "Grep", "Bash"] });
    expect(lines[2]).toMatchObject({ reason: "ok", turns: 1 });
    expect(events.filter(({ type }) => type === "stderr")).toEqual([]);
    const ended = await tasks.get(id);
    expect([ended.status, ended.exit_reason, ended.result?.exit_code, ended.result?.files]).toEqual(["completed", "ok", 0, []]);
    expect(ended.result?.text).toMatch(/^You said: Say hello\.[^]*in\/a\.txt/);
  });

  it("A22: ends as failed where the gateway refuses its model, and says in whose words", async () => {
    const { id } = await tasks.begin({ ...native, model: "tollgate/nothing" });
    const { status, exit_reason, result, error } = await tasks.end(id);
    expect([status, exit_reason, result?.exit_code]).toEqual(["failed", "error", 1]);
    expect(error).toMatchObject({ code: "error", message: expect.stringContaining("has the models tollgate/echo") as string });
  });
});

describe.skipIf(UNABLE)("the native agent's money", () => {
  let model: Scripted;
  beforeAll(async () => {
    model = await Scripted.start(Array<Step>(9).fill(calls("Glob", { pattern: "*" })));
    await admin.call("POST", "/providers", { name: "native-lease", kind: "anthropic", base_url: model.origin, api_key: "sk-vendor" });
    const rates = { input: "0", cache_read: "0", cache_write_5m: "0", cache_write_1h: "0", output: "100" };
    await admin.call("POST", "/prices", { provider: "native-lease", model: "m-1", rates, source: "test" });
  });
  afterAll(() => model.stop());

  it("A21: is its task's, and it ends after one refused call where that is used up", async () => {
    // Of each call 512 tokens must be there, and ten are used: the second does not fit any more.
    const { id } = await tasks.begin({ ...native, model: "native-lease/m-1", max_cost_usd: "0.0517" });
    const { status, exit_reason, result, error } = await tasks.end(id);
    expect([status, exit_reason, result?.exit_code, model.heard.length]).toEqual(["failed", "budget", EXITS.budget, 1]);
    expect(error).toMatchObject({ code: "budget", message: expect.stringContaining("may spend 0.0517 USD in all") as string });
  });
});

interface Played {
  readonly kind: (typeof KINDS)[number];
  readonly key: Record<string, unknown>;
  /** What is asked of the task beside its prompt. */
  readonly asked: Record<string, unknown>;
}

const NUMBERS = { path: "in/numbers.txt", text: "1\n2\n" };

describe.skipIf(UNABLE)("the native agent on a scripted model", () => {
  const models: Scripted[] = [];
  afterAll(async () => {
    for (const model of models) await model.stop();
  });

  /** Begins a task of a key of its own, on a model that plays a script. */
  async function begun(name: string, steps: readonly Step[], { kind = "anthropic", key = {}, asked = {} }: Partial<Played> = {}) {
    const model = await Scripted.start(steps);
    models.push(model);
    await admin.upstream(name, kind, model.origin, ["m-1"]);
    const { secret } = await admin.key({ name, profile: "default", ...key });
    const client = new TaskClient(origin, secret);
    const { id } = await client.begin({
      engine: "native",
      model: `${name}/m-1`,
      prompt: "Sum up the numbers.",
      files: [NUMBERS],
      ...asked,
    });
    const results = () => model.heard.at(-1)!.results;
    return { id, client, model, results };
  }

  async function played(...given: Parameters<typeof begun>) {
    const task = await begun(...given);
    return { ...task, ended: await task.client.end(task.id) };
  }

  /** The calls that the task's events tell of, in their order, which are those that the audit holds. */
  async function told(client: TaskClient, id: string): Promise<string[][]> {
    const events = (await client.events(id)).filter(({ type }) => type === "tool_call").map(({ data }) => data as Record<string, string>);
    const audited = async () => {
      const { data } = await admin.call<{ data: { details: { tool: string } }[] }>("GET", `/audit?task=${id}&type=tool_call`);
      return data.map(({ details }) => details.tool).sort();
    };
    await expect.poll(audited, { timeout: 10_000 }).toEqual(events.map(({ tool }) => tool!).sort());
    return events.map(({ tool, verdict }) => [tool!, verdict!]);
  }

  it.each(KINDS)("A60: reads, writes and runs on a model of %s; its files come back, and each call is told of once", async (kind) => {
    const steps = [
      calls("Read", { file_path: "in/numbers.txt" }),
      calls("Bash", { command: "awk '{s+=$1} END {print s}' in/numbers.txt" }),
      calls("Write", { file_path: "/workspace/out/sum.txt", content: "3\n" }),
      "The sum is 3.",
    ];
    const { ended, model, results, client, id } = await played(`native-${kind}`, steps, { kind });
    expect([ended.exit_reason, ended.result?.text, model.refused]).toEqual(["ok", "The sum is 3.", []]);
    expect(results()).toEqual(["     1\t1\n     2\t2", "3", "/workspace/out/sum.txt holds 2 bytes now."]);
    expect(ended.result?.files).toMatchObject([{ path: "out/sum.txt" }]);
    expect(await (await client.raw("GET", `/v1/task/${id}/artifacts/out/sum.txt`)).text()).toBe("3\n");
    expect(await told(client, id)).toEqual(["Read", "Bash", "Write"].map((tool) => [tool, "allowed"]));
  });

  it.each(KINDS)("A19: gives its answer in the form that was asked for, by a model of %s", async (kind) => {
    const output_schema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"] };
    const steps = [calls("StructuredOutput", { sum: "three" }), calls("StructuredOutput", { sum: 3 })];
    const { ended } = await played(`native-form-${kind}`, steps, { kind, asked: { output_schema } });
    expect([ended.exit_reason, ended.result]).toMatchObject(["ok", { structured: { sum: 3 } }]);
  });

  it("A15: is not offered what the task may not use, and where its model calls it all the same is told why it may not", async () => {
    const unoffered = (name: string, input: Record<string, unknown>) => () => ({ name, input });
    const steps = [
      unoffered("Write", { file_path: "x.txt", content: "x" }),
      calls("Bash", { command: "cat in/numbers.txt" }),
      calls("Bash", { command: "cat in/numbers.txt && touch y.txt" }),
      "I could not.",
    ];
    const { ended, model, results, client, id } = await played("native-denied", steps, { asked: { allow_tools: ["Read", "Bash(cat *)"] } });
    expect((model.heard[0]!.body["tools"] as { name: string }[]).map(({ name }) => name)).toEqual(["Read", "Bash"]);
    expect([results()[1], ended.exit_reason, ended.result?.files]).toEqual(["1\n2", "ok", []]);
    for (const nth of [0, 2]) expect(results()[nth]).toMatch(/^Not permitted: /);
    expect((await told(client, id)).map(([, verdict]) => verdict)).toEqual(["denied", "allowed", "denied"]);
  });

  it.each(["analysis_only", "dry_run"])("A48: under %s nothing of its workspace is changed, and it is told why", async (mode) => {
    const steps = [
      calls("Read", { file_path: "in/numbers.txt" }),
      () => ({ name: "Write", input: { file_path: "in/numbers.txt", content: "9" } }),
      "I could only look.",
    ];
    const { ended, results, client, id } = await played(`native-${mode.slice(0, 3)}`, steps, { asked: { mode } });
    expect([ended.exit_reason, ended.result?.files, results()[1]]).toEqual(["ok", [], expect.stringMatching(/^Not permitted: /)]);
    expect(await (await client.raw("GET", `/v1/task/${id}/artifacts/in/numbers.txt`)).text()).toBe(NUMBERS.text);
  });

  it("A24: waits for a person's word where a call needs one, and hears what is said meanwhile", async () => {
    const steps = [calls("Write", { file_path: "x.txt", content: "x" }), "Done."];
    const { client, id, model } = await begun("native-word", steps, { asked: { approve_tools: ["Write"] } });
    const { approvals } = await waiting(client, id);
    await client.call("POST", `/v1/task/${id}/input`, { text: "Mind the umlauts." });
    await client.call("POST", `/v1/task/${id}/approve`, { id: approvals[0]!.id, decision: "approve" });
    const ended = await client.end(id);
    expect([ended.exit_reason, ended.result?.files]).toMatchObject(["ok", [{ path: "x.txt" }]]);
    expect(JSON.stringify(model.heard[1]!.body["messages"])).toContain("Mind the umlauts.");
  });

  it("stops where it goes in circles", async () => {
    const same = Array<Step>(9).fill(calls("Read", { file_path: "in/numbers.txt" }));
    const { ended, model } = await played("native-circle", same);
    expect([ended.exit_reason, ended.result?.exit_code, model.heard.length]).toEqual(["error", EXITS.no_progress, 3]);
  });

  it("A21: ends after one refused call where its key's budget is used up", async () => {
    const budget = { budgets: [{ window: "total", limit_requests: 2 }] };
    const { ended, model } = await played("native-budget", Array<Step>(9).fill(calls("Glob", { pattern: "*" })), { key: budget });
    expect([ended.status, ended.result?.exit_code, model.heard.length]).toEqual(["failed", EXITS.budget, 2]);
  });
});
