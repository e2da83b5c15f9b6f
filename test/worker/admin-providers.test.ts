import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { readConfig } from "#config";
import { connect, tables } from "#db";
import { ProviderStore } from "#providers";
import { admin, ADMIN, ask } from "../support/front.ts";

const SECRET = "sk-upstream-secret-0123456789";
const db = connect(env.DB);
const directory = () => new ProviderStore(db, readConfig(env as unknown as Record<string, unknown>), () => Date.now()).all();
const sealed = async (id: string) => (await db.select().from(tables.providers).where(eq(tables.providers.id, id)))[0]!.credential;

let count = 0;
async function made(fields: Record<string, unknown> = {}): Promise<{ id: string; name: string }> {
  return admin("POST", "/providers", {
    name: `up-${++count}`,
    kind: "openai-compatible",
    base_url: "https://acme.test/v1",
    api_key: SECRET,
    ...fields,
  });
}

const credentialOf = async (name: string) => (await directory()).find((row) => row.name === name)?.credential;

async function refusal(answer: Response): Promise<unknown[]> {
  const { error } = (await answer.json()) as { error: { code: string; param: string } };
  return [answer.status, error.code, error.param];
}

describe("threat 15: a credential stays at its origin", () => {
  test.each(["https://evil.test/v1", "https://acme.test:8443/v1", "http://acme.test/v1", "https://acme.test.evil.test/v1"])(
    "pointing an upstream to %s needs its credential again",
    async (base_url) => {
      const { id, name } = await made();
      const answer = await ask("PATCH", `/admin/v1/providers/${id}`, { as: ADMIN, body: { base_url } });
      expect(await refusal(answer)).toEqual([400, "invalid_request", "api_key"]);
      expect(await admin("GET", `/providers/${id}`)).toMatchObject({ base_url: "https://acme.test/v1" });
      await admin("PATCH", `/providers/${id}`, { base_url, api_key: "sk-another-0123456789" });
      expect(await credentialOf(name)).toBe("sk-another-0123456789");
    },
  );

  test("another path of the same origin keeps it, and null takes it away wherever the upstream goes", async () => {
    const { id, name } = await made();
    expect(await admin("PATCH", `/providers/${id}`, { base_url: "https://acme.test/v2" })).toMatchObject({ api_key: { set: true } });
    expect(await credentialOf(name)).toBe(SECRET);
    const moved = await admin("PATCH", `/providers/${id}`, { base_url: "https://other.test/v1", api_key: null });
    expect(moved).toMatchObject({ base_url: "https://other.test/v1", api_key: { set: false, last4: null } });
    expect(await admin("PATCH", `/providers/${id}`, { base_url: "https://third.test/v1" })).toMatchObject({ api_key: { set: false } });
  });
});

describe("threat 25: provider keys at rest", () => {
  test("a sealed credential moved to another row opens for nobody, even where its own row has been opened before", async () => {
    const [own, thief] = [await made(), await made({ base_url: "https://evil.test/v1", api_key: "sk-thief-0123456789" })];
    expect(await credentialOf(own.name)).toBe(SECRET);
    await db
      .update(tables.providers)
      .set({ credential: await sealed(own.id) })
      .where(eq(tables.providers.id, thief.id));
    const rows = await directory();
    expect(rows.find(({ name }) => name === thief.name)).toBeUndefined();
    expect(rows.find(({ name }) => name === own.name)?.credential).toBe(SECRET);
  });

  test("the same credential given twice is sealed differently, and a change leaves nothing of the old", async () => {
    const { id, name } = await made();
    const first = await sealed(id);
    await admin("PATCH", `/providers/${id}`, { api_key: SECRET });
    expect(await sealed(id)).not.toBe(first);
    await admin("PATCH", `/providers/${id}`, { api_key: "sk-changed-0123456789" });
    expect(await credentialOf(name)).toBe("sk-changed-0123456789");
  });
});

test.each(["two\nlines", "two\r\nx-evil: 1", "with space", "ümlaut", "\u0000", ""])(
  "threat 16: a credential that no header can carry is refused: %j",
  async (api_key) => {
    const { id } = await made();
    for (const answer of [
      await ask("POST", "/admin/v1/providers", {
        as: ADMIN,
        body: { name: "smuggler", kind: "openai", base_url: "https://x.test/v1", api_key },
      }),
      await ask("PATCH", `/admin/v1/providers/${id}`, { as: ADMIN, body: { api_key } }),
    ])
      expect(await refusal(answer)).toEqual([400, "invalid_request", "api_key"]);
  },
);

test("a provider answers as the contract has it, its surfaces by their short names", async () => {
  const apis = ["chat", "embeddings"];
  const { id, ...rest } = (await made({ name: "acme", apis })) as { id: string; name: string };
  expect(id).toMatch(/^prv_/);
  expect(rest).toEqual({
    object: "provider",
    name: "acme",
    kind: "openai-compatible",
    base_url: "https://acme.test/v1",
    api_key: { set: true, last4: "6789" },
    apis,
    status: "active",
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown,
  });
  expect((await directory()).find(({ name }) => name === "acme")?.apis).toEqual(["chat.completions", "embeddings"]);
});

test.each(["tollgate", "Acme", "-acme", "a_b", "a/b", "", "x".repeat(33)])("the name %j is no provider's", async (name) => {
  const body = { name, kind: "openai", base_url: "https://x.test/v1" };
  expect(await refusal(await ask("POST", "/admin/v1/providers", { as: ADMIN, body }))).toEqual([400, "invalid_request", "name"]);
});
