import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "#config";
import { connect, tables } from "#db";
import type { Platform } from "#http";
import type { Facts, Judge, Stage, Step } from "#policy";
import { platformOf } from "../../src/compose.ts";
import { walk } from "../../src/policy/chain.ts";
import { type Decision, type Described, type Evaluation, walked } from "../../src/policy/engine/contract.ts";
import { type Activation, PolicyStore } from "../../src/policy/store.ts";
import { admin, ask, newKey } from "../support/front.ts";

type Json = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- answers are read as a client reads them

/** What a policy says, as a function of what it is given: the chain takes any. */
type Says = (given: Json, stage: Stage, step: Step) => Partial<Decision> | "throws";

const db = connect(env.DB);
const config = readConfig({ TOLLGATE_ENV: "development", TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32) });
const store = new PolicyStore(db, config, () => Date.now());
const policies = new Map<string, Says>();
let asked = 0;

function evaluation(step: Step, stage: Stage, { shared, own }: Facts): Evaluation {
  asked++;
  const mine: Json = { ...shared, ...own[step.policy] };
  const given = Object.fromEntries(step.needs.map((need) => [need, mine[need]]));
  const said = policies.get(step.policy)!(given, stage, step);
  if (said === "throws") return { fuel: 5, result: { kind: "failed", failure: "threw", message: "secret words" } };
  return { fuel: 11, result: { kind: "decision", value: { allowed: true, reason: "", metadata: {}, obligations: [], ...said } } };
}

const judge: Judge = ({ stage, chain, facts }) =>
  Promise.resolve(walked(walk(chain.map(({ step }) => step)), (step) => evaluation(step, stage, facts))); // prettier-ignore
/** One isolate, with what it has read. */
const platform: Platform = { ...platformOf(env), judge };

let count = 0;

/** Makes a policy and activates it for one key. */
async function active(key: string, says: Says, more: Partial<Described> & { readonly as?: Partial<Activation> } = {}): Promise<string> {
  const { as = {}, ...described } = more;
  const name = described.name ?? `p-${String(++count).padStart(3, "0")}`;
  policies.set(name, says);
  const facts = {
    name,
    version: "1.0.0",
    priority: 100,
    compose: "all",
    needs: [],
    stages: ["evaluate"],
    config: {},
    loadFuel: 1,
  } as const;
  const upload = { name, version: "1.0.0", source: `// ${name}`, signature: null };
  const row = await store.add(upload, { ...facts, tests: { passed: 0, failed: 0 }, ...described }, "ann");
  const scope = { scopeKind: "key" as const, scopeId: key };
  await store.activate(row.id, { ...scope, mode: "enforce", canaryPercent: null, onError: "deny", compose: null, priority: null, config: {}, ...as }, "ann"); // prettier-ignore
  platform.directory.invalidate();
  return name;
}

const chat = (content: string, more: Json = {}) => ({ model: "tollgate/echo", messages: [{ role: "user", content }], ...more });
const post = (secret: string, body: unknown, path = "/v1/chat/completions", headers: Record<string, string> = {}) =>
  ask("POST", path, { as: secret, body, headers, platform });

/** The row of the request log, once it is there. */
async function logged(answer: Response): Promise<Json> {
  const id = answer.headers.get("x-request-id")!;
  const read = () => db.select().from(tables.requests).where(eq(tables.requests.id, id));
  await expect.poll(async () => (await read()).length, { timeout: 15_000, interval: 50 }).toBe(1);
  return (await read())[0]!;
}

const decisionsOf = (answer: Response) =>
  db.select().from(tables.policyDecisions).where(eq(tables.policyDecisions.request, answer.headers.get("x-request-id")!)); // prettier-ignore

async function spentBy(secret: string): Promise<Json> {
  return (await ask("GET", "/v1/key", { as: secret })).json();
}

describe("D12: a policy that denies", () => {
  test("answers 403 with its name, version, reason and metadata in both envelopes; nothing is sent, held or billed", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "day", limit_usd: "1" }] });
    const name = await active(id, () => ({ allowed: false, reason: "after hours", metadata: { retry_at: "09:00" } }));
    const details = { policy: name, version: "1.0.0", reason: "after hours", metadata: { retry_at: "09:00" } };
    const openai = await post(secret, chat("hello"));
    expect([openai.status, openai.headers.get("x-should-retry")]).toEqual([403, "false"]);
    const { error } = (await openai.json()) as Json;
    expect(error).toMatchObject({ code: "policy_denied", type: "permission_error", details });
    expect(error.message).toBe(`The policy ${name} denies this request: after hours`);
    const anthropic = await post(secret, { ...chat("hello"), max_tokens: 9 }, "/v1/messages");
    expect([anthropic.status, await anthropic.json()]).toMatchObject([403, { type: "error", error: { type: "permission_error", code: "policy_denied", details } }]); // prettier-ignore
    await expect.poll(async () => (await spentBy(secret)).reserved_usd).toBe("0");
    expect(await spentBy(secret)).toMatchObject({ spent_usd: "0", requests: 0 });
    expect(await logged(openai)).toMatchObject({
      outcome: "denied",
      code: "policy_denied",
      httpStatus: 403,
      policies: [{ policy: name, version: "1.0.0", mode: "enforce", stage: "evaluate", outcome: "denied" }],
    });
    expect(await decisionsOf(openai)).toMatchObject([
      { policy: name, outcome: "denied", reason: "after hours", fuel: 11, scopeKind: "key", scopeId: id, contextDigest: expect.stringMatching(/^sha256:/) },
    ]); // prettier-ignore
  });

  test("does not concern another key", async () => {
    const { id } = await newKey();
    await active(id, () => ({ allowed: false }));
    const other = await newKey();
    const answer = await post(other.secret, chat("hello"));
    expect([answer.status, answer.headers.get("x-tollgate-policies")]).toEqual([200, null]);
  });

  test("that allows is named in the answer's header, and what it was given stands in the decision log", async () => {
    const { id, secret } = await newKey({ metadata: { env: "prod" } });
    const name = await active(id, () => ({}), { needs: ["key", "request", "estimate", "time"] });
    const answer = await post(secret, chat("hello", { temperature: 0.5, max_tokens: 20 }));
    expect(answer.headers.get("x-tollgate-policies")).toBe(`${name}@1.0.0 allowed`);
    await logged(answer);
    const [decision] = await decisionsOf(answer);
    expect(decision!.facts).toMatchObject({
      key: { id, metadata: { env: "prod" } },
      request: { operation: "chat.completions", provider: "tollgate", model: "echo", stream: false, max_tokens: 20, parameters: { temperature: 0.5 } },
      estimate: { max_output_tokens: 20, price_state: "priced" },
      time: { time_zone: "UTC" },
    }); // prettier-ignore
  });
});

describe("what a policy is given", () => {
  test("is what it declares and nothing else", async () => {
    const { id, secret } = await newKey({ budgets: [{ window: "day", limit_usd: "1" }] });
    const seen: Json[] = [];
    const record: Says = (given) => (seen.push(given), {});
    await active(id, record, { needs: ["messages"], priority: 1 });
    await active(id, record, { needs: ["budget", "metadata"], priority: 2 });
    await active(id, record, { needs: ["time"], priority: 3, as: { config: { time_zone: "Asia/Tokyo" } } });
    await active(id, record, { needs: [], priority: 4 });
    const hours = () => (new Date().getUTCHours() + 9) % 24;
    const before = hours();
    await post(secret, chat("see me"), "/v1/chat/completions", { "x-tollgate-metadata": '{"a":"b"}', "x-tollgate-tags": "x" });
    expect(seen).toEqual([
      { messages: [{ role: "user", text: "see me" }] },
      {
        budget: [expect.objectContaining({ scope: { kind: "key", id }, window: "day", unit: "usd", limit: "1", spent: "0" })],
        metadata: { metadata: { a: "b" }, tags: ["x"] },
      },
      { time: expect.objectContaining({ time_zone: "Asia/Tokyo", hour: expect.toBeOneOf([before, hours()]) }) },
      {},
    ]);
  });

  test("is in no log where it is content", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({ obligations: [{ type: "redact", text: "my secret" }] }), { needs: ["messages"] });
    const answer = await post(secret, chat("this is my secret"));
    const row = await logged(answer);
    const [decision] = await decisionsOf(answer);
    expect(decision!.facts).toEqual({});
    expect(JSON.stringify([row, decision])).not.toContain("my secret");
  });
});

describe("D15: obligations", () => {
  test.each([false, true])(
    "28: what is redacted is redacted in what is kept of a response, and in every later turn (stream: %s)",
    async (stream) => {
      const { id, secret } = await newKey();
      const redact = { obligations: [{ type: "redact" as const, text: "4111", with: "[card]" }] };
      await active(id, () => redact, { needs: ["messages"], stages: ["evaluate"] });
      const body = { model: "tollgate/echo", instructions: "Never say 4111.", input: "My card is 4111.", stream };
      const answer = await post(secret, body, "/v1/responses");
      const [named] = /resp_\w+/.exec(await answer.text())!;
      const read = async (path: string) => (await ask("GET", `/v1/responses/${named}${path}`, { as: secret, platform })).text();
      for (const path of ["", "/input_items"]) {
        const kept = await read(path);
        expect(kept).toContain("[card]");
        expect(kept).not.toContain("4111");
      }
      const next = await post(secret, { model: "tollgate/echo", input: "And now?", previous_response_id: named }, "/v1/responses");
      expect(await next.text()).not.toContain("4111");
    },
  );

  test("threat 36: what is redacted does not reach the provider, and the rest of the body does as it came", async () => {
    const { id, secret } = await newKey();
    await active(id, ({ messages }) => ({ obligations: messages[0].text.includes("4111") ? [{ type: "redact", text: "4111", with: "[card]" }] : [] }), { needs: ["messages"] }); // prettier-ignore
    const answer = (await (await post(secret, chat("pay with 4111 now"))).json()) as Json;
    expect(answer["choices"][0].message.content).toBe("You said: pay with [card] now");
  });

  test("a limit caps the output, the smaller of two, and not what the client set lower", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({ obligations: [{ type: "limit", max_tokens: 9 }] }));
    await active(id, () => ({ obligations: [{ type: "limit", max_tokens: 4 }] }));
    const tokens = async (more: Json) => ((await (await post(secret, chat("a ".repeat(100), more))).json()) as Json)["usage"].completion_tokens; // prettier-ignore
    expect(await tokens({})).toBe(4);
    expect(await tokens({ max_tokens: 50 })).toBe(4);
    expect(await tokens({ max_tokens: 2 })).toBe(2);
  });

  test("tags stand on the record, and a route is taken, priced and recorded as such", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({ obligations: [{ type: "tag", tags: ["pii", "eu"] }, { type: "route", target: "tollgate/slow" }] })); // prettier-ignore
    const answer = await post(secret, chat("hi", { max_tokens: 2 }), "/v1/chat/completions", { "x-tollgate-tags": "own" });
    expect([answer.status, answer.headers.get("x-tollgate-model")]).toEqual([200, "slow"]);
    expect(await logged(answer)).toMatchObject({ model: "slow", requested: "tollgate/echo", tags: ["own", "pii", "eu"] });
  });

  test("a route to where the key may not go, or that is not there, is refused as the policy's fault", async () => {
    const { id, secret } = await newKey({ models: { allow: ["tollgate/echo"], deny: [] } });
    await active(id, ({ metadata: { tags } }) => ({ obligations: [{ type: "route", target: tags[0] }] }), { needs: ["metadata"] });
    for (const target of ["tollgate/slow", "nowhere/at-all"]) {
      const answer = await post(secret, chat("hi"), "/v1/chat/completions", { "x-tollgate-tags": target });
      expect([answer.status, ((await answer.json()) as Json)["error"].code]).toEqual([403, "policy_denied"]);
    }
    await expect.poll(async () => (await spentBy(secret)).reserved_usd).toBe("0");
  });

  test("a demand for an approval is a 403 that says so", async () => {
    const { id, secret } = await newKey();
    const name = await active(id, () => ({ obligations: [{ type: "require_approval", reason: "ask ann" }] }));
    const answer = await post(secret, chat("hi"));
    expect([answer.status, ((await answer.json()) as Json)["error"].details]).toMatchObject([403, { policy: name, approval_required: true, reason: "ask ann" }]); // prettier-ignore
  });

  test("a pace that a policy sets holds under requests at once", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({ obligations: [{ type: "limit", rpm: 5 }] }));
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(secret, chat("hi", { max_tokens: 1 }))));
    const statuses = answers.map(({ status }) => status);
    expect([statuses.filter((each) => each === 200).length, statuses.filter((each) => each === 429).length]).toEqual([5, 7]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("threat 35: a policy that fails", () => {
  const failedEntries = (name: string) =>
    db.select().from(tables.auditEntries).where(and(eq(tables.auditEntries.type, "policy.failed"), eq(tables.auditEntries.subjectId, name))); // prettier-ignore

  test.each([
    ["deny", 403],
    ["allow", 200],
  ] as const)("under on_error %s comes to %i, and is in the audit either way without its words", async (onError, status) => {
    const { id, secret } = await newKey();
    const name = await active(id, () => "throws", { as: { onError } });
    const answer = await post(secret, chat("hi"));
    expect(answer.status).toBe(status);
    const text = await answer.text();
    if (status === 403) expect(JSON.parse(text).error.details).toMatchObject({ policy: name, failure: "threw" });
    expect(text).not.toContain("secret words");
    await expect.poll(async () => (await failedEntries(name)).length, { timeout: 15_000, interval: 50 }).toBe(1);
    const [entry] = await failedEntries(name);
    expect(entry).toMatchObject({ severity: "warning", outcome: "failed", details: { failure: "threw", on_error: onError } });
    expect(JSON.stringify(entry)).not.toContain("secret words");
  });

  test("walls that cannot be asked let nothing pass", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({}));
    const broken: Judge = () => Promise.reject(new Error("the wall is gone"));
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat("hi"), platform: { ...platform, judge: broken } });
    expect([answer.status, ((await answer.json()) as Json)["error"].code]).toEqual([503, "overloaded"]);
    await expect.poll(async () => (await spentBy(secret)).reserved_usd).toBe("0");
  });
});

describe("a shadow", () => {
  test("that denies, redacts and fails changes no answer by a byte, and everything it said is on record", async () => {
    const { id, secret } = await newKey();
    const plain = await newKey();
    const shadow = { as: { mode: "shadow" as const } };
    await active(id, () => ({ allowed: false, reason: "would deny" }), { ...shadow, stages: ["evaluate", "onResponse", "onChunk"] });
    await active(id, () => ({ obligations: [{ type: "redact", text: "hello" }, { type: "limit", max_tokens: 1 }] }), { ...shadow, stages: ["evaluate", "onResponse", "onChunk"] }); // prettier-ignore
    await active(id, () => "throws", shadow);
    for (const stream of [false, true]) {
      const bodies: string[] = [];
      for (const key of [plain, { id, secret }]) {
        const answer = await post(key.secret, chat("hello hello hello", { stream }));
        expect([answer.status, answer.headers.get("x-tollgate-policies")]).toEqual([200, null]);
        const text = await answer.text();
        bodies.push(text.replace(/"(id|created)":("[^"]*"|\d+)/g, '"$1":0'));
        if (key.id === id) {
          await logged(answer);
          const said = (await decisionsOf(answer)).map(({ stage, outcome, mode }) => `${mode} ${stage} ${outcome}`);
          const later = stream ? "onChunk" : "onResponse";
          expect(said.toSorted()).toEqual(["shadow evaluate allowed", "shadow evaluate denied", "shadow evaluate failed", `shadow ${later} allowed`, `shadow ${later} denied`]); // prettier-ignore
        }
      }
      expect(bodies[1]).toBe(bodies[0]);
    }
  });
});

describe("a shadow whose needs cannot be read", () => {
  const down = () => Promise.reject(new Error("storage is down"));
  const broken: Partial<Platform> = {
    counters: () => ({ take: down, giveBack: down }),
    ledger: (team, background) => Object.assign(Object.create(platform.ledger(team, background)) as object, { keyStatus: down }) as never,
  };
  const shadow = { as: { mode: "shadow" as const } };

  test.each(["counters:requests", "budget"])("(%s) is recorded as failed, and the request goes on, JSON and stream", async (need) => {
    const { id, secret } = await newKey();
    const name = await active(id, () => ({ allowed: false }), { ...shadow, needs: [need], stages: ["evaluate", "onResponse", "onChunk"] });
    const other = await active(id, () => ({}));
    for (const stream of [false, true]) {
      const answer = await ask("POST", "/v1/chat/completions", {
        as: secret,
        body: chat("hi", { stream }),
        platform: { ...platform, ...broken },
      });
      expect([answer.status, answer.headers.get("x-tollgate-policies")]).toEqual([200, `${other}@1.0.0 allowed`]);
      expect(await answer.text()).toContain("You");
      await logged(answer);
      const said = (await decisionsOf(answer))
        .filter(({ policy }) => policy === name)
        .map(({ stage, outcome, failure }) => [stage, outcome, failure]);
      const later = stream ? "onChunk" : "onResponse";
      const seen = need === "budget" ? ["failed", "unavailable"] : ["denied", null];
      expect(said.toSorted()).toEqual([
        ["evaluate", "failed", "unavailable"],
        [later, ...seen],
      ]);
    }
  });

  test.each(["counters:requests", "budget"])("(%s) is refused with 503 where a policy that enforces needs it too", async (need) => {
    const { id, secret } = await newKey();
    await active(id, () => ({}), { ...shadow, needs: [need] });
    await active(id, () => ({}), { needs: [need] });
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat("hi"), platform: { ...platform, ...broken } });
    expect([answer.status, ((await answer.json()) as Json)["error"].code]).toEqual([503, "overloaded"]);
    await expect.poll(async () => (await spentBy(secret)).reserved_usd).toBe("0");
  });

  test("and walls that break under shadows alone refuse nothing", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({}), shadow);
    const judge: Judge = () => Promise.reject(new Error("the wall is gone"));
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat("hi"), platform: { ...platform, judge } });
    expect(answer.status).toBe(200);
    await logged(answer);
    expect(await decisionsOf(answer)).toMatchObject([{ mode: "shadow", outcome: "failed", failure: "unavailable" }]);
  });
});

describe("D16: answers", () => {
  test("a JSON answer loses what a policy redacts, and one that it denies is a 403 that was paid for", async () => {
    const { id, secret } = await newKey();
    await active(
      id,
      ({ response }) => {
        const text: string = response.texts.map((each: Json) => each["text"]).join(" ");
        if (text.includes("forbidden")) return { allowed: false, reason: "said a word" };
        return { obligations: [{ type: "redact", text: "4111", with: "[card]" }] };
      },
      { needs: ["response"], stages: ["onResponse"] },
    );
    const answer = await post(secret, chat("see 4111"));
    expect(((await answer.json()) as Json)["choices"][0].message.content).toBe("You said: see [card]");
    const denied = await post(secret, chat("forbidden words"));
    expect([denied.status, ((await denied.json()) as Json)["error"].code]).toEqual([403, "policy_denied"]);
    expect(await logged(denied)).toMatchObject({ outcome: "denied", httpStatus: 403, model: "echo" });
    const records = await db
      .select()
      .from(tables.costRecords)
      .where(eq(tables.costRecords.request, denied.headers.get("x-request-id")!));
    expect(records).toMatchObject([{ outcome: "denied", status: "actual" }]);
    expect(records[0]!.nanoUsd).toBeGreaterThan(0);
  });

  const card = "4111 1111 1111 1111";
  const redactCards: Says = ({ response }) => ({
    obligations: [...String(response.text).matchAll(/(?<!\d)\d{4}(?: \d{4}){3}(?!\d)/g)].map(([text]) => ({ type: "redact", text, with: "[card]" })),
  }); // prettier-ignore

  test.each([
    ["/v1/chat/completions", (text: string) => chat(text, { stream: true })],
    ["/v1/messages", (text: string) => ({ ...chat(text, { stream: true }), max_tokens: 400 })],
    ["/v1/responses", (text: string) => ({ model: "tollgate/echo", input: text, stream: true })],
  ])("a stream of %s loses it whatever its chunks, and ends as it should", async (path, body) => {
    const { id, secret } = await newKey();
    await active(id, redactCards, { needs: ["response"], stages: ["onChunk"] });
    const answer = await post(secret, body(`${"words go by ".repeat(20)}${card}. ${"and on ".repeat(40)}`), path);
    const text = await answer.text();
    expect(text).toContain("[card]");
    expect(text).not.toMatch(/1111/);
    expect(await logged(answer)).toMatchObject({ outcome: "ok", stream: true });
    expect(await decisionsOf(answer)).toMatchObject([{ stage: "onChunk", outcome: "allowed", obligations: [{ type: "redact", with: "[card]" }] }]); // prettier-ignore
  });

  test.each([
    ["/v1/chat/completions", chat("x", { stream: true }), /data: \{"error":\{.*"code":"policy_denied"/],
    ["/v1/messages", { ...chat("x", { stream: true }), max_tokens: 900 }, /event: error\ndata: \{"type":"error".*"code":"policy_denied"/],
    ["/v1/responses", { model: "tollgate/echo", stream: true }, /event: response\.failed\ndata: .*"code":"policy_denied"/],
  ])(
    "a stream of %s that is denied breaks off with an error of its dialect, and is billed as far as it came",
    async (path, body, error) => {
      const { id, secret } = await newKey();
      const stop: Says = ({ response }) => (String(response.text).includes("halt") ? { allowed: false, reason: "halt" } : {});
      const name = await active(id, stop, { needs: ["response"], stages: ["onChunk"] });
      const said = `${"fine ".repeat(100)}halt ${"never seen ".repeat(50)}`;
      const asking = path === "/v1/responses" ? { ...body, input: said } : { ...body, messages: [{ role: "user", content: said }] };
      const answer = await post(secret, asking, path);
      const text = await answer.text();
      expect(text).toMatch(error);
      expect(text).toContain(`"policy":"${name}"`);
      expect(text).toContain("fine");
      expect(text).not.toMatch(/never|\[DONE\]|message_stop|response\.completed/);
      expect(await logged(answer)).toMatchObject({ outcome: "truncated", code: "policy_denied" });
    },
  );
});

describe("a stream of which a policy fails on one stretch and denies another", () => {
  test("threat 35: is on record as denied, and as failed", async () => {
    const { id, secret } = await newKey();
    const says: Says = ({ response }) => (String(response.text).includes("halt") ? { allowed: false, reason: "halt" } : "throws");
    await active(id, says, { needs: ["response"], stages: ["onChunk"], as: { onError: "allow" } });
    const answer = await post(secret, chat(`${"fine ".repeat(100)}halt ${"never seen ".repeat(50)}`, { stream: true }));
    expect(await answer.text()).toContain("policy_denied");
    await logged(answer);
    expect(await decisionsOf(answer)).toMatchObject([{ stage: "onChunk", outcome: "denied", failure: "threw", reason: "halt" }]);
  });
});

describe("an answer that could not be judged", () => {
  test("was paid for, and stands in the log as an error and not as a denial", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({}), { stages: ["onResponse"] });
    const judge: Judge = () => Promise.reject(new Error("the wall is gone"));
    const answer = await ask("POST", "/v1/chat/completions", { as: secret, body: chat("hi"), platform: { ...platform, judge } });
    expect(answer.status).toBe(503);
    expect(await logged(answer)).toMatchObject({ outcome: "error", httpStatus: 503, model: "echo" });
  });
});

describe("A6: an answer out of the cache", () => {
  const outcome = (answer: Response) => answer.headers.get("x-tollgate-cache");
  const recordOf = async (answer: Response) => {
    await logged(answer);
    return (
      await db
        .select()
        .from(tables.costRecords)
        .where(eq(tables.costRecords.request, answer.headers.get("x-request-id")!))
    )[0]!;
  };

  test.each([
    ["JSON", "onResponse"],
    ["a stream", "onChunk"],
  ] as const)(
    "is judged as any other, %s: what is redacted is not told, what is denied is not given, and it costs nothing",
    async (kind, stage) => {
      const { id, secret } = await newKey({ cache: "key" });
      const body = chat("see 4111 here", { stream: kind === "a stream" });
      expect(outcome(await post(secret, body))).toBe("miss");
      let says: Says = () => ({ obligations: [{ type: "redact", text: "4111", with: "[card]" }] });
      const name = await active(id, (...given) => says(...given), { needs: ["response"], stages: [stage] });
      const redacted = await post(secret, body);
      const text = await redacted.text();
      expect([redacted.status, outcome(redacted), text.includes("card"), text.includes("4111")]).toEqual([200, "hit", true, false]);
      await logged(redacted);
      expect(await decisionsOf(redacted)).toMatchObject([{ policy: name, stage, outcome: "allowed" }]);
      says = () => ({ allowed: false, reason: "no more" });
      const denied = await post(secret, body);
      expect(await denied.text()).toContain('"code":"policy_denied"');
      expect(denied.status).toBe(kind === "JSON" ? 403 : 200);
      expect(await recordOf(denied)).toMatchObject({
        cache: "hit",
        nanoUsd: 0,
        actualUsd: "0",
        outcome: kind === "JSON" ? "denied" : "truncated",
      });
    },
  );

  test("is not given where a policy refuses its request", async () => {
    const { id, secret } = await newKey({ cache: "key" });
    expect(outcome(await post(secret, chat("hi")))).toBe("miss");
    await active(id, () => ({ allowed: false }));
    expect((await post(secret, chat("hi"))).status).toBe(403);
  });

  test("answers the question that the provider would be asked: two that come to the same once they are redacted are one", async () => {
    const { id, secret } = await newKey({ cache: "key" });
    await active(id, ({ messages }) => ({ obligations: [...String(messages[0].text).matchAll(/\d{4}/g)].map(([text]) => ({ type: "redact", text, with: "[n]" })) }), { needs: ["messages"] }); // prettier-ignore
    const [one, two, other] = [
      await post(secret, chat("pay 4111")),
      await post(secret, chat("pay 5222")),
      await post(secret, chat("get 4111")),
    ];
    expect([outcome(one), outcome(two), outcome(other)]).toEqual(["miss", "hit", "miss"]);
    expect(await two.text()).toBe(await one.text());
  });

  test.each([false, true])("is none that a policy stopped while it was made (stream: %s)", async (stream) => {
    const { id, secret } = await newKey({ cache: "key" });
    let allowed = false;
    await active(id, () => ({ allowed }), { needs: ["response"], stages: ["onResponse", "onChunk"] });
    const body = chat("halt", { stream });
    expect(await (await post(secret, body)).text()).toContain('"code":"policy_denied"');
    allowed = true;
    const outcomes = [outcome(await post(secret, body)), outcome(await post(secret, body))];
    expect(outcomes).toEqual(["miss", "hit"]);
  });
});

describe("no active policy", () => {
  test("asks nobody anything", async () => {
    const { secret } = await newKey();
    const before = asked;
    await post(secret, chat("hi"));
    await (await post(secret, chat("hi", { stream: true }))).text();
    expect(asked).toBe(before);
  });
});

describe("threat 48: a swap under load", () => {
  test("each of 200 requests is judged by exactly one whole version, and none fails", async () => {
    const { id, secret } = await newKey();
    const name = `swap-${++count}`;
    const says: Says = (_given, _stage, step) => ({
      obligations: [{ type: "tag", tags: [`v${step.version[0]}-${String(step.settings["mark"])}`] }],
    });
    policies.set(name, says);
    const schema = { properties: { mark: { type: "string" } } };
    const rows: { id: string; version: string }[] = [];
    for (const version of ["1.0.0", "2.0.0"]) {
      const facts = { name, version, priority: 100, compose: "all", needs: ["response"], stages: ["evaluate", "onResponse"], config: schema, loadFuel: 1 } as const; // prettier-ignore
      rows.push(
        await store.add(
          { name, version, source: `// ${name} ${version}`, signature: null },
          { ...facts, tests: { passed: 0, failed: 0 } },
          "ann",
        ),
      );
    }
    const put = async (index: number) => {
      const row = rows[index]!;
      const as = {
        scopeKind: "key",
        scopeId: id,
        mode: "enforce",
        canaryPercent: null,
        onError: "deny",
        compose: null,
        priority: null,
      } as const;
      await store.activate(row.id, { ...as, config: { mark: row.version } }, "ann");
      platform.directory.invalidate();
    };
    await put(0);
    const swaps = (async () => {
      for (let at = 1; at <= 20; at++) await put(at % 2);
    })();
    const answers: Response[] = [];
    for (let at = 0; at < 20; at++) answers.push(...(await Promise.all(Array.from({ length: 10 }, () => post(secret, chat("hi", { max_tokens: 1 })))))); // prettier-ignore
    await swaps;
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
    await logged(answers.at(-1)!);
    const ids = new Set(answers.map((answer) => answer.headers.get("x-request-id")!));
    const read = async () => (await db.select().from(tables.policyDecisions).where(eq(tables.policyDecisions.policy, name))).filter(({ request }) => ids.has(request)); // prettier-ignore
    await expect.poll(async () => (await read()).length, { timeout: 15_000, interval: 100 }).toBe(400);
    const versions = Map.groupBy(await read(), ({ request }) => request);
    for (const [, decisions] of versions) expect(new Set(decisions.map(({ version, hash }) => `${version} ${hash}`)).size).toBe(1);
  });
});

describe("threat 40: policies and the targets of a route", () => {
  const ECHO = { provider: "tollgate", model: "echo" };
  const OTHER = { provider: "tollgate", model: "slow" };
  /** Nothing listens on the port of discard. */
  const DEAD = { provider: "dead", model: "m" };
  beforeAll(async () => {
    await admin("POST", "/providers", { name: "dead", kind: "openai", base_url: "http://127.0.0.1:9/v1", api_key: "sk-dead-0123456789" });
  });
  const routed = async (name: string, targets: readonly unknown[]) => {
    await admin("POST", "/routes", { name, targets, retries: 0 });
    platform.directory.invalidate();
  };
  const denies =
    (model: string): Says =>
    (given) => ({ allowed: given["request"].model !== model, reason: `not ${model}` });

  test("a target that a policy denies is passed over for one that it allows, and both decisions are on record", async () => {
    const { id, secret } = await newKey();
    const policy = await active(id, denies("echo"), { needs: ["request"] });
    await routed("passed-over", [ECHO, OTHER]);
    const answer = await post(secret, chat("hi", { model: "passed-over" }));
    expect([answer.status, answer.headers.get("x-tollgate-model"), answer.headers.get("x-tollgate-policies")]).toEqual([
      200,
      "slow",
      `${policy}@1.0.0 allowed`,
    ]);
    await logged(answer);
    expect((await decisionsOf(answer)).map(({ outcome }) => outcome).toSorted()).toEqual(["allowed", "denied"]);
  });

  test("where a policy denies every target the caller is told of the first denial", async () => {
    const { id, secret } = await newKey();
    await active(id, () => ({ allowed: false, reason: "never" }), { needs: ["request"] });
    await routed("denied", [ECHO, OTHER]);
    const answer = await post(secret, chat("hi", { model: "denied" }));
    expect([answer.status, (await answer.json<Json>()).error.code]).toEqual([403, "policy_denied"]);
  });

  test("a target that is fallen back on is judged before it is asked: one that is denied is not", async () => {
    const { id, secret } = await newKey();
    await active(id, denies("echo"), { needs: ["request"] });
    await routed("judged", [DEAD, ECHO]);
    const answer = await post(secret, chat("hi", { model: "judged" }));
    const { error } = await answer.json<Json>();
    expect([answer.status, error.code, error.details.attempts]).toMatchObject([
      502,
      "upstream_error",
      [{ provider: "dead", status: null }],
    ]);
  });

  test("what a policy asks for is brought upon the target that answers, and a counter counts the request once", async () => {
    const { id, secret } = await newKey();
    const counts: number[] = [];
    await active(
      id,
      (given) => {
        counts.push(given["counters:c"].count as number);
        return {
          obligations: [
            { type: "redact", text: "secret", with: "[x]" },
            { type: "tag", tags: ["seen"] },
          ],
        };
      },
      { needs: ["request", "counters:c"] },
    );
    await routed("redacted", [DEAD, ECHO]);
    const answer = await post(secret, chat("my secret", { model: "redacted" }));
    expect(answer.headers.get("x-tollgate-attempts")).toBe("2");
    expect(await answer.text()).toContain("You said: my [x]");
    expect(counts).toEqual([1, 1]);
    expect((await logged(answer))["tags"]).toEqual(["seen"]);
  });

  test("a route that a policy chooses is gone through like any other", async () => {
    const { id, secret } = await newKey();
    await routed("chosen", [DEAD, ECHO]);
    await active(id, () => ({ obligations: [{ type: "route", target: "chosen" }] }), { needs: ["request"] });
    const answer = await post(secret, chat("hi", { model: "tollgate/slow" }));
    expect([answer.status, answer.headers.get("x-tollgate-model"), answer.headers.get("x-tollgate-attempts")]).toEqual([200, "echo", "2"]);
  });
});
