import { createExecutionContext, runDurableObjectAlarm, runInDurableObject, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { createApp } from "#http";
import { responsesOf } from "#responses";
import { platformOf } from "../../src/compose.ts";
import { ask, newKey } from "../support/front.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const PEPPER = "pepper-for-worker-tests-0123456789abcdef";
const responses = responsesOf(env.RESPONSES, PEPPER);
const elsewhere = { v: 1, at: "provider", provider: "openai", account: null } as const;
const row = (name: string, length: number) => ({ name, sealed: bytes(length) });
const bytes = (length: number) => Uint8Array.from({ length }, (_, at) => at % 251);

/** What an object has stored: how many rows, and whether there is a table at all. */
const stored = (object: DurableObjectStub) =>
  runInDurableObject(object, (_, { storage: { sql } }) => {
    const tables = sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray();
    return tables.length === 0 ? null : Number(sql.exec("SELECT count(*) AS rows FROM kept").one()["rows"]);
  });
const alarmOf = (object: DurableObjectStub) => runInDurableObject(object, (_, { storage }) => storage.getAlarm());

type Json = Record<string, unknown>;
const post = async (secret: string, body: Json, more: Parameters<typeof ask>[2] = {}) => {
  const answer = await ask("POST", "/v1/responses", { as: secret, body: { model: "tollgate/echo", ...body }, ...more });
  return { status: answer.status, body: (await answer.json()) as Json & { id: string; error: Json } };
};
const get = async (secret: string, id: string) => (await ask("GET", `/v1/responses/${id}`, { as: secret })).status;

describe("what is kept under an id", () => {
  test("comes back as it went, of many pieces too, beside others; and the last word holds", async () => {
    const object = env.RESPONSES.getByName("pieces");
    await object.keep([row("a", 3_500_000)], Date.now() + DAY_MS);
    await object.keep([row("b", 7)], Date.now() + DAY_MS);
    expect(await object.read("a")).toEqual(bytes(3_500_000));
    await object.keep([row("a", 10)], Date.now() + DAY_MS);
    expect([await object.read("a"), await object.read("b"), await stored(object)]).toEqual([bytes(10), bytes(7), 2]);
  });

  test("is swept within an hour of its end, when others stay; and is not told past its time, however late the alarm", async () => {
    const object = env.RESPONSES.getByName("retention");
    const until = Date.now() + DAY_MS;
    await object.keep([row("later", 10)], until + 2 * DAY_MS);
    await object.keep([row("sooner", 10)], until);
    const alarm = (await alarmOf(object))!;
    expect([alarm >= until, alarm - until <= HOUR_MS]).toEqual([true, true]);
    await object.keep([row("sooner", 10)], Date.now() - 1);
    expect(await object.read("sooner")).toBeNull();
    expect(await runDurableObjectAlarm(object)).toBe(true);
    expect([await stored(object), await object.read("later")]).toEqual([1, bytes(10)]);
    expect((await alarmOf(object))! >= until + 2 * DAY_MS).toBe(true);
    await object.keep([row("later", 10)], Date.now() - 1);
    expect(await runDurableObjectAlarm(object)).toBe(true);
    expect([await stored(object), await alarmOf(object)]).toEqual([null, null]);
  });

  test("leaves nothing once it is forgotten, and an id that was only asked for stores nothing", async () => {
    const object = env.RESPONSES.getByName("forgotten");
    await object.forget("a");
    expect([await object.read("a"), await stored(object)]).toEqual([null, null]);
    await object.keep([row("a", 10)], Date.now() + DAY_MS);
    await object.keep([row("b", 10)], Date.now() + DAY_MS);
    await object.forget("a");
    expect([await object.read("a"), await object.read("b")]).toEqual([null, bytes(10)]);
    await object.forget("b");
    expect([await stored(object), await alarmOf(object)]).toEqual([null, null]);
    await object.keep([row("b", 3)], Date.now() + DAY_MS);
    expect(await object.read("b")).toEqual(bytes(3));
  });

  test("stands in the objects of its key, under no name that tells its id", async () => {
    const ids = Array.from({ length: 39 }, (_, at) => `resp_${(at * 7).toString(16)}`);
    await responses.keep({ key: "key_spread", ids: [...ids, "no_digit-"] }, elsewhere, Date.now() + DAY_MS);
    for (const id of ids) expect(await responses.find({ key: "key_spread", id })).toEqual(elsewhere);
    const rows = await Promise.all(
      Array.from({ length: 16 }, (_, shelf) =>
        runInDurableObject(env.RESPONSES.getByName(`key_spread/${shelf.toString(16)}`), (_, { storage: { sql } }) =>
          sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'kept'").toArray().length > 0
            ? sql.exec<{ name: string }>("SELECT name FROM kept").toArray()
            : [],
        ),
      ),
    );
    const names = rows.flat().map(({ name }) => name);
    expect(new Set(names).size).toBe(40);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{64}$/);
  });

  test("goes in one call where ids end alike, as those of a response and its items do at OpenAI", async () => {
    const called: string[] = [];
    const counting = new Proxy(env.RESPONSES, {
      get: (objects, member) => {
        if (member !== "getByName") return Reflect.get(objects, member) as unknown;
        return (name: string) => (called.push(name), objects.getByName(name));
      },
    });
    const ids = ["resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b"];
    await responsesOf(counting, PEPPER).keep({ key: "key_alike", ids }, elsewhere, Date.now() + DAY_MS);
    expect(called).toEqual(["key_alike/b"]);
    for (const id of ids) expect(await responses.find({ key: "key_alike", id })).toEqual(elsewhere);
  });

  test("threat 6: is another's for another key, another id and another pepper, and is opened by nobody else", async () => {
    const owner = { key: "key_a", id: "resp_1" };
    await responses.keep({ key: owner.key, ids: [owner.id] }, elsewhere, Date.now() + DAY_MS);
    expect(await responses.find(owner)).toEqual(elsewhere);
    expect(await responses.find({ ...owner, key: "key_b" })).toBeNull();
    expect(await responses.find({ ...owner, id: "resp_2" })).toBeNull();
    expect(await responsesOf(env.RESPONSES, `${PEPPER}!`).find(owner)).toBeNull();
    for (const id of ["", "../resp_1", "resp_1/cancel", "x".repeat(257)]) expect(await responses.find({ ...owner, id })).toBeNull();
  });
});

describe("a deployment", () => {
  test("keeps as long as it says: the alarm of what the door has kept stands at its days", async () => {
    const { secret } = await newKey();
    const kept: number[] = [];
    const platform = { responses: { ...responses, keep: async (...given: Parameters<typeof responses.keep>) => void kept.push(given[2]) } };
    await post(secret, { input: "Hi" }, { platform });
    expect(Math.abs(kept[0]! - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000);
  });

  test("that keeps for no days keeps nothing", async () => {
    const { secret } = await newKey();
    const bindings = { TOLLGATE_RESPONSES_DAYS: "0" } as unknown as Partial<Env>;
    const { body } = await post(secret, { input: "Hi", store: true }, { bindings });
    expect(await get(secret, body.id)).toBe(404);
    expect((await post(secret, { input: "Hi", previous_response_id: body.id }, { bindings })).status).toBe(404);
  });

  test("keeps nothing of a key that says so, whatever its requests say", async () => {
    const { secret } = await newKey({ responses: "off" });
    for (const store of [undefined, true]) {
      const { body } = await post(secret, { input: "Hi", store });
      expect(await get(secret, body.id)).toBe(404);
    }
  });

  test("threat 47: whose responses are down answers what stands alone, and says 503 to what goes on", async () => {
    const { secret } = await newKey();
    const first = await post(secret, { input: "Hi" });
    const down = new Proxy(env.RESPONSES, {
      get: () => () => {
        throw new Error("down");
      },
    });
    const bindings = { RESPONSES: down };
    expect((await post(secret, { input: "Hi", store: false }, { bindings })).status).toBe(200);
    expect((await post(secret, { input: "Hi" }, { bindings })).status).toBe(200);
    const next = await post(secret, { input: "Hi", previous_response_id: first.body.id }, { bindings });
    expect([next.status, next.body.error["code"]]).toEqual([503, "overloaded"]);
  });

  test("refuses a conversation that has grown beyond a body, by the name of what it goes on from", async () => {
    const { secret } = await newKey();
    const bindings = { TOLLGATE_MAX_BODY_BYTES: "4000" } as unknown as Partial<Env>;
    const first = await post(secret, { input: "word ".repeat(400) }, { bindings });
    const next = await post(secret, { input: "word ".repeat(400), previous_response_id: first.body.id }, { bindings });
    expect([next.status, next.body.error["param"]]).toEqual([413, "previous_response_id"]);
  });
});

describe("threat 18: what names an earlier response", () => {
  test.each([
    [{ previous_response_id: 7 }, "previous_response_id"],
    [{ store: "no" }, "store"],
    [{ conversation: { id: "conv_1" } }, "conversation"],
    [{ input: [{ type: "item_reference" }] }, "input.0.id"],
  ])("%o is refused by its name", async (body, param) => {
    const { secret } = await newKey();
    const answer = await post(secret, { input: "Hi", ...body });
    expect([answer.status, answer.body.error["param"]]).toEqual([400, param]);
  });

  test("a name that stands twice is refused, so that no two readers take two", async () => {
    const { secret } = await newKey();
    for (const name of ["previous_response_id", "store"]) {
      const body = `{"model":"tollgate/echo","input":"Hi","${name}":null,"${name}":null}`;
      const answer = await ask("POST", "/v1/responses", { as: secret, body });
      expect([answer.status, ((await answer.json()) as { error: Json }).error["param"]]).toEqual([400, name]);
    }
  });

  test("a response takes GET and DELETE, its items GET, its cancelling POST", async () => {
    const { secret } = await newKey();
    for (const [method, path, taken] of [
      ["PUT", "/v1/responses/resp_1", "DELETE or GET"],
      ["POST", "/v1/responses/resp_1/input_items", "GET"],
      ["GET", "/v1/responses/resp_1/cancel", "POST"],
    ] as const) {
      const answer = await ask(method, path, { as: secret });
      const { error } = (await answer.json()) as { error: { message: string } };
      expect([answer.status, error.message]).toEqual([405, `${path} takes ${taken}`]);
    }
  });
});

describe("the end of a stream", () => {
  /** Asks for a stream whose answer is kept when `stands` comes true; reads on until it says something. */
  async function streamed(stands: Promise<void>) {
    const { secret } = await newKey();
    const context = createExecutionContext();
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
    const body = JSON.stringify({ model: "tollgate/echo", input: "Hello there, you.", stream: true });
    const slow = { ...platformOf(env), responses: { ...responses, keep: () => stands } };
    const answer = await createApp().fetch(
      new Request("https://gateway.test/v1/responses", { method: "POST", headers, body }),
      slow,
      context,
    );
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const until = async (words: string) => {
      while (!text.includes(words)) {
        const { done, value } = await reader.read();
        if (done) return null;
        text += value;
      }
      return text;
    };
    return { until, over: () => waitOnExecutionContext(context) };
  }

  test("waits until what it ends stands, and nothing before it does", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { until, over } = await streamed(promise);
    expect(await until("response.output_item.done")).not.toContain("response.completed");
    const waiting = until("response.completed").then(() => "told");
    expect(await Promise.race([waiting, new Promise((told) => setTimeout(told, 200, "waits"))])).toBe("waits");
    resolve();
    expect(await waiting).toBe("told");
    expect(await until("never")).toBeNull();
    await over();
  });

  test("is told all the same where what it ends cannot be kept in time", async () => {
    const { until, over } = await streamed(new Promise<void>((resolve) => setTimeout(resolve, 8_000)));
    expect(await until("response.completed")).toContain("response.completed");
    expect(await until("never")).toBeNull();
    await over();
  });
});
