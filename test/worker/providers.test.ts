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
