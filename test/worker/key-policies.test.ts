import { env } from "cloudflare:workers";
import { and, desc, eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { connect, tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { ADMIN, type Asked, ask, newKey } from "../support/front.ts";

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- answers are read as a client reads them

const db = connect(env.DB);
const platform = platformOf(env);

async function admin(method: string, path: string, body?: unknown, more: Asked = {}): Promise<Json> {
  const answer = await ask(method, `/admin/v1${path}`, { as: ADMIN, body, platform, ...more });
  const text = await answer.text();
  return { http: answer.status, ...(text === "" ? {} : (JSON.parse(text) as Json)) };
}

let count = 0;
const freshName = () => `key-policy-${++count}`;

/** A version that denies, and says which it is; its setting `word` is what it lets pass. */
async function upload(name: string, version = "1.0.0", config = '{ word: { type: "string", default: "please" } }'): Promise<string> {
  const source = `export default {
    name: "${name}", version: "${version}", needs: ["messages"],
    config: { type: "object", properties: ${config}, additionalProperties: false },
    evaluate: ({ messages, config }) => ({ allowed: messages.some(({ text }) => text === config.word), reason: "say " + config.word }),
  };`;
  return (await admin("POST", "/policies", { name, version, source, signature: null }))["id"];
}

const activate = (id: string, scope: object, body: object = { mode: "enforce" }) =>
  admin("PUT", `/policies/${id}/activation`, { scope, ...body });

/** Who judged a request, and what came of it. */
async function judged(secret: string, content = "hi"): Promise<string> {
  const body = { model: "tollgate/echo", max_tokens: 5, messages: [{ role: "user", content }] };
  const answer = await ask("POST", "/v1/chat/completions", { as: secret, body, platform });
  const { error } = (await answer.json()) as Json;
  return answer.status === 200 ? `passed ${answer.headers.get("x-tollgate-policies")}` : `${error.details.policy}@${error.details.version} ${error.details.reason}`; // prettier-ignore
}

describe("a key's policies", () => {
  test("bind it from its birth, are shown wherever the key is, and stand among the activations", async () => {
    const [name, other] = [freshName(), freshName()];
    const ids = [await upload(name), await upload(other)];
    const made = await newKey({ policies: ids });
    const key = (await admin("GET", `/keys/${made.id}`))["policies"];
    expect([(made as Json)["policies"], key]).toEqual([ids, ids]);
    const listed = (await admin("GET", "/keys?limit=1000"))["data"] as Json[];
    expect(listed.find(({ id }) => id === made.id)!["policies"]).toEqual(ids);
    expect(listed.filter(({ id }) => id !== made.id).flatMap(({ policies }) => policies)).toEqual([]);
    expect(await judged(made.secret)).toBe(`${name}@1.0.0 say please`);
    expect(await judged(made.secret, "please")).toBe(`passed ${name}@1.0.0 allowed, ${other}@1.0.0 allowed`);
    expect((await admin("GET", `/policies/activations?name=${name}`))["data"]).toMatchObject([
      { policy: ids[0], scope: { kind: "key", id: made.id }, mode: "enforce", on_error: "deny", config: { word: "please" } },
    ]);
    const neighbour = await newKey();
    expect(await judged(neighbour.secret)).toBe("passed null");
  });

  test("are changed by a patch: another version takes the settings over, what is not named falls back to the wider scope", async () => {
    const name = freshName();
    const [first, second] = [await upload(name), await upload(name, "2.0.0")];
    const team = freshName();
    await admin("POST", "/teams", { id: team, name: team });
    const { id, secret } = await newKey({ team, policies: [first] });
    await activate(first, { kind: "key", id }, { mode: "enforce", config: { word: "abracadabra" }, on_error: "allow", priority: 7 });
    expect((await admin("PATCH", `/keys/${id}`, { tags: ["x"] }))["policies"]).toEqual([first]);
    expect(await judged(secret, "abracadabra")).toContain("passed");
    expect((await admin("PATCH", `/keys/${id}`, { policies: [second] }))["policies"]).toEqual([second]);
    expect((await admin("GET", `/policies/activations?name=${name}`))["data"]).toMatchObject([
      { policy: second, mode: "enforce", config: { word: "abracadabra" }, on_error: "allow", priority: 7 },
    ]);
    expect(await judged(secret, "no")).toBe(`${name}@2.0.0 say abracadabra`);
    await activate(first, { kind: "team", id: team });
    expect(await judged(secret, "no")).toBe(`${name}@2.0.0 say abracadabra`);
    expect((await admin("PATCH", `/keys/${id}`, { policies: [] }))["policies"]).toEqual([]);
    expect(await judged(secret, "no")).toBe(`${name}@1.0.0 say please`);
    const changes = () => db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "key.update"), eq(tables.auditEntries.subjectId, id))).orderBy(desc(tables.auditEntries.at)); // prettier-ignore
    await expect.poll(async () => (await changes()).length, { timeout: 15_000, interval: 50 }).toBe(3);
    const told = (await changes()).map(({ before, after }) => [(before as Json)["policies"], (after as Json)["policies"]]);
    const put = () => db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "policy.activate"), eq(tables.auditEntries.key, id))); // prettier-ignore
    const modes = async () => (await put()).map(({ subjectId, after }) => `${subjectId} ${String((after as Json)["mode"])}`);
    await expect.poll(async () => (await modes()).toSorted(), { timeout: 15_000, interval: 50 }).toEqual([`${first} enforce`, `${second} enforce`, `${second} inherit`].toSorted()); // prettier-ignore
    expect(told).toEqual(
      expect.arrayContaining([
        [[first], [first]],
        [[first], [second]],
        [[second], []],
      ]),
    );
  });

  test("an activation in the key's scope shows on the key, one that exempts it or looks on does not", async () => {
    const name = freshName();
    const id = await upload(name);
    const key = await newKey();
    const scope = { kind: "key", id: key.id };
    const shown = async () => (await admin("GET", `/keys/${key.id}`))["policies"];
    const modes = [
      ["enforce", [id]],
      ["shadow", [id]],
      ["off", []],
      ["enforce", [id]],
      ["inherit", []],
    ] as const;
    for (const [mode, policies] of modes) {
      expect((await activate(id, scope, { mode }))["mode"]).toBe(mode);
      expect([mode, await shown()]).toEqual([mode, policies]);
    }
    expect(await judged(key.secret)).toBe("passed null");
  });

  test("that are wrong are refused by their place in the list, and nothing is made or changed", async () => {
    const name = freshName();
    const [first, second] = [await upload(name), await upload(name, "2.0.0")];
    const demanding = await upload(freshName(), "1.0.0", '{ word: { type: "string" } }, required: ["word"]');
    const { id } = await newKey({ policies: [first] });
    const keys = async () => ((await admin("GET", "/keys?limit=1000"))["data"] as Json[]).length;
    const before = await keys();
    const wrong: readonly (readonly [unknown, string, RegExp])[] = [
      [["pol_nobody"], "policies.0", /no version of a policy/],
      [[second, name], "policies.1", /no version of a policy/],
      [[first, second], "policies.1", /a second one of/],
      [[first, demanding], "policies.1", /config\.word/],
      [first, "policies", /array/],
      [[7], "policies.0", /string/],
    ];
    for (const [policies, param, message] of wrong) {
      for (const [method, path] of [
        ["POST", "/keys"],
        ["PATCH", `/keys/${id}`],
      ] as const) {
        const { http, error } = await admin(method, path, { name: "x", policies });
        expect([http, error.code, error.param]).toEqual([400, "invalid_request", param]);
        expect(error.message).toMatch(message);
      }
    }
    expect([await keys(), (await admin("GET", `/keys/${id}`))["policies"]]).toEqual([before, [first]]);
  });

  test("where two people are demanded, are not put in force by who uploaded them", async () => {
    const policy = await upload(freshName());
    const demanding = platformOf({ ...env, TOLLGATE_POLICY_TWO_PEOPLE: "true" } as unknown as Env);
    const refused = await admin("POST", "/keys", { name: "x", policies: [policy] }, { platform: demanding });
    expect([refused["http"], refused["error"].code, refused["error"].param]).toEqual([403, "permission_denied", "policies.0"]);
    const why = () => db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "policy.activate"), eq(tables.auditEntries.outcome, "refused"))); // prettier-ignore
    await expect.poll(async () => (await why()).map(({ details }) => String(details["message"])).join(), { timeout: 15_000, interval: 50 }).toContain("policies.0: Who uploaded this version may not activate it"); // prettier-ignore
    const other = await newKey({ role: "operator" });
    expect((await admin("POST", "/keys", { name: "x", policies: [policy] }, { platform: demanding, as: other.secret }))["http"]).toBe(201);
  });
});
