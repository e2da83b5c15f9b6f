import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startGateway } from "../support/gateway.ts";
import { CLIS, installsIn } from "./installs.ts";

/** Installs the agents, once, and starts a gateway for all tests of them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(join(CLIS, "node_modules", "@openai", "codex"))) {
    const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: CLIS, stdio: "inherit" });
    if (status !== 0) throw new Error("the agents' command lines cannot be installed");
  }
  const state = mkdtempSync(join(tmpdir(), "tollgate-agents-"));
  const { origin, adminKey, child } = await startGateway(state, { RUNNER_AGENTS: installsIn(state) });
  project.provide("origin", origin);
  project.provide("adminKey", adminKey);
  return async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(state, { recursive: true, force: true });
  };
}
