import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { FakeUpstream } from "../support/upstream/server.ts";

it("A6: kill -9 in the middle of a stream that others follow: what was whole is still given, what was not is made anew", async () => {
  const state = mkdtempSync(join(tmpdir(), "tollgate-cache-"));
  const env = { PORT: String(await freePort()), TOLLGATE_TIMEOUT_TOTAL_S: "4", TOLLGATE_HOLD_GRACE_S: "1" };
  const upstream = await FakeUpstream.start();
  let gateway = await startGateway(state, env);
  try {
    const admin = new Admin(gateway);
    await admin.upstream("dur", "openai", upstream.origin, ["gpt-4o-mini"]);
    const { secret } = await admin.key({ cache: "key", budgets: [{ window: "day", limit_usd: "100" }] });
    const ask = (content: string) =>
      fetch(`${gateway.origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-scenario": "slow-50-x20" },
        body: JSON.stringify({ model: "dur/gpt-4o-mini", max_tokens: 20, stream: true, messages: [{ role: "user", content }] }),
      });
    const told = async (content: string) => {
      const answer = await ask(content);
      return { text: await answer.text(), cache: answer.headers.get("x-tollgate-cache") };
    };
    const whole = await told("whole");
    const cut = await Promise.all(Array.from({ length: 3 }, () => ask("cut")));
    const broken = cut.map((answer) => answer.text().catch(() => "broken off"));
    const ended = new Promise((resolve) => gateway.child.once("exit", resolve));
    process.kill(-gateway.child.pid!, "SIGKILL");
    await ended;
    expect((await Promise.all(broken)).filter((text) => text.includes("[DONE]"))).toEqual([]);

    gateway = await startGateway(state, env);
    expect(await told("whole")).toEqual({ text: whole.text, cache: "hit" });
    const anew = await told("cut");
    expect([anew.cache, anew.text.includes("[DONE]"), (await told("cut")).cache]).toEqual(["miss", true, "hit"]);
    expect(upstream.seen).toHaveLength(3);
    const reserved = async () => {
      const answer = await fetch(`${gateway.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
      return ((await answer.json()) as { reserved_usd: string }).reserved_usd;
    };
    await expect.poll(reserved, { timeout: 30_000, interval: 250 }).toBe("0");
  } finally {
    process.kill(-gateway.child.pid!, "SIGKILL");
    await upstream.stop();
    rmSync(state, { recursive: true, force: true });
  }
});
