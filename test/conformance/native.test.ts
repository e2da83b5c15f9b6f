import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { EXITS, type Line } from "../../runner/native/contract.ts";
import { native as engine } from "../../src/tasks/engines/native.ts";
import { type Offered, Scripted, type Step } from "../agents/scripted.ts";
import { Admin } from "../support/gateway.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";
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

/** The gateway, with a hook that permits everything in the place of its own. */
async function permitting(gateway: string): Promise<Server> {
  const server = createServer((asked, answer) => {
    if (asked.url === "/v1/task/hook") {
      asked.resume();
      answer.setHeader("x-request-id", "req_hook");
      return void answer.end(JSON.stringify({ hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: "allow" } }));
    }
    const on = request(`${gateway}${asked.url}`, { method: asked.method, headers: asked.headers }, (heard) => {
      answer.writeHead(heard.statusCode!, heard.headers);
      heard.pipe(answer);
    });
    on.once("error", () => answer.destroy());
    asked.pipe(on);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe.skipIf(UNABLE)("the native agent in the sandbox, on a scripted model behind the gateway", () => {
  let runner: TestRunner;
  let front: Server;
  const models: Scripted[] = [];
  beforeAll(async () => {
    runner = await TestRunner.start();
    front = await permitting(origin);
  });
  afterAll(async () => {
    front?.closeAllConnections();
    front?.close();
    await runner?.stop();
    for (const model of models) await model.stop();
  });

  /** Runs the agent in a sandbox, on a model that plays a script, as a key of its own. */
  async function run(
    name: string,
    steps: readonly Step[],
    { kind = "anthropic", schema = null, key = {}, filesystem = "readwrite" }: Partial<Played> = {},
  ) {
    const model = await Scripted.start(steps);
    models.push(model);
    await admin.upstream(name, kind, model.origin, ["m-1"]);
    const { id, secret } = await admin.key({ name, ...key });
    const nothingElse = { argv: [], files: [], tools: [], mayCall: () => false, mayUse: () => false };
    const launch = engine.launch({ ...nothingElse, prompt: "Sum up the numbers.", model: `${name}/m-1`, outputSchema: schema });
    const ran = await runner.run({
      ...launch,
      filesystem,
      files: [{ path: "in/numbers.txt", base64: Buffer.from("1\n2\n").toString("base64") }],
      gateway: { url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`, authorization: `Bearer ${secret}` },
      limits: { memoryBytes: 256 * 2 ** 20, wallMs: 60_000 },
    });
    const lines = ran.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    return { ...ran, lines, model, said: engine.read(ran.stdout), key: id };
  }

  interface Played {
    readonly kind: (typeof KINDS)[number];
    readonly schema: Record<string, unknown> | null;
    readonly key: Record<string, unknown>;
    readonly filesystem: "readonly" | "readwrite";
  }

  it.each(KINDS)("A60: reads, writes and runs on a model of %s, and its files come back", async (kind) => {
    const steps = [
      calls("Read", { file_path: "in/numbers.txt" }),
      calls("Bash", { command: "awk '{s+=$1} END {print s}' in/numbers.txt" }),
      calls("Write", { file_path: "/workspace/out/sum.txt", content: "3\n" }),
      "The sum is 3.",
    ];
    const { exit, said, model, stderr } = await run(`native-${kind}`, steps, { kind });
    expect([exit.reason, stderr, model.refused]).toEqual(["ok", "", []]);
    expect(said).toEqual({ text: "The sum is 3.", structured: null, failure: null });
    expect(exit.files).toEqual([{ path: "out/sum.txt", change: "added", bytes: 2, sha256: expect.any(String) as string }]);
    expect(model.heard.at(-1)?.results).toEqual(["     1\t1\n     2\t2", "3", "/workspace/out/sum.txt holds 2 bytes now."]);
  });

  it.each(KINDS)("A19: gives its answer in the form that was asked for, by a model of %s", async (kind) => {
    const schema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"] };
    const steps = [calls("StructuredOutput", { sum: "three" }), calls("StructuredOutput", { sum: 3 })];
    const { exit, said } = await run(`native-form-${kind}`, steps, { kind, schema });
    expect([exit.reason, said.structured]).toEqual(["ok", { sum: 3 }]);
  });

  it("A48: changes nothing of a workspace that it may only read, and is told why", async () => {
    const steps = [
      calls("Edit", { file_path: "in/numbers.txt", old_string: "1", new_string: "9" }),
      calls("Write", { file_path: "out/x.txt", content: "x" }),
      calls("Bash", { command: "cat in/numbers.txt" }),
      calls("Bash", { command: "echo 9 > in/numbers.txt" }),
      "I could only look.",
    ];
    const { exit, model } = await run("native-readonly", steps, { filesystem: "readonly" });
    const [edited, written, shown, ran] = model.heard.at(-1)!.results;
    for (const told of [edited, written]) expect(told).toContain("can only be read");
    expect([ran, shown, exit.reason]).toEqual([expect.stringContaining("Read-only file system"), "1\n2", "ok"]);
  });

  it("stops where it goes in circles, and where it may ask no more", async () => {
    const same = await run("native-circle", Array<Step>(9).fill(calls("Read", { file_path: "in/numbers.txt" })));
    expect([same.exit.code, same.model.heard.length]).toEqual([EXITS.no_progress, 3]);
    const others = Array.from({ length: 120 }, (_, nth) => calls("Grep", { pattern: `n${nth}` }));
    const { exit, model, said } = await run("native-long", others);
    expect([exit.code, model.heard.length, said.failure]).toEqual([EXITS.turns, 100, "it was not done after 100 turns"]);
  });

  it("A21: ends after one refused call where its key's budget is used up", async () => {
    const budget = { budgets: [{ window: "total", limit_requests: 2 }] };
    const { exit, model, said } = await run("native-budget", Array<Step>(9).fill(calls("Glob", { pattern: "*" })), { key: budget });
    expect([exit.reason, exit.code, model.heard.length]).toEqual(["error", EXITS.budget, 2]);
    expect(said.failure).toMatch(/budget/i);
  });
});
