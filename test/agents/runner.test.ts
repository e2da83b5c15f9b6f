import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { AGENT_PROGRAMS, health } from "../../runner/protocol.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";
import installed from "./clis/package.json" with { type: "json" };

const CLIS = join(import.meta.dirname, "clis");

it.skipIf(UNABLE)("A41: the agents' real command lines say their versions in the runner's sandbox, and run there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-installs-"));
  // As npm lays them out below a prefix, and as the package's own folder.
  symlinkSync(CLIS, join(folder, "claude-code"));
  symlinkSync(join(CLIS, "node_modules/@openai/codex"), join(folder, "codex"));
  const runner = await TestRunner.start(undefined, { RUNNER_AGENTS: folder });
  try {
    const told = health.parse(await (await fetch(`${runner.url}/healthz`)).json());
    expect(told.capabilities.missing).toEqual([]);
    expect(told.agents).toEqual([
      { name: "claude-code", version: installed.devDependencies["@anthropic-ai/claude-code"] },
      { name: "codex", version: installed.devDependencies["@openai/codex"] },
    ]);
    const limits = { memoryBytes: 2 ** 30, processes: 128 };
    for (const { name, version } of told.agents) {
      const ran = await runner.run({ agent: name, argv: [AGENT_PROGRAMS[name], "--version"], limits });
      expect([ran.stdout, ran.exit.reason]).toEqual([expect.stringContaining(version), "ok"]);
    }
  } finally {
    await runner.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
