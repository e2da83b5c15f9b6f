import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GATEWAY_INSIDE, HOOK_INSIDE, NODE_INSIDE } from "../../runner/protocol.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

let runner: TestRunner;
const servers: Server[] = [];

beforeAll(async () => {
  if (UNABLE === null) runner = await TestRunner.start();
});
afterAll(async () => runner?.stop());
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

const QUESTION = { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: "ls" }, tool_use_id: "call_1" };
const verdict = (permissionDecision: unknown) =>
  JSON.stringify({ hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision } });

/** Asks from inside of a sandbox, as an agent's hook does, a gateway that answers by turns. */
async function asking(...answers: readonly (readonly [status: number, body: string] | "cut")[]) {
  const heard: { url: string | undefined; authorization: string | undefined; body: unknown }[] = [];
  const server = createServer((request, answer) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      heard.push({ url: request.url, authorization: request.headers.authorization, body: JSON.parse(text) });
      const next = answers[Math.min(heard.length, answers.length) - 1]!;
      if (next === "cut") request.socket.destroy();
      else answer.writeHead(next[0], { "content-type": "application/json" }).end(next[1]);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, authorization: "Bearer sk-tg-task-x" };
  const script = `printf '%s' '${JSON.stringify(QUESTION)}' | ${NODE_INSIDE} ${HOOK_INSIDE} ${GATEWAY_INSIDE}/v1/task/hook`;
  return { heard, ran: await runner.sh(script, { gateway, limits: { memoryBytes: 512 * 2 ** 20 } }) };
}

describe.skipIf(UNABLE)("A16: the question before a tool runs", () => {
  it.each(["allow", "deny"])("is the gateway's to answer, as the task: %s", async (decision) => {
    const { heard, ran } = await asking([200, verdict(decision)]);
    expect(heard).toEqual([{ url: "/v1/task/hook", authorization: "Bearer sk-tg-task-x", body: QUESTION }]);
    expect([ran.exit.code, ran.stdout]).toEqual([0, verdict(decision)]);
  });

  it("is asked again where it was broken off, and where the gateway could not answer", async () => {
    const { heard, ran } = await asking("cut", [503, "{}"], [200, verdict("allow")]);
    expect([heard.length, ran.exit.code, ran.stdout]).toEqual([3, 0, verdict("allow")]);
  });

  it.each([
    ["a refusal", [403, '{"error":{"message":"not this one"}}']],
    ["no verdict", [200, "{}"]],
    ["a verdict that nobody knows", [200, verdict("perhaps")]],
    ["what is no JSON", [200, "allow"]],
  ] as const)("is answered no by %s, and says why", async (_, answer) => {
    const { ran } = await asking(answer);
    expect([ran.exit.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toContain(`it answered ${answer[0]}`);
  });
});
