import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { RunnerHealth } from "../../../src/tasks/runner-health.ts";

afterEach(() => vi.restoreAllMocks());

test.each([
  ["refuses", 503, "{}", "it answered 503"],
  ["says what no runner says", 200, `{"v":99}`, "invalid"],
])("a runner that %s is down, once for a while, and the log says why", async (_, status, body, why) => {
  const logged: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
  const server = createServer((__, answer) => answer.writeHead(status).end(body)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const runner = new RunnerHealth(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => 0);
  expect([await runner.read(), await runner.able(["command"])]).toEqual([null, null]);
  expect(logged.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual(["runner_down"]);
  expect(logged[0]).toContain(why);
  server.close();
});
