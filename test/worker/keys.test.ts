import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { TollgateError } from "#core";
import { connect } from "#db";
import { KeyRing, KeyStore, mint, TenantStore } from "#keys";

const PEPPER = "pepper-for-worker-tests-0123456789abcdef";
let now = 1_800_000_000_000;
const clock = () => now;
const db = connect(env.DB);
const store = new KeyStore(db, PEPPER, clock);
let ring: KeyRing;

beforeEach(() => {
  now += 60_000;
  ring = new KeyRing(db, PEPPER, clock);
});

/** A database that counts what reaches it. */
function counted() {
  let reads = 0;
  const binding = new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") reads++;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { db: connect(binding), reads: () => reads };
}

async function refused(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TollgateError);
  return `${(error as TollgateError).code} ${(error as TollgateError).message}`;
}

describe("KeyRing", () => {
  test("knows a key, and reads it once", async () => {
    const { row, secret } = await store.create({ name: "ci", tags: ["a"] });
    const { db: counting, reads } = counted();
    const own = new KeyRing(counting, PEPPER, clock);
    const caller = await own.authenticate(secret);
    expect(caller).toMatchObject({ key: row.id, team: "team_default", role: "key_holder", tags: ["a"], epoch: 1 });
    expect(await own.authenticate(secret)).toBe(caller);
    expect(reads()).toBe(1);
  });

  test("threat 1: 500 hostile bearer values are refused before storage", async () => {
    const { db: counting, reads } = counted();
    const own = new KeyRing(counting, PEPPER, clock);
    const hostile = ["' OR 1=1 --", "\u0000", '"; drop table keys; --', "💥", "x".repeat(65_536), "sk-tg-'-'"];
    for (let at = 0; at < 500; at++) {
      const text = at % 2 ? `${hostile[at % hostile.length]}${at}` : (await mint("a stranger's pepper of any length")).text;
      expect(await refused(own.authenticate(text))).toMatch(/^invalid_api_key /);
    }
    expect(reads()).toBe(0);
  });

  test("threat 2: no key text and no unpeppered hash is stored", async () => {
    const { secret } = await store.create({ name: "at rest" });
    const bare = secret.slice(-43);
    const hashes = await Promise.all([secret, bare].map((text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
    const dump = JSON.stringify(await env.DB.batch([env.DB.prepare("select * from keys"), env.DB.prepare("select * from key_secrets")]));
    expect(dump).toContain(bare.slice(-4));
    for (const forbidden of [bare, ...hashes.map((hash) => Buffer.from(hash).toString("hex"))]) expect(dump).not.toContain(forbidden);
    await refused(new KeyRing(db, `${PEPPER}!`, clock).authenticate(secret));
  });

  test("threat 3: a wrong secret under a known public id is refused, and reads at most once in 2 s", async () => {
    const { secret } = await store.create({ name: "guessed" });
    const { db: counting, reads } = counted();
    const own = new KeyRing(counting, PEPPER, clock);
    await own.authenticate(secret);
    for (let at = 0; at < 50; at++) await refused(own.authenticate(secret.slice(0, -2) + String(at).padStart(2, "_").replace("_", "0")));
    expect(reads()).toBe(1);
    expect((await own.authenticate(secret)).name).toBe("guessed");
  });

  test("threat 10: a disabled or revoked key is refused once its epoch is found stale or its copy too old", async () => {
    const { row, secret } = await store.create({ name: "revoked" });
    await ring.authenticate(secret);
    await store.disable(row.id);
    now += 2_000;
    await refused(ring.authenticate(secret, 1_000));
    ring.forget(row.id);
    await refused(ring.authenticate(secret));
    expect((await store.enable(row.id)).epoch).toBe(3);
    now += 2_000;
    expect((await ring.authenticate(secret)).epoch).toBe(3);
    await store.delete(row.id);
    ring.forget(row.id);
    await refused(ring.authenticate(secret));
    expect(await store.enable(row.id).catch((error: TollgateError) => error.code)).toBe("not_found");
  });

  test("threat 10: both secrets work within the grace of a rotation, and only the new one after", async () => {
    const { row, secret } = await store.create({ name: "rotated" });
    await ring.authenticate(secret);
    now += 2_000;
    const rotated = await store.rotate(row.id, 3_600_000);
    expect(rotated.previousValidUntil).toBe(now + 3_600_000);
    expect((await ring.authenticate(rotated.secret)).epoch).toBe(2);
    await ring.authenticate(secret);
    now += 3_600_000;
    await refused(ring.authenticate(secret));
    await ring.authenticate(rotated.secret);
  });

  test("an expired key has the same public face as an unknown one", async () => {
    const { secret } = await store.create({ name: "short", expiresAt: now + 1_000 });
    await ring.authenticate(secret);
    now += 1_000;
    expect(await refused(ring.authenticate(secret))).toBe(await refused(ring.authenticate("nonsense")));
  });
});

describe("KeyStore", () => {
  test("pages newest first without gap or repeat", async () => {
    for (let at = 0; at < 5; at++) await store.create({ name: `page ${at}` });
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: { rows: { id: string }[]; next: string | null } = await store.list({ limit: 2, ...(cursor ? { cursor } : {}) });
      seen.push(...page.rows.map((row) => row.id));
      cursor = page.next;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(await store.list({ limit: 1, cursor: "'--" }).catch((error: TollgateError) => error.facts.param)).toBe("cursor");
  });

  test("patch changes what is named and raises the epoch", async () => {
    const { row } = await store.create({ name: "before" });
    const after = await store.patch(row.id, { name: "after", rpm: null });
    expect(after).toEqual({ ...row, name: "after", rpm: null, epoch: 2 });
  });

  test("threat 6: a key takes no team and no user that is not its own", async () => {
    expect(await store.create({ name: "x", team: "team_none" }).catch((error: TollgateError) => error.facts.param)).toBe("team");
    expect(await store.create({ name: "x", user: "user_none" }).catch((error: TollgateError) => error.facts.param)).toBe("user");
  });
});

describe("TenantStore", () => {
  const tenants = new TenantStore(db, clock);

  test("a team and its user live, change and go, but not while a key needs them", async () => {
    const team = await tenants.createTeam({ name: "core" });
    const user = await tenants.createUser({ team: team.id, name: "Ada" });
    const { row } = await store.create({ name: "k", team: team.id, user: user.id });
    expect(await tenants.patchTeam(team.id, { name: "kernel" })).toEqual({ ...team, name: "kernel" });
    expect(await tenants.patchUser(user.id, { email: "ada@example.org" })).toEqual({ ...user, email: "ada@example.org" });
    expect((await tenants.listUsers({ limit: 5, team: team.id })).rows.map((each) => each.id)).toEqual([user.id]);
    expect((await tenants.listTeams({ limit: 50 })).rows.map((each) => each.id)).toContain(team.id);
    await expect(tenants.deleteUser(user.id)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(tenants.deleteTeam(team.id)).rejects.toMatchObject({ code: "invalid_request" });
    await store.delete(row.id);
    await tenants.deleteUser(user.id);
    await tenants.deleteTeam(team.id);
    expect([await tenants.getUser(user.id), await tenants.getTeam(team.id)]).toEqual([null, null]);
  });
});
