import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { expect, test } from "vitest";
import { readConfig } from "#config";
import { connect, tables } from "#db";
import { ProviderStore } from "#providers";

const db = connect(env.DB);
const configOf = (key: string, previous?: string) =>
  readConfig({
    TOLLGATE_ENV: "development",
    TOLLGATE_PEPPER: "p".repeat(32),
    TOLLGATE_ENCRYPTION_KEY: key,
    ...(previous ? { TOLLGATE_ENCRYPTION_KEY_PREVIOUS: previous } : {}),
  });
const OLD = "old-encryption-key-0123456789abcdef";
const NEW = "new-encryption-key-0123456789abcdef";
const store = new ProviderStore(db, configOf(OLD), () => Date.now());
const made = (name: string) =>
  store.create({ name, kind: "openai", baseUrl: "https://acme.test/v1", apiKey: `sk-plain-${name}-0123456789`, apis: [] });
const row = async (id: string) => (await db.select().from(tables.providers).where(eq(tables.providers.id, id)))[0]!;

test("threat 25: the row never holds the credential, and the directory gets it opened", async () => {
  const { id } = await made("a");
  expect(JSON.stringify(await row(id))).not.toContain("sk-plain");
  expect((await store.all()).find(({ name }) => name === "a")?.credential).toBe("sk-plain-a-0123456789");
});

test("threat 25: sealed credentials that change places do not open, and only they are left out", async () => {
  const [b, c, d] = [await made("b"), await made("c"), await made("d")];
  expect((await store.all()).map(({ name }) => name)).toEqual(expect.arrayContaining(["b", "c", "d"]));
  const [first, second] = [await row(b.id), await row(c.id)];
  await db.update(tables.providers).set({ credential: second.credential }).where(eq(tables.providers.id, b.id));
  await db
    .update(tables.providers)
    .set({ credential: `${first.credential!.slice(0, -4)}AAAA` })
    .where(eq(tables.providers.id, c.id));
  const names = (await new ProviderStore(db, configOf(OLD), () => Date.now()).all()).map(({ name }) => name);
  expect(names).toContain(d.name);
  expect(names).not.toContain("b");
  expect(names).not.toContain("c");
});

test("threat 25: a new master key wraps anew what the previous one had wrapped, and then needs it no more", async () => {
  const { id } = await made("e");
  const before = await row(id);
  const opened = async (key: string, previous?: string) =>
    (await new ProviderStore(db, configOf(key, previous), () => Date.now()).all()).find(({ name }) => name === "e")?.credential;
  expect(await opened(NEW, OLD)).toBe("sk-plain-e-0123456789");
  expect((await row(id)).credential).not.toBe(before.credential);
  expect(await opened(NEW)).toBe("sk-plain-e-0123456789");
});

test("threat 25: a credential that is given while the old one is wrapped anew is the one that stays", async () => {
  for (let round = 0; round < 20; round++) {
    const name = `race-${round}`;
    const { id } = await made(name);
    const rotating = new ProviderStore(db, configOf(NEW, OLD), () => Date.now());
    await Promise.all([rotating.all(), rotating.patch(id, { apiKey: `sk-given-${name}` })]);
    expect((await rotating.all()).find((each) => each.name === name)?.credential).toBe(`sk-given-${name}`);
    await rotating.delete(id);
  }
});

test("changes that are made at once all hold", async () => {
  const { id, name } = await made("g");
  await Promise.all([
    store.patch(id, { status: "disabled" }),
    store.patch(id, { apiKey: "sk-changed-0123456789" }),
    store.patch(id, { apis: ["embeddings"] }),
    store.patch(id, { baseUrl: "https://acme.test/v2" }),
  ]);
  expect((await store.all()).find((each) => each.name === name)).toMatchObject({
    status: "disabled",
    credential: "sk-changed-0123456789",
    apis: ["embeddings"],
    baseUrl: "https://acme.test/v2",
  });
});

test("threat 15: of changes that are made at once none takes a credential to an origin that it was not given for", async () => {
  const bare = await store.create({ name: "h", kind: "openai", baseUrl: "https://acme.test/v1", apiKey: null, apis: [] });
  const given = [
    store.patch(bare.id, { baseUrl: "https://evil.test/v1" }),
    store.patch(bare.id, { apiKey: "sk-for-acme-0123456789", baseUrl: "https://acme.test/v1" }),
    store.patch(bare.id, { baseUrl: "https://evil.test/v1" }),
  ];
  const outcomes = await Promise.allSettled(given);
  expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
  const kept = (await store.all()).find(({ name }) => name === "h")!;
  expect([kept.baseUrl, kept.credential]).toEqual(["https://acme.test/v1", "sk-for-acme-0123456789"]);
});

test("a name is one upstream's; what is not there cannot be changed or removed; lists are newest first, page by page", async () => {
  const of = (name: string) => store.create({ name, kind: "ollama", baseUrl: "http://127.0.0.1:11434", apiKey: null, apis: [] });
  const first = await of("list-1");
  await expect(of("list-1")).rejects.toMatchObject({ code: "invalid_request", facts: { param: "name" } });
  await of("list-2");
  const { rows, next } = await store.list({ limit: 1 });
  expect([rows.map(({ name }) => name), next]).toEqual([["list-2"], expect.any(String)]);
  expect((await store.list({ limit: 1, cursor: next! })).rows).toEqual([first]);
  expect(await store.delete(first.id)).toEqual(first);
  for (const gone of [store.delete(first.id), store.patch(first.id, {})]) await expect(gone).rejects.toMatchObject({ code: "not_found" });
  expect(await store.get(first.id)).toBeNull();
});

test("threat 13: an address of the operator's own network is refused where the deployment does not allow it, also as a change", async () => {
  const guarded = new ProviderStore(db, readConfig({ TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: OLD }), () => Date.now());
  const refusal = { code: "invalid_request", facts: { param: "base_url" } };
  const { id } = await made("i");
  for (const baseUrl of ["http://acme.test/v1", "https://127.0.0.1/v1", "https://[fd00::1]/v1", "https://user@acme.test/v1"]) {
    await expect(guarded.create({ name: "j", kind: "openai", baseUrl, apiKey: null, apis: [] })).rejects.toMatchObject(refusal);
    await expect(guarded.patch(id, { baseUrl, apiKey: null })).rejects.toMatchObject(refusal);
  }
  expect((await store.get(id))?.baseUrl).toBe("https://acme.test/v1");
});
