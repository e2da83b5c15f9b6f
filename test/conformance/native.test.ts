import { beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const native = { engine: "native", model: "tollgate/echo", prompt: "Say hello." };
let tasks: TaskClient;

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
