import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AGENT_PROGRAMS, health } from "../../runner/protocol.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

// Closed to others, as a home is: what a job's user may read of it is the agent's own folder alone.
const installs = mkdtempSync(join(tmpdir(), "tollgate-installs-"));
let runner: TestRunner;

function program(path: string, script: string): void {
  const file = join(installs, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

beforeAll(async () => {
  if (UNABLE !== null) return;
  const own = `claude-code/node_modules/@anthropic-ai/claude-code-linux-${process.arch}`;
  program(
    `${own}/claude`,
    'test "$1" = --version && echo "9.8.7 (an agent)" && exit; echo "asked: $*"; cat /opt/agents/claude-code/beside',
  );
  writeFileSync(join(installs, own, "beside"), "from its folder\n");
  program(`codex/vendor/${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl/bin/codex`, "echo broken >&2; exit 1");
  chmodSync(installs, 0o700);
  runner = await TestRunner.start(undefined, { RUNNER_AGENTS: installs });
});
afterAll(async () => {
  await runner?.stop();
  rmSync(installs, { recursive: true, force: true });
});

describe.skipIf(UNABLE)("A41: an agent that the operator installed", () => {
  it("is told of with the version that it said in a sandbox, and one that says none with why", async () => {
    const told = health.parse(await (await fetch(`${runner.url}/healthz`)).json());
    expect(told.agents).toEqual([{ name: "claude-code", version: "9.8.7" }]);
    expect(told.capabilities.missing).toContainEqual("codex: does not say its version in a sandbox: broken");
  });

  it("is there to be read for the job that names it, and for no other", async () => {
    const named = await runner.run({ agent: "claude-code", argv: [AGENT_PROGRAMS["claude-code"], "hello"] });
    expect(named.stdout).toBe("asked: hello\nfrom its folder\n");
    const script = "touch /opt/agents/claude-code/x; cat /opt/agents/claude-code/beside";
    const written = await runner.sh(script, { agent: "claude-code" });
    expect([written.stdout, written.stderr]).toEqual(["from its folder\n", expect.stringContaining("Read-only file system")]);
    expect((await runner.sh(script)).stdout).toBe("");
  });

  it("is refused by name where it is not", async () => {
    const answer = await runner.create(runner.id(), { agent: "codex", argv: [AGENT_PROGRAMS.codex] });
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { error: { code: "agent_missing", message: expect.stringContaining("codex") as string } },
    ]);
  });
});
