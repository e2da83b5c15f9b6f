import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXITS } from "../../runner/native/contract.ts";
import { native } from "../../src/tasks/engines/native.ts";
import { call, FakeGateway, type Step } from "../support/native.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

describe.skipIf(UNABLE)("the native agent in its sandbox", () => {
  let runner: TestRunner;
  let gateway: FakeGateway;
  beforeAll(async () => {
    runner = await TestRunner.start();
    gateway = await FakeGateway.start();
  });
  afterAll(async () => {
    await gateway?.stop();
    await runner?.stop();
  });

  /** Runs it as its engine starts it, with a limit of turns. */
  async function run(steps: readonly Step[], turnsMax: number) {
    gateway.steps = steps;
    gateway.calls.length = 0;
    const asked = {
      argv: [],
      prompt: "Look around.",
      model: "test/model",
      outputSchema: null,
      turnsMax,
      files: [],
      tools: [],
      mayCall: no,
      mayUse: no,
    };
    const reach = { url: gateway.origin, authorization: "Bearer of-the-task" };
    return runner.run({ ...native.launch(asked), gateway: reach, limits: { memoryBytes: 256 * 2 ** 20 } });
  }

  it("stops at its limit of turns, and its exit code says so", async () => {
    const steps = Array.from({ length: 5 }, (_, nth): Step => ({ blocks: [call(`c${nth}`, "Glob", { pattern: `${nth}` })] }));
    const { exit, stdout } = await run(steps, 4);
    expect([exit.reason, exit.code, gateway.calls.length]).toEqual(["error", EXITS.turns, 4]);
    expect(native.read(stdout).failure).toBe("it was not done after 4 turns");
  });

  it("has no credential, and can change nothing of itself", async () => {
    const command =
      "cat /proc/self/environ ~/.tollgate/* | grep -c of-the-task; echo x > /opt/tollgate/native/main.ts; echo x >> /opt/tollgate/node_modules/zod/index.js";
    const { exit } = await run([{ blocks: [call("c1", "Bash", { command })] }, { blocks: ["Done."] }], 4);
    const [result] = gateway.calls.at(-1)!.body.messages.at(-1)!.content;
    expect(exit.reason).toBe("ok");
    expect(String(result!["content"]).match(/Read-only file system|Permission denied/g)).toHaveLength(2);
    expect(String(result!["content"])).toMatch(/^0\n/);
    expect(gateway.calls[0]!.headers.authorization).toBe("Bearer of-the-task");
  });
});

function no(): boolean {
  return false;
}
