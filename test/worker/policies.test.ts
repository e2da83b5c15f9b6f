import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { connect, tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { ADMIN, type Asked, ask, newKey } from "../support/front.ts";
import { signer } from "../support/signing.ts";

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- answers are read as a client reads them

const db = connect(env.DB);
/** One isolate, with what it has read and the walls that it has built. */
const platform = platformOf(env);

async function admin(method: string, path: string, body?: unknown, more: Asked = {}): Promise<Json> {
  const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body, platform, ...more });
  const text = await answer.text();
  return { status: answer.status, asked: answer.headers.get("x-request-id"), ...(text === "" ? {} : (JSON.parse(text) as Json)) };
}

let count = 0;
const freshName = () => `policy-${String(++count).padStart(3, "0")}`;

/** A module that says no to prompts over so many characters, with its settings, and a test of its own. */
const source = (name: string, version: string, more = "") => `
const LONGEST = ${version.startsWith("2") ? 5 : 20};
export default {
  name: "${name}", version: "${version}", priority: 50,
  needs: ["messages", "key"],
  config: { type: "object", properties: { longest: { type: "number" } }, additionalProperties: false },
  evaluate({ messages, config }) {
    const longest = config.longest ?? LONGEST;
    const length = messages.reduce((sum, { text }) => sum + text.length, 0);
    return length > longest ? { allowed: false, reason: "too long", metadata: { length } } : { allowed: true };
  },
  tests: [{ context: { messages: [{ role: "user", text: "x".repeat(99) }] }, expect: { allowed: false, metadata: { length: 99 } } }],
  ${more}
};`;

const upload = (name: string, version: string, more = "") =>
  admin("POST", "/policies", { name, version, source: source(name, version, more), signature: null });
const activate = (id: string, body: Json) => admin("PUT", `/policies/${id}/activation`, body);
const chat = (content: string) => ({ model: "tollgate/echo", max_tokens: 5, messages: [{ role: "user", content }] });
const call = (secret: string, content: string) => ask("POST", "/v1/chat/completions", { as: secret, body: chat(content), platform });
const entries = (type: string, subject: string) =>
  db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, type), eq(tables.auditEntries.subjectId, subject))); // prettier-ignore

describe("D15: the life of a policy", () => {
  test("is uploaded, tested, put in force, replaced and rolled back, each seen by the next request and in the audit", async () => {
    const name = freshName();
    const { id: key, secret } = await newKey();
    const first = await upload(name, "1.0.0");
    expect(first).toMatchObject({
      status: 201,
      object: "policy",
      name,
      version: "1.0.0",
      priority: 50,
      compose: "all",
      needs: ["messages", "key"],
      stages: ["evaluate"],
      tests: { passed: 1, failed: 0 },
      signed_by: null,
    });
    expect(first["hash"]).toMatch(/^sha256:/);
    expect(first["load_fuel"]).toBeGreaterThan(0);
    expect((await call(secret, "x".repeat(30))).status).toBe(200);

    const scope = { kind: "key", id: key };
    const standing = await activate(first["id"], { scope, mode: "enforce" });
    expect(standing).toMatchObject({
      status: 200,
      policy: first["id"],
      name,
      scope,
      mode: "enforce",
      on_error: "deny",
      compose: "all",
      config: {},
    });
    const denied = await call(secret, "x".repeat(30));
    expect(denied.status).toBe(403);
    expect(((await denied.json()) as Json)["error"].details).toEqual({
      policy: name,
      version: "1.0.0",
      reason: "too long",
      metadata: { length: 30 },
    });
    expect((await call(secret, "x".repeat(10))).status).toBe(200);

    const second = await upload(name, "2.0.0");
    const newer = await activate(second["id"], { scope, mode: "enforce" });
    expect(newer["generation"]).toBeGreaterThan(standing["generation"]);
    expect((await call(secret, "x".repeat(10))).status).toBe(403);
    await activate(first["id"], { scope, mode: "enforce" });
    expect((await call(secret, "x".repeat(10))).status).toBe(200);
    await activate(second["id"], { scope, mode: "enforce", config: { longest: 1_000 } });
    expect((await call(secret, "x".repeat(30))).status).toBe(200);
    await activate(second["id"], { scope, mode: "off" });
    expect((await admin("GET", `/policies/activations?name=${name}`))["data"]).toMatchObject([{ mode: "off" }]);

    await expect.poll(async () => (await entries("policy.activate", second["id"])).length, { timeout: 15_000, interval: 50 }).toBe(3);
    const [entry] = await entries("policy.activate", second["id"]);
    expect(entry).toMatchObject({ outcome: "ok", before: [{ policy: first["id"], mode: "enforce" }], after: { policy: second["id"] } });
    expect((await admin("GET", `/policies?name=${name}`))["data"].map(({ version }: Json) => version)).toEqual(["2.0.0", "1.0.0"]);
  });

  test("uploaded once more as it is, answers the version that stands; other code under its number, or an older one, is refused", async () => {
    const name = freshName();
    const first = await upload(name, "0.9.0");
    const second = await upload(name, "1.0.0");
    expect(await upload(name, "1.0.0")).toEqual({ ...second, asked: expect.stringMatching(/^req_/) as string });
    expect((await admin("GET", `/policies?name=${name}`))["data"].map(({ id }: Json) => id)).toEqual([second["id"], first["id"]]);
    await expect.poll(async () => (await entries("policy.create", second["id"])).length, { timeout: 15_000, interval: 50 }).toBe(2);
    const after = { name, version: "1.0.0", hash: second["hash"], signed_by: null };
    const told = await entries("policy.create", second["id"]);
    expect(told.map((entry) => [entry.before, entry.after])).toEqual(
      expect.arrayContaining([
        [null, after],
        [after, after],
      ]),
    );
    for (const [version, code] of [
      ["1.0.0", `${source(name, "1.0.0")}// other code`],
      ["0.9.0", source(name, "0.9.0")],
    ]) {
      const refused = await admin("POST", "/policies", { name, version, source: code, signature: null });
      expect([refused["status"], refused["error"].param]).toEqual([400, "version"]);
    }
  });

  test("on trial no more, stands once, as turned off", async () => {
    const name = freshName();
    const { id: key } = await newKey();
    const { id } = await upload(name, "1.0.0");
    const scope = { kind: "key", id: key };
    for (const mode of ["shadow", "off"]) await activate(id, { scope, mode });
    expect((await admin("GET", `/policies/activations?name=${name}`))["data"]).toMatchObject([{ policy: id, scope, mode: "off" }]);
  });

  test("is asked about a context without a request, and says what it burns", async () => {
    const { id } = await upload(freshName(), "1.0.0");
    const about = { stage: "request", context: { messages: [{ role: "user", text: "x".repeat(50) }] } };
    const said = await admin("POST", `/policies/${id}/test`, about);
    expect(said).toMatchObject({
      status: 200,
      outcome: "denied",
      failure: null,
      decision: { allowed: false, reason: "too long", metadata: { length: 50 } },
      logs: [],
    });
    expect(said["fuel"]).toBeGreaterThan(0);
    expect((await admin("POST", `/policies/${id}/test`, about))["fuel"]).toBe(said["fuel"]);
    const longer = await admin("POST", `/policies/${id}/test`, { ...about, config: { longest: 99 } });
    expect(longer).toMatchObject({ outcome: "allowed" });
    const wrong = await admin("POST", `/policies/${id}/test`, { ...about, config: { longest: "long" } });
    expect([wrong["status"], wrong["error"].param]).toEqual([400, "config.longest"]);
    const failed = await admin("POST", `/policies/${id}/test`, { context: {} });
    expect(failed).toMatchObject({ outcome: "failed", failure: "threw" });
  });

  test("is tried out and replayed with what its schema fills in, as it would be put in force", async () => {
    const name = freshName();
    const code = `export default {
      name: "${name}", version: "1.0.0", needs: ["request"],
      config: { type: "object", properties: { most: { type: "integer", default: 7 } }, additionalProperties: false },
      evaluate: ({ request, config }) => ({ allowed: request.max_tokens <= config.most, reason: "most is " + config.most }),
    };`;
    const { id } = await admin("POST", "/policies", { name, version: "1.0.0", source: code, signature: null });
    const said = await admin("POST", `/policies/${id}/test`, { context: { request: { max_tokens: 8 } } });
    expect(said).toMatchObject({ outcome: "denied", decision: { reason: "most is 7" } });
    const replayed = await admin("POST", `/policies/${id}/replay`, { config: { least: 1 } });
    expect([replayed["status"], replayed["error"].param]).toEqual([400, "config"]);
  });

  test("a policy that loops stops its own request and nobody else's", async () => {
    const name = freshName();
    const { id: key, secret } = await newKey();
    const loops = `export default { name: "${name}", version: "1.0.0", evaluate() { for (;;); } };`;
    const { id } = await admin("POST", "/policies", { name, version: "1.0.0", source: loops, signature: null });
    await activate(id, { scope: { kind: "key", id: key }, mode: "enforce" });
    const denied = await call(secret, "hi");
    expect([denied.status, ((await denied.json()) as Json)["error"].details]).toMatchObject([403, { policy: name, failure: "fuel" }]);
    const other = await newKey();
    expect((await call(other.secret, "hi")).status).toBe(200);
  });
});

describe("a version's source", () => {
  test("is shown with its signature to who may write policies, each reading in the audit, and to no analyst", async () => {
    const name = freshName();
    const { id, hash } = await upload(name, "1.0.0");
    const shown = await admin("GET", `/policies/${id}/source`);
    expect(shown).toMatchObject({
      status: 200,
      object: "policy_source",
      id,
      name,
      version: "1.0.0",
      hash,
      source: source(name, "1.0.0"),
      signature: null,
    });
    await expect.poll(async () => (await entries("policy.read_source", id)).length, { timeout: 15_000, interval: 50 }).toBe(1);
    expect((await entries("policy.read_source", id))[0]).toMatchObject({ actorId: "bootstrap", details: { name, version: "1.0.0", hash } });
    for (const [role, status] of [
      ["operator", 200],
      ["analyst", 403],
      ["auditor", 403],
      ["key_holder", 403],
    ] as const) {
      const { secret } = await newKey({ role });
      expect((await admin("GET", `/policies/${id}/source`, undefined, { as: secret }))["status"]).toBe(status);
    }
    expect((await admin("GET", "/policies/pol_nobody/source"))["status"]).toBe(404);
  });
});

describe("threat 34: a bundle that is not right", () => {
  const refusalOf = async (request: string) =>
    (await db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.outcome, "refused"), eq(tables.auditEntries.request, request))))[0]?.details; // prettier-ignore

  test.each([
    ["syntax that is none", "export default {", "source", /line 1/],
    ["an import", 'import "node:fs"; export default {};', "source", /node:fs/],
    ["eval", 'export default { name: "a", version: "1.0.0", evaluate() { return eval("1"); } };', "source", /eval/],
    ["no policy", "export default 1;", "source", /default export|must/],
    ["its own test failing", 'export default { name: "a", version: "1.0.0", evaluate: () => ({ allowed: true }), tests: [{ expect: { allowed: false } }] };', "source", /tests fail/],
    ["a schema that is none", 'export default { name: "a", version: "1.0.0", config: { type: "object", properties: { a: { $ref: "https://evil.test" } } }, evaluate: () => ({ allowed: true }) };', "source", /schema/],
  ])("with %s is refused by what is wrong", async (_, code, param, message) => {
    const answer = await admin("POST", "/policies", { name: "a", version: "1.0.0", source: code, signature: null });
    expect([answer["status"], answer["error"].code, answer["error"].param]).toEqual([400, "invalid_request", param]);
    expect(answer["error"].message).toMatch(message);
  }); // prettier-ignore

  test("names the line and column of every problem", async () => {
    const code = 'export default {};\nimport "x";\n  eval("1");';
    const { error } = await admin("POST", "/policies", { name: "a", version: "1.0.0", source: code, signature: null });
    expect(error.details.problems).toMatchObject([
      { line: 2, column: 1 },
      { line: 3, column: 3 },
    ]);
  });

  test("never stands: a flipped bit, a wrong key, an old version, a missing or an extra file; the audit says why, and what stood stands", async () => {
    const own = await signer("k1");
    const other = await signer("k1");
    const name = freshName();
    const { id: key } = await newKey();
    const bindings = { TOLLGATE_ENV: "production", TOLLGATE_POLICY_KEYS: own.trusted } as unknown as Partial<Env>;
    const inProduction = platformOf({ ...env, ...bindings });
    const signed = async (version: string, by = own) => {
      const bundle = { name, version, source: source(name, version) };
      const { keyId, ed25519 } = await by.sign(bundle);
      return { ...bundle, signature: { key_id: keyId, ed25519 } };
    };
    const post = (body: unknown) => admin("POST", "/policies", body, { platform: inProduction });
    const good = await post(await signed("1.5.0"));
    expect(good).toMatchObject({ status: 201, signed_by: "k1" });
    const standing = await admin("PUT", `/policies/${good["id"]}/activation`, { scope: { kind: "key", id: key }, mode: "enforce" }, { platform: inProduction });
    expect(standing["status"]).toBe(200);
    const newer = await signed("1.6.0");
    const { source: code, ...withoutSource } = newer;
    const bad: readonly (readonly [unknown, RegExp])[] = [
      [{ ...newer, source: `${code} ` }, /signature/],
      [{ ...newer, version: "1.7.0" }, /signature/],
      [await signed("1.6.0", other), /signature/],
      [{ ...newer, signature: null }, /signature/],
      [await signed("1.4.0"), /newer than 1\.5\.0/],
      [withoutSource, /source/],
      [{ ...newer, helper: "export const x = 1;" }, /helper/],
    ];
    for (const [body, why] of bad) {
      const answer = await post(body);
      expect(answer["status"]).toBe(400);
      expect(answer["error"].message).toMatch(why);
      await expect.poll(async () => (await refusalOf(answer["asked"]))?.message, { timeout: 15_000, interval: 50 }).toMatch(why);
    }
    const versions = (await admin("GET", `/policies?name=${name}`))["data"];
    expect(versions.map(({ version }: Json) => version)).toEqual(["1.5.0"]);
    const [active] = (await admin("GET", `/policies/activations?name=${name}`))["data"];
    expect(active).toMatchObject({ policy: good["id"], mode: "enforce", generation: standing["generation"] });
  }); // prettier-ignore

  test("an activation names what is wrong with it", async () => {
    const { id } = await upload(freshName(), "1.0.0");
    const wrong: readonly (readonly [Json, number, string | null])[] = [
      [{ mode: "enforce" }, 400, "scope"],
      [{ scope: { kind: "team", id: "team_nobody" }, mode: "enforce" }, 404, null],
      [{ scope: { kind: "user", id: "u" }, mode: "enforce" }, 400, "scope.kind"],
      [{ scope: { kind: "deployment" }, mode: "on" }, 400, "mode"],
      [{ scope: { kind: "deployment" }, mode: "canary" }, 400, "canary_percent"],
      [{ scope: { kind: "deployment" }, mode: "canary", canary_percent: 101 }, 400, "canary_percent"],
      [{ scope: { kind: "deployment" }, mode: "shadow", config: { longest: "x" } }, 400, "config.longest"],
      [{ scope: { kind: "deployment" }, mode: "shadow", priority: -1 }, 400, "priority"],
      [{ scope: { kind: "deployment" }, mode: "shadow", surprise: 1 }, 400, "surprise"],
    ];
    for (const [body, status, param] of wrong) {
      const answer = await activate(id, body);
      expect([answer["status"], answer["error"].param]).toEqual([status, param]);
    }
    expect((await activate("pol_nobody", { scope: { kind: "deployment" }, mode: "off" }))["status"]).toBe(404);
  });
});

describe("replay", () => {
  test("of the same version changes nothing, of another exactly the requests that it would judge otherwise, and says what it cannot", async () => {
    const name = freshName();
    const { id: key, secret } = await newKey();
    const module = (version: string, longest: number, needs = '"request"') => `export default {
      name: "${name}", version: "${version}", needs: [${needs}],
      evaluate: ({ request }) => ({ allowed: request.max_tokens <= ${longest}, reason: "asks for " + request.max_tokens }),
    };`;
    const put = async (version: string, code: string) =>
      (await admin("POST", "/policies", { name, version, source: code, signature: null }))["id"] as string;
    const first = await put("1.0.0", module("1.0.0", 10));
    await activate(first, { scope: { kind: "key", id: key }, mode: "enforce" });
    const body = (max: number) => ({ ...chat("hi"), max_tokens: max });
    const asked = [2, 4, 6, 8, 12];
    const answers = await Promise.all(asked.map((max) => ask("POST", "/v1/chat/completions", { as: secret, body: body(max), platform })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 403]);
    const logged = async () => (await admin("GET", `/policies/decisions?policy=${name}`))["data"] as Json[];
    await expect.poll(async () => (await logged()).length, { timeout: 15_000, interval: 50 }).toBe(5);
    expect(await admin("POST", `/policies/${first}/replay`, {})).toMatchObject({ status: 200, evaluated: 5, changed: 0, not_replayable: 0, changes: [] });

    const second = await put("2.0.0", module("2.0.0", 5));
    const ids = answers.map((answer) => answer.headers.get("x-request-id"));
    const said = await admin("POST", `/policies/${second}/replay`, {});
    expect([said["evaluated"], said["changed"]]).toEqual([5, 2]);
    expect(new Map(said["changes"].map(({ request, before, after, reason }: Json) => [request, [before, after, reason]]))).toEqual(
      new Map([
        [ids[2], ["allowed", "denied", "asks for 6"]],
        [ids[3], ["allowed", "denied", "asks for 8"]],
      ]),
    );
    const third = await put("3.0.0", module("3.0.0", 5, '"request", "messages"'));
    const gaps = { facts_missing: 0, content_not_logged: 5, content_altered: 0, over_limit: 0 };
    expect(await admin("POST", `/policies/${third}/replay`, {})).toMatchObject({ evaluated: 0, changed: 0, not_replayable: 5, not_replayable_by: gaps });
    const fourth = await put("4.0.0", module("4.0.0", 5, '"request", "budget"'));
    const { not_replayable_by: lacking } = await admin("POST", `/policies/${fourth}/replay`, {});
    expect(lacking).toEqual({ facts_missing: 5, content_not_logged: 0, content_altered: 0, over_limit: 0 });
  }); // prettier-ignore

  test("of a recorded day: the same version changes 0, a moved threshold exactly the requests that were computed by hand, and what cannot be asked is counted", async () => {
    const name = freshName();
    const module = (version: string) => `export default {
      name: "${name}", version: "${version}", needs: ["estimate", "time"],
      config: { type: "object", properties: { most: { type: "number", default: 50 } }, additionalProperties: false },
      evaluate: ({ estimate, time, config }) => ({ allowed: estimate.max_output_tokens <= config.most || time.hour < 2 }),
    };`;
    const { id, hash } = await admin("POST", "/policies", { name, version: "1.0.0", source: module("1.0.0"), signature: null });
    const from = Date.UTC(2026, 10, 20);
    const minutes = Array.from({ length: 1_440 }, (_, minute) => minute);
    const tokens = (minute: number) => (minute * 37) % 100;
    const denies = (minute: number, most: number) => tokens(minute) > most && minute >= 120;
    // Facts of every tenth were too many to be kept.
    const known = (minute: number) => minute % 10 !== 0;
    const rowOf = (minute: number) => ({
      id: `dec_${name}_${minute}`, request: `req_${name}_${minute}`, at: from + minute * 60_000, team: "t", key: "k", policy: name, version: "1.0.0", hash,
      mode: "enforce" as const, scopeKind: "deployment" as const, scopeId: "", stage: "evaluate" as const, outcome: denies(minute, 50) ? "denied" as const : "allowed" as const, failure: null,
      reason: "", metadata: {}, obligations: [], fuel: 1, contextDigest: "d",
      facts: known(minute) ? { estimate: { max_output_tokens: tokens(minute) }, time: { hour: Math.floor(minute / 60) } } : null,
    });
    // A minute before the day and one after it are none of it.
    const rows = [-1, ...minutes, 1_440].map(rowOf);
    for (let at = 0; at < rows.length; at += 4) await db.insert(tables.policyDecisions).values(rows.slice(at, at + 4));
    const day = { from: new Date(from).toISOString(), to: new Date(from + 86_400_000).toISOString() };
    const evaluated = minutes.filter(known).length;
    const lacking = minutes.length - evaluated;
    const same = await admin("POST", `/policies/${id}/replay`, day);
    expect(same).toMatchObject({ evaluated, changed: 0, not_replayable: lacking, changes: [], not_replayable_by: { facts_missing: lacking, over_limit: 0 } });
    const moved = await admin("POST", `/policies/${id}/replay`, { ...day, config: { most: 60 } });
    const expected = minutes.filter((minute) => known(minute) && denies(minute, 50) !== denies(minute, 60));
    expect(expected.length).toBeGreaterThan(100);
    expect([moved["evaluated"], moved["changed"], moved["not_replayable"]]).toEqual([evaluated, expected.length, lacking]);
    expect(new Set(moved["changes"].map(({ request }: Json) => request))).toEqual(new Set(expected.map((minute) => `req_${name}_${minute}`)));
    expect(new Set(moved["changes"].map(({ before, after }: Json) => `${before} ${after}`))).toEqual(new Set(["denied allowed"]));
  }); // prettier-ignore

  test("of a policy that reads messages asks about what was logged to the letter, and counts what was not, and why", async () => {
    const name = freshName();
    const module = (version: string, longest: number) => `export default {
      name: "${name}", version: "${version}", needs: ["messages", "key"],
      evaluate: ({ messages }) => ({ allowed: messages.every(({ text }) => text.length <= ${longest}), reason: "too long" }),
    };`;
    const put = async (version: string, longest: number) =>
      (await admin("POST", "/policies", { name, version, source: module(version, longest), signature: null }))["id"] as string;
    const first = await put("1.0.0", 20);
    const keys = await Promise.all(["full", "redacted", "off"].map((content_logging) => newKey({ content_logging })));
    for (const { id } of keys) await activate(first, { scope: { kind: "key", id }, mode: "enforce" });
    const ids: (string | null)[] = [];
    for (const { secret } of keys)
      for (const said of ["short", "x".repeat(15), "ann@example.com", "x".repeat(30)])
        ids.push((await call(secret, said)).headers.get("x-request-id"));
    const logged = async () => (await admin("GET", `/policies/decisions?policy=${name}`))["data"] as Json[];
    await expect.poll(async () => (await logged()).length, { timeout: 15_000, interval: 50 }).toBe(12);
    const gaps = { facts_missing: 0, content_not_logged: 4, content_altered: 1 };
    const same = await admin("POST", `/policies/${first}/replay`, {});
    expect(same).toMatchObject({ evaluated: 7, changed: 0, not_replayable: 5, not_replayable_by: gaps });
    const said = await admin("POST", `/policies/${await put("2.0.0", 10)}/replay`, {});
    expect([said["evaluated"], said["changed"]]).toEqual([7, 3]);
    // Of the full log all that is over ten characters and passed; of the redacted one what was not masked.
    expect(new Set(said["changes"].map(({ request }: Json) => request))).toEqual(new Set([ids[1], ids[2], ids[5]]));
    await expect.poll(async () => (await entries("policy.replay", first)).length, { timeout: 15_000, interval: 50 }).toBe(1);
    expect((await entries("policy.replay", first))[0]!.details).toMatchObject({ content_read: 7, not_replayable: 5 });
  });

  test("D16: a request that comes again as it was is answered and on record as the first, one that does not by its own", async () => {
    const name = freshName();
    const { id: key, secret } = await newKey();
    const code = `export default { name: "${name}", version: "1.0.0", needs: ["request"],
      evaluate: ({ request: { max_tokens: n } }) => ({ allowed: n < 9, reason: "asks for " + n, metadata: { spun: Array.from({ length: n }, (_, i) => i) }, obligations: n < 9 ? [{ type: "tag", tags: ["n" + n] }] : [] }) };`;
    const { id } = await admin("POST", "/policies", { name, version: "1.0.0", source: code, signature: null });
    await activate(id, { scope: { kind: "key", id: key }, mode: "enforce" });
    const asked = [3, 3, 6, 3, 12, 12];
    const answers: Response[] = [];
    for (const max_tokens of asked)
      answers.push(await ask("POST", "/v1/chat/completions", { as: secret, body: { ...chat("hi"), max_tokens }, platform }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 403, 403]);
    const logged = async () => (await admin("GET", `/policies/decisions?policy=${name}`))["data"] as Json[];
    await expect.poll(async () => (await logged()).length, { timeout: 15_000, interval: 50 }).toBe(6);
    const byRequest = new Map((await logged()).map(({ request, outcome, reason, metadata, obligations, fuel, context_digest, facts }) => [request, { outcome, reason, metadata, obligations, fuel, context_digest, facts }]));
    const said = answers.map((answer) => byRequest.get(answer.headers.get("x-request-id")!)!);
    expect(said.map(({ reason }) => reason)).toEqual(asked.map((n) => `asks for ${n}`));
    expect(said[0]!["fuel"]).toBeGreaterThan(0);
    expect([said[1], said[3], said[5]]).toEqual([said[0], said[0], said[4]]);
    expect(new Set(said.map(({ fuel }) => fuel)).size).toBe(3);
  }); // prettier-ignore

  test("the decision log is filtered and paged, and an ordinary key may not read it", async () => {
    const { data } = await admin("GET", "/policies/decisions?outcome=denied&limit=2");
    expect(data.length).toBeGreaterThan(0);
    expect(new Set(data.map(({ outcome }: Json) => outcome))).toEqual(new Set(["denied"]));
    const { next_cursor: next, data: newest } = await admin("GET", "/policies/decisions?limit=1");
    const { data: older } = await admin("GET", `/policies/decisions?limit=1&cursor=${next}`);
    expect(older[0].id).not.toBe(newest[0].id);
    const { secret } = await newKey();
    expect((await ask("GET", "/admin/v1/policies/decisions", { as: secret, platform })).status).toBe(403);
  });
});

describe("D15: a policy that counts", () => {
  test("lets exactly as many through as it says, of any number at once", async () => {
    const name = freshName();
    const { id: key, secret } = await newKey({ limits: { rpm: null, tpm: null, concurrency: null } });
    const code = `export default {
      name: "${name}", version: "1.0.0", needs: ["counters:requests"],
      config: { type: "object", properties: { limit: { type: "number" }, window_s: { type: "number" } } },
      evaluate: ({ counters, config }) => ({
        allowed: counters.requests.count <= config.limit,
        reason: "too many", metadata: { retry_after_s: counters.requests.resets_in_s },
      }),
    };`;
    const { id } = await admin("POST", "/policies", { name, version: "1.0.0", source: code, signature: null });
    await activate(id, { scope: { kind: "key", id: key }, mode: "enforce", config: { limit: 40, window_s: 3600 } });
    const isolates = [platform, platformOf({ ...env }), platformOf({ ...env })];
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => ask("POST", "/v1/chat/completions", { as: secret, body: chat("hi"), platform: isolates[at % 3]! })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40);
    const denied = answers.find(({ status }) => status === 403)!;
    expect(((await denied.json()) as Json)["error"].details.metadata.retry_after_s).toBeGreaterThan(3_000);
  }); // prettier-ignore

  test("D15: 1,000 at once over several ways in get 400 places of 400", async () => {
    const counter = { name: "rate/requests", principal: "key:k", windowS: 60 };
    const stubs = Array.from({ length: 4 }, () => platformOf({ ...env }).counters("team_counted"));
    const tickets = (await Promise.all(Array.from({ length: 1_000 }, (_, at) => stubs[at % 4]!.take([counter])))).flat();
    expect(tickets.filter(({ count: place }) => place <= 400)).toHaveLength(400);
    expect(new Set(tickets.map(({ count: place }) => place)).size).toBe(1_000);
  });
});
