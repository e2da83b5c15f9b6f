import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { type Config, readConfig } from "#config";
import { connect, tables } from "#db";
import type { ActivePolicies } from "../../src/policy/active.ts";
import type { Described } from "../../src/policy/engine/contract.ts";
import { StandingPolicies } from "../../src/policy/standing.ts";
import { type Activation, PolicyStore, type Upload } from "../../src/policy/store.ts";
import { signer } from "../support/signing.ts";

const db = connect(env.DB);
const own = await signer("k1");
const stranger = await signer("k1");
const other = await signer("k2");
const configOf = (more: Record<string, string> = {}): Config =>
  readConfig({ TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32), TOLLGATE_POLICY_KEYS: own.trusted, ...more });
const storeOf = (more: Record<string, string> = {}) => new PolicyStore(db, configOf(more), () => Date.now());
const store = storeOf();
const standing = new StandingPolicies(db);

let count = 0;
const freshName = () => `policy-${++count}`;
const describedAs = (name: string, version: string, more: Partial<Described> = {}): Described => ({
  name,
  version,
  priority: 100,
  compose: "all",
  needs: ["time"],
  stages: ["evaluate"],
  config: { properties: { hours: { type: "number" } }, additionalProperties: false },
  loadFuel: 1,
  tests: { passed: 1, failed: 0 },
  ...more,
});

async function bundle(name: string, version: string): Promise<Upload> {
  const unsigned = { name, version, source: `export default { name: "${name}", version: "${version}" };` };
  return { ...unsigned, signature: await own.sign(unsigned) };
}

async function uploaded(name: string, version: string, by = "ann") {
  const made = await bundle(name, version);
  await store.check(made);
  return store.add(made, describedAs(name, version), by);
}

const wanted = (more: Partial<Activation> = {}): Activation => ({
  scopeKind: "deployment",
  scopeId: "",
  mode: "enforce",
  canaryPercent: null,
  onError: "deny",
  compose: null,
  priority: null,
  config: {},
  ...more,
});

const chain = (active: ActivePolicies, name: string, holder = { team: "team_a", key: "key_a" }) =>
  active
    .chainOf(holder)
    .filter(({ step }) => step.policy === name)
    .map(({ step, activatedAs }) => `${step.version} ${activatedAs}`);

const refused = (what: Promise<unknown>) =>
  what.then(
    () => "passed",
    (error: { facts: { param?: string }; message: string }) => `${error.facts.param ?? ""} ${error.message}`,
  );

describe("threat 34: only what was signed, whole and newer than what there is, gets in", () => {
  test("a bundle under a trusted key does", async () => {
    const row = await uploaded(freshName(), "1.0.0");
    expect(row).toMatchObject({ signedBy: "k1", version: "1.0.0" });
    expect(row.hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test("with any bit flipped, of source, name, version, key or signature, does not", async () => {
    const made = await bundle(freshName(), "1.2.3");
    const { ed25519, keyId } = made.signature!;
    const flips = (text: string) =>
      Array.from(text).flatMap((letter, at) =>
        [0, 1, 2, 3, 4, 5, 6, 7].map(
          (bit) => text.slice(0, at) + String.fromCharCode(letter.charCodeAt(0) ^ (1 << bit)) + text.slice(at + 1),
        ),
      );
    const tampered: readonly Upload[] = [
      ...flips(made.source).map((source) => ({ ...made, source })),
      ...flips(made.name).map((name) => ({ ...made, name })),
      ...flips(made.version).map((version) => ({ ...made, version })),
      ...flips(keyId).map((other) => ({ ...made, signature: { keyId: other, ed25519 } })),
      ...flips(atob(ed25519)).map((bytes) => ({ ...made, signature: { keyId, ed25519: btoa(bytes) } })),
    ];
    expect(tampered.length).toBeGreaterThan(1_000);
    const said = await Promise.all(tampered.map((each) => refused(store.check(each))));
    expect(said.filter((each) => !/signature|version/.test(each))).toEqual([]);
    expect(await refused(store.check(made))).toBe("passed");
  });

  test("neither does a key that nobody trusts, another's under a trusted id, nor none at all", async () => {
    const { signature: _, ...unsigned } = await bundle(freshName(), "1.0.0");
    expect(await refused(store.check({ ...unsigned, signature: await other.sign(unsigned) }))).toContain("no key k2 is trusted");
    expect(await refused(store.check({ ...unsigned, signature: await stranger.sign(unsigned) }))).toContain("does not hold");
    expect(await refused(store.check({ ...unsigned, signature: { keyId: "k1", ed25519: "***" } }))).toContain("base64");
    expect(await refused(store.check({ ...unsigned, signature: null }))).toContain("signature: is missing");
    expect(await refused(storeOf({ TOLLGATE_ENV: "development" }).check({ ...unsigned, signature: null }))).toBe("passed");
  });

  test("an old version does not come back by uploading it, though well signed, and what stands goes on", async () => {
    const name = freshName();
    const first = await uploaded(name, "1.9.0");
    const second = await uploaded(name, "1.10.0");
    await store.activate(second.id, wanted(), "bob");
    for (const old of ["1.9.0", "1.9.9", "1.10.0", "0.99999.0"])
      expect(await refused(uploaded(name, old))).toContain("version: must be newer than 1.10.0");
    expect(chain(await standing.read(), name)).toEqual(["1.10.0 enforce"]);
    expect((await store.list({ limit: 10 }, name)).rows.map(({ id }) => id)).toEqual([second.id, first.id]);
  });

  test("of twenty uploads of one version at once, one gets in", async () => {
    const name = freshName();
    const tries = await Promise.all(Array.from({ length: 20 }, () => refused(uploaded(name, "1.0.0"))));
    expect(tries.filter((each) => each === "passed")).toHaveLength(1);
  });

  test("what was stored is verified once more before it is activated", async () => {
    const row = await uploaded(freshName(), "1.0.0");
    await db.update(tables.policyVersions).set({ source: "export default 1" }).where(eq(tables.policyVersions.id, row.id));
    expect(await refused(store.activate(row.id, wanted(), "bob"))).toContain("id");
    const sound = await uploaded(freshName(), "1.0.0");
    const rotated = storeOf({ TOLLGATE_POLICY_KEYS: other.trusted });
    expect(await refused(rotated.activate(sound.id, wanted(), "bob"))).toContain("no key k1 is trusted");
  });

  test("a module must be what its bundle says", async () => {
    const made = await bundle("said", "1.0.0");
    expect(await refused(store.add(made, describedAs("meant", "1.0.0"), "ann"))).toContain("name");
    expect(await refused(store.add(made, describedAs("said", "1.0.1"), "ann"))).toContain("version");
  });
});

describe("D15: where a version stands", () => {
  test("a trial leaves in force what was, enforcing ends it, and rolling back is to enforce the older version", async () => {
    const name = freshName();
    const [one, two] = [await uploaded(name, "1.0.0"), await uploaded(name, "2.0.0")];
    await store.activate(one.id, wanted(), "bob");
    await store.activate(two.id, wanted({ mode: "shadow" }), "bob");
    expect(chain(await standing.read(), name)).toEqual(["1.0.0 enforce", "2.0.0 shadow"]);
    await store.activate(two.id, wanted({ mode: "canary", canaryPercent: 100 }), "bob");
    expect(chain(await standing.read(), name)).toEqual(["2.0.0 canary", "2.0.0 shadow"]);
    await store.activate(two.id, wanted(), "bob");
    expect(chain(await standing.read(), name)).toEqual(["2.0.0 enforce"]);
    await store.activate(one.id, wanted(), "bob");
    expect(chain(await standing.read(), name)).toEqual(["1.0.0 enforce"]);
    await store.activate(one.id, wanted({ mode: "off" }), "bob");
    expect(chain(await standing.read(), name)).toEqual([]);
  });

  test("the narrowest scope counts: a key may have another version than its team, and a team none at all", async () => {
    const name = freshName();
    const [one, two] = [await uploaded(name, "1.0.0"), await uploaded(name, "2.0.0")];
    await store.activate(one.id, wanted(), "bob");
    await store.activate(one.id, wanted({ scopeKind: "team", scopeId: "team_free", mode: "off" }), "bob");
    await store.activate(two.id, wanted({ scopeKind: "key", scopeId: "key_new" }), "bob");
    await store.activate(two.id, wanted({ mode: "canary", canaryPercent: 100 }), "bob");
    const active = await standing.read();
    expect(chain(active, name)).toEqual(["2.0.0 canary"]);
    expect(chain(active, name, { team: "team_free", key: "key_free" })).toEqual([]);
    expect(chain(active, name, { team: "team_free", key: "key_new" })).toEqual(["2.0.0 enforce"]);
  });

  test("a generation grows with every activation, those at once included", async () => {
    const { id } = await uploaded(freshName(), "1.0.0");
    const scopes = Array.from({ length: 10 }, (_, at) => wanted({ scopeKind: "key", scopeId: `key_${at}` }));
    const made = await Promise.all(scopes.map((each) => store.activate(id, each, "bob")));
    expect(new Set(made.map(({ generation }) => generation)).size).toBe(10);
    const last = await store.activate(id, wanted(), "bob");
    expect(last.generation).toBeGreaterThan(Math.max(...made.map(({ generation }) => generation)));
  });

  test("settings are judged by the policy's own schema, and a share stands with a canary only", async () => {
    const { id } = await uploaded(freshName(), "1.0.0");
    expect(await refused(store.activate(id, wanted({ config: { hours: "nine" } }), "bob"))).toContain("config.hours");
    expect(await refused(store.activate(id, wanted({ config: { minutes: 9 } }), "bob"))).toContain("config");
    expect(await refused(store.activate(id, wanted({ mode: "canary" }), "bob"))).toContain("canary_percent");
    expect(await refused(store.activate(id, wanted({ canaryPercent: 5 }), "bob"))).toContain("canary_percent");
    expect(await refused(store.activate(id, wanted({ config: { hours: 9 } }), "bob"))).toBe("passed");
  });

  test("settings that are not given are those that the schema fills in", async () => {
    const name = freshName();
    const made = await bundle(name, "1.0.0");
    const config = { properties: { window_s: { type: "integer", default: 3600 }, per: { type: "string" } } };
    const { id } = await store.add(made, describedAs(name, "1.0.0", { config }), "ann");
    expect((await store.activate(id, wanted({ config: { per: "team" } }), "bob")).config).toEqual({ window_s: 3600, per: "team" });
  });

  test("where two people are demanded, who uploaded a version does not activate it", async () => {
    const strict = storeOf({ TOLLGATE_POLICY_TWO_PEOPLE: "true" });
    const { id } = await uploaded(freshName(), "1.0.0", "ann");
    expect(await refused(strict.activate(id, wanted(), "ann"))).toContain("another one must approve");
    expect(await refused(strict.activate(id, wanted(), "bob"))).toBe("passed");
    expect(await refused(strict.activate(id, wanted({ mode: "off" }), "ann"))).toBe("passed");
  });
});
