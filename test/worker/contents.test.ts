import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { Contents } from "#content";
import { connect, tables } from "#db";
import { platformOf } from "../../src/compose.ts";
import { housekeeping } from "../../src/housekeeping.ts";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- answers are read as a client reads them

const db = connect(env.DB);
const CARD = "4111 1111 1111 1111";
const SAID = `My card is ${CARD}, my mail ann.lee@example.com, my key sk-proj-0123456789abcdef.`;
const MASKED = "My card is [card], my mail [email], my key [secret].";

async function asked(secret: string, path: string, body: Json): Promise<string> {
  const answer = await ask("POST", path, { as: secret, body: { model: "tollgate/echo", ...body } });
  expect(answer.status).toBe(200);
  await answer.text();
  return answer.headers.get("x-request-id")!;
}

/** What is kept of a request, once both sides are there. */
async function kept(request: string): Promise<Json> {
  const rows = () => db.select().from(tables.requestContents).where(eq(tables.requestContents.request, request));
  await expect.poll(async () => (await rows()).length, { timeout: 10_000, interval: 20 }).toBe(2);
  return admin("GET", `/requests/${request}/content`);
}

const CALLS: readonly (readonly [string, (text: string, stream: boolean) => Json])[] = [
  [
    "/v1/chat/completions",
    (content, stream) => ({
      stream,
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content },
      ],
    }),
  ],
  ["/v1/messages", (content, stream) => ({ stream, max_tokens: 400, system: "Be kind.", messages: [{ role: "user", content }] })],
  ["/v1/responses", (input, stream) => ({ stream, instructions: "Be kind.", input: [{ role: "user", content: input }] })],
];

describe("what is kept of what a request said", () => {
  test.each(CALLS)("%s: all of it where a key says full, masked where it says redacted, JSON and stream", async (path, body) => {
    for (const [content_logging, said] of [
      ["full", SAID],
      ["redacted", MASKED],
    ] as const) {
      const { id, secret } = await newKey({ content_logging });
      for (const stream of [false, true]) {
        const request = await asked(secret, path, body(SAID, stream));
        const altered = content_logging === "redacted";
        expect(await kept(request)).toEqual({
          object: "request_content",
          request,
          key: id,
          at: expect.any(String),
          logged: content_logging,
          asked: {
            texts: expect.arrayContaining([
              { role: "system", text: "Be kind." },
              { role: "user", text: said },
            ]),
            altered,
          },
          answered: { texts: [{ role: "assistant", text: `You said: ${said}` }], altered },
        });
      }
    }
  });

  test("is nothing where a key says nothing of it, and a request of it looks like one that is not there", async () => {
    const { secret } = await newKey();
    const request = await asked(secret, ...callOf("hello"));
    expect(await db.select().from(tables.requestContents).where(eq(tables.requestContents.request, request))).toEqual([]);
    const answers = await Promise.all([request, "req_nobody"].map((id) => ask("GET", `/admin/v1/requests/${id}/content`, { as: ADMIN })));
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    const [one, other] = await Promise.all(answers.map((answer) => answer.json()));
    expect(one).toEqual(other);
  });

  test("is sealed at rest, each side for its own row, and bounded", async () => {
    const { secret } = await newKey({ content_logging: "full" });
    const request = await asked(secret, ...callOf(`${SAID} ${"long ".repeat(40_000)}`));
    const shown = await kept(request);
    expect(shown["asked"].altered).toBe(true);
    expect(shown["asked"].texts.reduce((sum: number, { text }: Json) => sum + text.length, 0)).toBe(64 * 1024);
    const own = eq(tables.requestContents.request, request);
    const rows = await db.select().from(tables.requestContents).where(own);
    expect(JSON.stringify(rows)).not.toMatch(/4111|ann\.lee|My card/);
    const log = await db.select().from(tables.requests).where(eq(tables.requests.id, request));
    expect(JSON.stringify(log)).not.toContain("4111");
    // A sealed text that is moved to another row does not open there.
    const from = rows.find(({ side }) => side === "asked");
    await db
      .update(tables.requestContents)
      .set({ sealed: from!.sealed })
      .where(and(own, eq(tables.requestContents.side, "answered")));
    expect((await admin<Json>("GET", `/requests/${request}/content`))["answered"]).toBeNull();
  });

  test("of a request that a policy refuses is what it asked, and of an answer what its caller was given", async () => {
    const { id, secret } = await newKey({ content_logging: "full" });
    const source = `export default { name: "content", version: "1.0.0", needs: ["messages", "response"],
      evaluate: ({ messages }) => ({ allowed: !messages.some(({ text }) => text.includes("no")) }),
      onResponse: () => ({ allowed: true, obligations: [{ type: "redact", text: "hidden", with: "[x]" }] }) };`;
    const policy = (await admin("POST", "/policies", { name: "content", version: "1.0.0", source, signature: null }))["id"];
    await admin("PUT", `/policies/${String(policy)}/activation`, { scope: { kind: "key", id }, mode: "enforce" });
    const denied = await ask("POST", "/v1/chat/completions", {
      as: secret,
      body: { model: "tollgate/echo", messages: [{ role: "user", content: "no" }] },
    });
    expect(denied.status).toBe(403);
    const shown = await admin<Json>("GET", `/requests/${denied.headers.get("x-request-id")}/content`);
    expect(shown).toMatchObject({ asked: { texts: [{ role: "user", text: "no" }], altered: false }, answered: null });
    expect((await kept(await asked(secret, ...callOf("hidden"))))["answered"].texts).toEqual([
      { role: "assistant", text: "You said: [x]" },
    ]);
  });

  test("goes on being served where it cannot be kept", async () => {
    const { secret } = await newKey({ content_logging: "full" });
    const contents = new Proxy(platformOf(env).contents, { get: () => () => Promise.reject(new Error("storage is down")) });
    const [path, body] = callOf("hello");
    const answer = await ask("POST", path, { as: secret, body: { model: "tollgate/echo", ...body }, platform: { contents } });
    expect(answer.status).toBe(200);
  });

  test("is dropped after its days, and opens under the master key of before until then", async () => {
    const { secret } = await newKey({ content_logging: "full" });
    const request = await asked(secret, ...callOf("hello"));
    await kept(request);
    const rotated = {
      TOLLGATE_ENCRYPTION_KEY: "another-key-0123456789abcdef0123456789",
      TOLLGATE_ENCRYPTION_KEY_PREVIOUS: (env as unknown as Json)["TOLLGATE_ENCRYPTION_KEY"],
    };
    const later = new Contents(db, { ...platformOf(env).config, ...rotated });
    expect(await later.of(request)).toHaveLength(2);
    // It is wrapped anew by then: the old key opens it no more.
    expect(await platformOf(env).contents.of(request)).toEqual([]);
    expect(await later.of(request)).toHaveLength(2);
    const day = 86_400_000;
    const at = (days: number) => housekeeping({ ...platformOf(env), now: () => Date.now() + days * day });
    await at(6.9);
    expect(await later.of(request)).toHaveLength(2);
    await at(7.1);
    expect(await later.of(request)).toEqual([]);
  });
});

describe("threat 28: what is kept", () => {
  test("is forgotten when it is asked for: of a request, or of all of a key's and no other's; the audit says by whom", async () => {
    const [one, other] = [await newKey({ content_logging: "full" }), await newKey({ content_logging: "full" })];
    const mine = [
      await asked(one.secret, ...callOf("a")),
      await asked(one.secret, ...callOf("b")),
      await asked(one.secret, ...callOf("c")),
    ];
    const theirs = await asked(other.secret, ...callOf("d"));
    for (const request of [...mine, theirs]) await kept(request);
    const statuses = async () => Promise.all([...mine, theirs].map(async (id) => (await ask("GET", `/admin/v1/requests/${id}/content`, { as: ADMIN })).status)); // prettier-ignore
    expect((await ask("DELETE", `/admin/v1/requests/${mine[0]}/content`, { as: ADMIN })).status).toBe(204);
    expect(await statuses()).toEqual([404, 200, 200, 200]);
    expect((await ask("DELETE", `/admin/v1/keys/${one.id}/content`, { as: ADMIN })).status).toBe(204);
    expect(await statuses()).toEqual([404, 404, 404, 200]);
    const gone = () => db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "content.delete"), eq(tables.auditEntries.subjectId, one.id))); // prettier-ignore
    await expect.poll(async () => (await gone()).length, { timeout: 15_000, interval: 50 }).toBe(1);
    expect((await gone())[0]!.details).toEqual({ sides: 4 });
    const { secret } = await newKey({ role: "analyst" });
    expect((await ask("DELETE", `/admin/v1/keys/${other.id}/content`, { as: secret })).status).toBe(403);
  });
});

const callOf = (content: string) => ["/v1/chat/completions", { messages: [{ role: "user", content }] }] as const;

describe("who reads it", () => {
  test("are owners and operators, and each reading is in the audit before it is shown", async () => {
    const { id, secret } = await newKey({ content_logging: "full" });
    const request = await asked(secret, ...callOf("hello"));
    await kept(request);
    for (const [role, status] of [
      ["owner", 200],
      ["operator", 200],
      ["analyst", 403],
      ["auditor", 403],
      ["key_holder", 403],
    ] as const) {
      const reader = await newKey({ role });
      expect([role, (await ask("GET", `/admin/v1/requests/${request}/content`, { as: reader.secret })).status]).toEqual([role, status]);
    }
    const read = () => db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "content.read"), eq(tables.auditEntries.subjectId, request))); // prettier-ignore
    await expect.poll(async () => (await read()).length, { timeout: 15_000, interval: 50 }).toBe(3);
    expect(await read()).toEqual(expect.arrayContaining([expect.objectContaining({ actorId: "bootstrap", key: id })]));
    const events = new Proxy(env.EVENTS, { get: () => () => Promise.reject(new Error("the queue is down")) });
    const unaudited = await ask("GET", `/admin/v1/requests/${request}/content`, { as: ADMIN, platform: { events } });
    expect([unaudited.status, (await unaudited.text()).includes("hello")]).toEqual([500, false]);
  });
});
