import { importPKCS8, SignJWT } from "jose";
import { describe, expect, inject, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("tokens");

async function token(claims: Record<string, unknown>): Promise<string> {
  const key = await importPKCS8(inject("signingKey"), "ES256");
  return new SignJWT({ tollgate_role: "operator", ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "one" })
    .setIssuer("https://issuer.test")
    .setAudience("tollgate")
    .setSubject("ada@example.test")
    .setExpirationTime("1m")
    .sign(key);
}

const admin = (method: string, path: string, text: string, body?: unknown) =>
  fetch(`${set.origin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${text}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const chat = (secret: string) =>
  fetch(`${set.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tollgate/echo", messages: [] }),
  });

describe("threat 7: tokens of an issuer", () => {
  it("open the admin plane as far as their role goes, and the audit knows whose they were", async () => {
    expect((await admin("POST", "/keys", await token({}), { name: "by ada" })).status).toBe(201);
    expect((await admin("POST", "/keys", await token({ tollgate_role: "analyst" }), { name: "no" })).status).toBe(403);
    expect((await admin("GET", "/keys", await token({ tollgate_role: "analyst" }))).status).toBe(200);
    const entries = async () => (await set.admin.call<{ data: { actor: unknown }[] }>("GET", "/audit?actor=ada@example.test")).data;
    await expect.poll(async () => (await entries())[0]?.actor, { timeout: 10_000 }).toEqual({ kind: "user", id: "ada@example.test" });
  });

  it("with an unknown role, a touched signature or no algorithm are nobody's, and call no model", async () => {
    const good = await token({});
    const wrong = [await token({ tollgate_role: "king" }), `${good.slice(0, -6)}AAAAAA`, good.replace(/^[^.]+/, "eyJhbGciOiJub25lIn0")];
    for (const text of wrong) expect([401, 429]).toContain((await admin("GET", "/keys", text)).status);
    expect([401, 429]).toContain((await chat(good)).status);
  });
});

describe("threat 10: revocation and rotation on a running gateway", () => {
  it("a pool of fifty connections is refused within two seconds of a key's end, on paths that spend and on those that read", async () => {
    const { id, secret } = await set.admin.key();
    const late: number[] = [];
    let revokedAt = Infinity;
    const until = performance.now() + 3_500;
    const lane = async () => {
      while (performance.now() < until) {
        const asked = performance.now();
        const answer = await (Math.random() < 0.7 ? chat(secret) : fetch(`${set.origin}/v1/key`, { headers: { "x-api-key": secret } }));
        await answer.text();
        if (answer.status === 200 && asked > revokedAt + 2_000) late.push(asked - revokedAt);
        if (answer.status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const pool = Promise.all(Array.from({ length: 50 }, lane));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await set.admin.call("DELETE", `/keys/${id}`);
    revokedAt = performance.now();
    expect((await chat(secret)).status).not.toBe(200);
    await pool;
    expect(late).toEqual([]);
  }, 20_000);

  it("both secrets work while a rotation's grace lasts, and only the new one after it", async () => {
    const { id, secret } = await set.admin.key();
    const { secret: next } = await set.admin.call<{ secret: string }>("POST", `/keys/${id}/rotate`, { grace_s: 1 });
    expect([(await chat(secret)).status, (await chat(next)).status]).toEqual([200, 200]);
    await expect.poll(async () => (await chat(secret)).status, { timeout: 5_000, interval: 250 }).not.toBe(200);
    expect((await chat(next)).status).toBe(200);
  });
});
