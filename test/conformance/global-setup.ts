import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startGateway } from "../support/gateway.ts";

declare module "vitest" {
  interface ProvidedContext {
    origin: string;
    adminKey: string;
    state: string;
  }
}

/** One gateway for all conformance tests, started as a user starts it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const state = mkdtempSync(join(tmpdir(), "tollgate-conformance-"));
  const { origin, adminKey, child } = await startGateway(state, {
    TOLLGATE_TIMEOUT_IDLE_S: "3",
    TOLLGATE_TIMEOUT_FIRST_BYTE_S: "4",
    TOLLGATE_TIMEOUT_BODY_S: "3",
  });
  project.provide("origin", origin);
  project.provide("adminKey", adminKey);
  project.provide("state", state);
  return async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(state, { recursive: true, force: true });
  };
}
