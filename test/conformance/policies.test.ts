import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePolicy } from "../../scripts/bundle-policy.ts";
import { Admin, type Running } from "../support/gateway.ts";
import { startIsolates } from "../support/isolates.ts";

/** How long an activation may be unknown elsewhere. */
const KNOWN_WITHIN_MS = 2_000;
/** A machine that runs other tests beside. */
const SLACK_MS = 1_500;

const state = mkdtempSync(join(tmpdir(), "tollgate-policies-"));
let isolates: readonly [Running, Running];
let admin: Admin;
let stop: () => Promise<void>;

beforeAll(async () => {
  const started = await startIsolates(state);
  isolates = started.isolates as [Running, Running];
  ({ stop } = started);
  admin = new Admin(isolates[0]);
}, 60_000);

afterAll(async () => {
  await stop();
  rmSync(state, { recursive: true, force: true });
});

const chat = (where: Running, secret: string, content = "hello") =>
  fetch(`${where.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tollgate/echo", max_tokens: 1, messages: [{ role: "user", content }] }),
  });

async function statusOf(where: Running, secret: string, content?: string): Promise<number> {
  const answer = await chat(where, secret, content);
  await answer.text();
  return answer.status;
}

const upload = async (name: string, version: string, body: string) => {
  const source = `export default { name: "${name}", version: "${version}", needs: ["messages"], evaluate({ messages }) { ${body} } };`;
  return (await admin.call<{ id: string }>("POST", "/policies", { name, version, source, signature: null })).id;
};
const put = (id: string, key: string, body: object) =>
  admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: key }, ...body });

describe("policies over two isolates", () => {
  it("an activation through one is enforced by the other within two seconds, by one that was idle from its first request on", async () => {
    const { id: key, secret } = await admin.key();
    const policy = await upload("denies", "1.0.0", "return { allowed: false, reason: 'no' };");
    expect(await statusOf(isolates[1], secret)).toBe(200);
    await put(policy, key, { mode: "enforce" });
    const activated = performance.now();
    await expect.poll(() => statusOf(isolates[1], secret), { timeout: 10_000, interval: 50 }).toBe(403);
    expect(performance.now() - activated).toBeLessThan(KNOWN_WITHIN_MS + SLACK_MS);
    await put(policy, key, { mode: "off" });
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await statusOf(isolates[1], secret)).toBe(200);
  });

  it("a key's own policies, changed through one, are enforced and let go by the other within two seconds", async () => {
    const { id: key, secret } = await admin.key();
    const policy = await upload("denies-a-key", "1.0.0", "return { allowed: false, reason: 'no' };");
    expect(await statusOf(isolates[1], secret)).toBe(200);
    for (const [policies, status] of [
      [[policy], 403],
      [[], 200],
    ] as const) {
      await admin.call("PATCH", `/keys/${key}`, { policies });
      const changed = performance.now();
      await expect.poll(() => statusOf(isolates[1], secret), { timeout: 10_000, interval: 50 }).toBe(status);
      expect(performance.now() - changed).toBeLessThan(KNOWN_WITHIN_MS + SLACK_MS);
    }
  });

  it("D15: 1,000 requests at once over both against a limit of 400: exactly 400 pass", async () => {
    const { id: key, secret } = await admin.key();
    const source = await bundlePolicy("plugins/rate-limit/index.ts");
    const { id } = await admin.call<{ id: string }>("POST", "/policies", { name: "rate-limit", version: "1.0.0", source, signature: null });
    await put(id, key, { mode: "enforce", config: { requests: 400, window_s: 3_600 } });
    // Both have seen it once the other refuses nothing and names it.
    await expect
      .poll(async () => (await chat(isolates[1], secret)).headers.get("x-tollgate-policies"), { timeout: 10_000 })
      .toContain("rate-limit");
    const fresh = await admin.key();
    await put(id, fresh.id, { mode: "enforce", config: { requests: 400, window_s: 3_600 } });
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const statuses: number[] = [];
    const lane = async (where: Running) => {
      for (let at = 0; at < 25; at++) statuses.push(await statusOf(where, fresh.secret));
    };
    await Promise.all(Array.from({ length: 40 }, (_, at) => lane(isolates[at % 2]!)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(400);
    expect(statuses.filter((status) => status === 403)).toHaveLength(600);
  }, 90_000);

  it("D15, threat 48: swaps and rollbacks under load fail no request, and each is judged by one whole version", async () => {
    const { id: key, secret } = await admin.key();
    const versions = [];
    for (const version of ["1.0.0", "2.0.0"])
      versions.push(
        await upload("swapped", version, `return { allowed: true, obligations: [{ type: "redact", text: "hello", with: "${version}" }] };`),
      );
    await put(versions[0]!, key, { mode: "enforce" });
    const over = new AbortController();
    const seen = new Set<string>();
    const failures: number[] = [];
    const lane = async (where: Running) => {
      while (!over.signal.aborted) {
        const answer = await fetch(`${where.origin}/v1/chat/completions`, {
          method: "POST",
          headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
          body: JSON.stringify({ model: "tollgate/echo", messages: [{ role: "user", content: "hello" }] }),
        });
        const text = await answer.text();
        if (answer.status !== 200) failures.push(answer.status);
        else {
          const judgedBy = answer.headers.get("x-tollgate-policies") ?? "none";
          const said = (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
          seen.add(`${judgedBy}: ${said}`);
        }
      }
    };
    await expect
      .poll(async () => (await chat(isolates[1], secret)).headers.get("x-tollgate-policies"), { timeout: 10_000 })
      .toContain("swapped");
    const lanes = [lane(isolates[0]), lane(isolates[1]), lane(isolates[0]), lane(isolates[1])];
    for (let at = 1; at <= 8; at++) {
      await put(versions[at % 2]!, key, { mode: "enforce" });
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    over.abort();
    await Promise.all(lanes);
    expect(failures).toEqual([]);
    expect([...seen].toSorted()).toEqual(["swapped@1.0.0 allowed: You said: 1.0.0", "swapped@2.0.0 allowed: You said: 2.0.0"]);
  }, 60_000);
});
