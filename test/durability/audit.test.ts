import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";

const ROUNDS = 3;

interface Head {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

function end(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  process.kill(signal === "SIGKILL" ? -child.pid! : child.pid!, signal);
  return ended;
}

/** Writes of several operators at once, each an audit entry, until the gateway is gone. */
async function load(admin: Admin, teams: readonly string[], signal: AbortSignal): Promise<void> {
  const operator = async (team: string) => {
    while (!signal.aborted) {
      const written = await admin.key({ team }).catch((error: unknown) => error);
      // The gateway was killed under this write; what became of its entry is what the chain tells.
      if (written instanceof Error) return;
    }
  };
  await Promise.all(teams.map(operator));
}

/** Every chain from its first place to its last; throws at what does not fit. */
async function verified(admin: Admin, kept: readonly string[]): Promise<{ readonly checked: number; readonly found: readonly string[] }> {
  let checked = 0;
  const found: string[] = [];
  const head = kept.length > 0 ? `&head=${kept.join()}` : "";
  for (let cursor = ""; ;) {
    const step = await admin.call<{ checked: number; fault: unknown; heads_found: string[]; next_cursor: string | null }>(
      "GET",
      `/audit/chain/verify?${cursor}${head}`,
    );
    expect(step.fault).toBeNull();
    checked += step.checked;
    found.push(...step.heads_found);
    if (step.next_cursor === null) return { checked, found };
    cursor = `cursor=${encodeURIComponent(step.next_cursor)}`;
  }
}

it("A58: kill -9 while entries are sealed leaves no gap, no fork and no entry that changed its place", async () => {
  const state = mkdtempSync(join(tmpdir(), "tollgate-chain-"));
  const PORT = String(await freePort());
  const teams = ["chain-a", "chain-b", "chain-c", "chain-d"];
  const kept: string[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const gateway = await startGateway(state, { PORT });
      const admin = new Admin(gateway);
      const heads = async () => (await admin.call<{ data: Head[] }>("GET", "/audit/chain")).data;
      if (round === 0) for (const id of teams) await admin.call("POST", "/teams", { id, name: id });
      const before = await heads();
      kept.push(...before.filter(({ chain }) => teams.includes(chain)).map(({ hash }) => hash));
      const { checked, found } = await verified(admin, kept);
      expect(checked).toBeGreaterThanOrEqual(before.reduce((sum, { seq }) => sum + seq, 0));
      expect(found.toSorted()).toEqual(kept.toSorted());
      const stop = new AbortController();
      const loading = load(admin, teams, stop.signal);
      const sealed = async () => (await heads()).reduce((sum, { seq }) => sum + seq, 0);
      await vi.waitFor(async () => expect(await sealed()).toBeGreaterThan(checked + 20), { timeout: 20_000, interval: 50 });
      await wait(Math.random() * 500);
      await end(gateway.child, "SIGKILL");
      stop.abort();
      await loading;
    }
    const gateway = await startGateway(state, { PORT });
    expect((await verified(new Admin(gateway), kept)).checked).toBeGreaterThan(20 * ROUNDS);
    await end(gateway.child, "SIGTERM");
  } finally {
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
});
