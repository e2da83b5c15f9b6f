import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { freePort } from "../support/gateway.ts";

const ENDS_WITHIN_MS = 15_000;

async function said(child: ChildProcess, words: string): Promise<void> {
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const take = (text: Buffer) => {
      output += text.toString("utf8");
      if (output.includes(words)) resolve();
    };
    child.stdout!.on("data", take);
    child.stderr!.on("data", take);
    child.once("exit", (code) => reject(new Error(`npm ended with ${code}:\n${output}`)));
  });
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    () => true,
    () => false,
  );
}

it("a signal that ends npm ends the gateway that it started", async () => {
  const port = await freePort();
  const state = mkdtempSync(join(tmpdir(), "tollgate-npm-"));
  const env = { ...process.env, PORT: String(port), TOLLGATE_STATE: state };
  const npm = spawn("npm", ["start"], { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  try {
    await said(npm, "Tollgate is up");
    expect(await answers(port)).toBe(true);
    npm.kill("SIGTERM");
    const until = Date.now() + ENDS_WITHIN_MS;
    while ((await answers(port)) && Date.now() < until) await pause(100);
    expect(await answers(port)).toBe(false);
  } finally {
    // The group holds whatever npm left behind; where nothing is left there is nothing to end.
    if (await answers(port)) process.kill(-npm.pid!, "SIGKILL");
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
});
