import { readFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json as jsonOf } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SseReader } from "#wire";
import { Cutter } from "../support/cutter.ts";
import { type Said, SocketClient } from "../support/socket.ts";
import { stage } from "./stage.ts";

const set = stage("socket");
type Given = Partial<Parameters<typeof SocketClient.open>[1]>;
const open = (given: Given = {}, origin = set.origin) => SocketClient.open(origin, { key: set.key, ...given });
const HI = [{ role: "user", content: "hi" }];
const chat = (extra: Record<string, unknown> = {}) => ({ model: `${set.openai}/gpt-4o-mini`, stream: true, messages: HI, ...extra });
const BODIES: Readonly<Record<string, () => Record<string, unknown>>> = {
  "/v1/chat/completions": chat,
  "/v1/responses": () => ({ model: `${set.openai}/gpt-4o-mini`, stream: true, input: "hi" }),
  "/v1/messages": () => ({ model: `${set.anthropic}/claude-sonnet-5`, stream: true, max_tokens: 50, messages: HI }),
};

/** The events of a stream over HTTP, as a socket shows them. */
async function overHttp(path: string, body: unknown): Promise<{ event: string | null; data: unknown }[]> {
  const answer = await fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const found: { event: string | null; data: unknown }[] = [];
  const reader = new SseReader((data, event) => found.push({ event: event === "" ? null : event, data: json(data) }));
  reader.push(new Uint8Array(await answer.arrayBuffer()));
  return found;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const events = (said: readonly Said[]) => said.filter(({ type }) => type === "event").map(({ event, data }) => ({ event, data }));
const requestOf = (said: readonly Said[]) => said[0]!.headers!["x-request-id"]!;

/** What a key has spent and holds, once nothing is held any more. */
async function settled(key: string): Promise<{ requests: number; spent_usd: string }> {
  const until = Date.now() + 10_000;
  for (;;) {
    const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${key}` } });
    const status = (await answer.json()) as { requests: number; spent_usd: string; reserved_usd: string };
    if (status.reserved_usd === "0") return status;
    if (Date.now() > until) throw new Error(`still reserved after ten seconds: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe("A7: what a socket says", () => {
  it.each(Object.keys(BODIES))("%s: the events of the same request over HTTP, one message each, and its record", async (path) => {
    const client = await open();
    expect(await client.session()).toMatchObject({ resumed: false, seq: 0, session: expect.stringMatching(/^ses_/) as string });
    client.ask("a", path, BODIES[path]!());
    const said = await client.all("a");
    expect(said[0]).toMatchObject({ type: "response", status: 200, headers: { "x-tollgate-attempts": "1" } });
    expect(events(said)).toEqual(await overHttp(path, BODIES[path]!()));
    expect(said.at(-1)).toMatchObject({ type: "end", outcome: "complete" });
    expect(said.map(({ seq }) => seq)).toEqual(said.map((_, at) => at + 1));
    expect(await set.admin.record(requestOf(said))).toMatchObject({ status: "actual" });
    client.close(1000);
  });

  it("an answer that is no stream comes whole, letter by letter, and another vendor's model is translated", async () => {
    const client = await open();
    client.ask("whole", "/v1/chat/completions", chat({ stream: false }));
    client.ask("other", "/v1/messages", { ...BODIES["/v1/messages"]!(), model: `${set.openai}/gpt-4o-mini` });
    const [first] = await client.all("whole");
    expect(first).toMatchObject({ status: 200, body: { object: "chat.completion", x_unknown: { kept: "as it is" } } });
    expect(first!.headers!["x-tollgate-cost"]).toMatch(/^0\.0/);
    const other = await client.all("other");
    expect(other.map(({ event }) => event)).toContain("message_stop");
    client.close(1000);
  });

  it("the body reaches the provider letter by letter, and headers hold for one request or, from the upgrade, for all", async () => {
    const client = await open({ headers: { "x-tollgate-tags": "upgrade", "anthropic-beta": "one" } });
    const body = `{"model" : "${set.anthropic}/claude-sonnet-5","max_tokens":5,"big":12345678901234567890,"messages":[{"role":"user","content":"\\u00e9"}]}`;
    client.send(`{"id":"a","path":"/v1/messages?beta=true","body": ${body} ,"headers":{"Anthropic-Version":"2023-06-01"}}`);
    await client.all("a");
    expect(set.upstream.last.body.toString("utf8")).toBe(body.replace(`${set.anthropic}/`, ""));
    expect(set.upstream.last).toMatchObject({
      search: "?beta=true",
      headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "one" },
    });
    client.ask("b", "/v1/chat/completions", chat({ stream: false }), { "x-tollgate-tags": "own" });
    const record = await set.admin.record(requestOf(await client.all("b")));
    expect(record["tags"]).toEqual(["own"]);
    client.close(1000);
  });

  it.each([
    ["/v1/chat/completions", "error-429", 429, { error: { code: "rate_limit_exceeded" } }],
    ["/v1/messages", "error-529", 529, { type: "error", error: { type: "overloaded_error" } }],
  ])("%s: a provider's error comes with its status and its own body", async (path, scenario, status, body) => {
    const client = await open();
    client.ask("a", path, BODIES[path]!(), { "x-scenario": scenario });
    const said = await client.all("a");
    expect(said[0]).toMatchObject({ type: "response", status, body });
    expect(said).toHaveLength(2);
    client.close(1000);
  });

  it.each([
    ["/v1/chat/completions", { model: "nobody/has-it", messages: HI }, 404, { error: { code: "model_not_found", param: "model" } }],
    ["/v1/messages", { model: 5, messages: HI }, 400, { type: "error", error: { param: "model" } }],
  ])("%s: a refusal of the gateway comes in the caller's envelope and names the field", async (path, body, status, told) => {
    const client = await open();
    client.ask("a", path, body);
    expect((await client.all("a"))[0]).toMatchObject({ type: "response", status, body: told });
    client.close(1000);
  });

  it("a stream that its provider cuts ends in the dialect's error", async () => {
    const client = await open();
    client.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "cut-after-3" });
    const said = await client.all("a");
    expect(events(said).at(-1)!.data).toMatchObject({ error: { code: "upstream_error" } });
    client.close(1000);
  });
});

describe("A7: many at once", () => {
  it("100 interleaved requests each get their own answer, whole and in order, and are each billed once", async () => {
    const { secret } = await set.admin.key({ name: "socket-100" });
    const client = await open({ key: secret });
    const paths = Object.keys(BODIES);
    const alone = new Map<string, unknown>();
    for (const path of paths)
      alone.set(
        path,
        (await overHttp(path, BODIES[path]!())).filter(({ data }) => typeof data === "object"),
      );
    for (let at = 0; at < 100; at++) {
      const path = paths[at % paths.length]!;
      client.ask(`r${at}`, path, BODIES[path]!(), { "x-scenario": `slow-${1 + (at % 7)}` });
    }
    for (let at = 0; at < 100; at++) {
      const said = await client.all(`r${at}`);
      expect(said[0]).toMatchObject({ type: "response", status: 200 });
      expect(events(said).filter(({ data }) => typeof data === "object")).toEqual(alone.get(paths[at % paths.length]!));
    }
    const numbered = client.said.slice(1);
    expect(numbered.map(({ seq }) => seq)).toEqual(numbered.map((_, at) => at + 1));
    const switches = numbered.filter(({ id }, at) => at > 0 && id !== numbered[at - 1]!.id).length;
    expect(switches).toBeGreaterThan(200);
    expect((await settled(secret)).requests).toBe(100);
    client.close(1000);
  });
});

describe("A7: a connection that breaks", () => {
  let cutter: Cutter;
  beforeAll(async () => {
    cutter = await Cutter.before(set.origin);
  });
  afterAll(() => cutter.end());

  const numbered = (said: readonly Said[]) => said.filter(({ type, seq }) => type !== "session" && seq !== undefined);

  // Each request has an id of its own in them.
  const withoutHeaders = (said: Said) => ({ ...said, headers: null });

  it("is cut and resumed at every message: none is lost, none doubled, and each request is billed once", async () => {
    const { secret } = await set.admin.key({ name: "socket-cut" });
    const through = (query = "") => open({ key: secret, query }, cutter.origin);
    const whole = await through();
    whole.ask("a", "/v1/chat/completions", chat());
    await whole.all("a");
    const expected = numbered(whole.said).map(withoutHeaders);
    whole.close(1000);
    for (let at = 0; at <= expected.length; at++) {
      const first = await through();
      const { session } = await first.session();
      const seen = set.upstream.seen.length;
      first.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "slow-5" });
      await first.until(() => first.seq >= at && (at > 0 || set.upstream.seen.length > seen));
      cutter.cut();
      await first.until(() => first.closed !== null);
      // What had arrived beyond is as if it never had: the client says how far it has read.
      const second = await through(`?session=${session}&after=${at}`);
      expect(await second.session()).toMatchObject({ resumed: true, session });
      await second.until(() => second.seq === expected.length || at === expected.length);
      const both = [...numbered(first.said).slice(0, at), ...numbered(second.said)].map(withoutHeaders);
      expect(both).toEqual(expected);
      second.close(1000);
    }
    expect((await settled(secret)).requests).toBe(expected.length + 2);
  });

  it("is cut after each single message of one answer, and the answer is whole", async () => {
    const got: Said[] = [];
    let query = "";
    let asked = false;
    for (;;) {
      const client = await open({ query }, cutter.origin);
      const { session } = await client.session();
      if (!asked) client.ask("a", "/v1/messages", BODIES["/v1/messages"]!(), { "x-scenario": "slow-5" });
      asked = true;
      await client.until(() => numbered(client.said).length > 0);
      got.push(numbered(client.said)[0]!);
      cutter.cut();
      await client.until(() => client.closed !== null);
      query = `?session=${session}&after=${got.at(-1)!.seq}`;
      if (got.at(-1)!.type === "end") break;
    }
    expect(got.map(({ seq }) => seq)).toEqual(got.map((_, at) => at + 1));
    expect(events(got)).toEqual(await overHttp("/v1/messages", BODIES["/v1/messages"]!()));
  });

  it("a second connection takes the session over, and the first is told", async () => {
    const first = await open({}, cutter.origin);
    const { session } = await first.session();
    const second = await open({ query: `?session=${session}&after=0` });
    expect(await second.session()).toMatchObject({ resumed: true, session });
    await first.until(() => cutter.closes.includes(4001));
    second.close(1000);
  });

  it("threat 6: the session of another key, one that ended and one that never was all begin anew", async () => {
    const first = await open();
    const { session } = await first.session();
    const { secret } = await set.admin.key({ name: "socket-other" });
    const other = await open({ key: secret, query: `?session=${session}&after=0` });
    const fresh = await other.session();
    expect(fresh).toMatchObject({ resumed: false, seq: 0 });
    expect(fresh.session).not.toBe(session);
    first.close(1000);
    await first.until(() => first.closed !== null);
    for (const gone of [session, `ses_00${"0".repeat(32)}`, "ses_x"]) {
      const client = await open({ query: `?session=${gone}&after=0` });
      expect(await client.session()).toMatchObject({ resumed: false });
      client.close(1000);
    }
    other.close(1000);
  });

  it("one that is closed politely ends what runs", async () => {
    const client = await open();
    client.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "slow-20-x400" });
    await client.next(({ type }) => type === "event");
    const { last } = set.upstream;
    client.close(1000);
    await client.until(() => last.abortedAt !== null);
    expect(last.produced).toBeLessThan(400);
  });
});

describe("A7: a client that cancels", () => {
  it("ends the provider's call within 500 ms, and pays for what was made", async () => {
    const client = await open();
    client.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "slow-10-x400" });
    await client.until(() => client.said.length > 10);
    const { last } = set.upstream;
    const at = performance.now();
    client.send({ type: "cancel", id: "a" });
    await client.until(() => last.abortedAt !== null);
    expect(last.abortedAt! - at).toBeLessThan(500);
    const said = await client.all("a");
    expect(said.at(-1)).toMatchObject({ outcome: "cancelled" });
    const record = await set.admin.record(requestOf(said));
    expect(record.status).toBe("estimated");
    expect(record.usage["output"]).toBeGreaterThanOrEqual(events(said).length - 2);
    expect(record.usage["output"]).toBeLessThanOrEqual(last.produced + 1);
    client.close(1000);
  });

  it("before the answer begins the provider's call ends too, and other requests go on", async () => {
    const client = await open();
    client.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "stall" });
    await client.until(() => String(set.upstream.seen.at(-1)?.headers["x-scenario"]) === "stall");
    const { last } = set.upstream;
    client.ask("b", "/v1/chat/completions", chat());
    client.send({ type: "cancel", id: "a" });
    expect(await client.all("a")).toMatchObject([{ type: "end", outcome: "cancelled" }]);
    await client.until(() => last.abortedAt !== null, 1_000);
    expect((await client.all("b")).at(-1)).toMatchObject({ outcome: "complete" });
    client.close(1000);
  });
});

describe("a message that is none", () => {
  const PATH = "/v1/chat/completions";
  const CASES: readonly (readonly [string, unknown, string | null, string])[] = [
    ["no JSON", "{", null, "invalid_request"],
    ["no object", "[]", null, "invalid_request"],
    ["bytes", new Uint8Array([1, 2]), null, "invalid_request"],
    ["a type that nobody knows", { type: "subscribe" }, "type", "invalid_request"],
    ["a field that nobody knows", { id: "x", path: PATH, body: {}, colour: 1 }, "colour", "invalid_request"],
    ["a field of another type", { type: "ack", seq: 0, id: "x" }, "id", "invalid_request"],
    ["a field twice", `{"id":"x","path":"${PATH}","body":{},"body":{}}`, "body", "invalid_request"],
    ["no id", { path: PATH, body: {} }, "id", "invalid_request"],
    ["an id that is none", { id: "a b", path: PATH, body: {} }, "id", "invalid_request"],
    ["no path", { id: "x", body: {} }, "path", "invalid_request"],
    ["another host", { id: "x", path: "//evil.test/v1/messages", body: {} }, "path", "invalid_request"],
    ["no body", { id: "x", path: PATH }, "body", "invalid_request"],
    ["a body that is no object", { id: "x", path: PATH, body: "{}" }, "body", "invalid_request"],
    [
      "threat 16: a credential of its own",
      { id: "x", path: PATH, body: {}, headers: { Authorization: "Bearer y" } },
      "headers.Authorization",
      "invalid_request",
    ],
    [
      "threat 9: an address of its own",
      { id: "x", path: PATH, body: {}, headers: { "CF-Connecting-IP": "1.2.3.4" } },
      "headers.CF-Connecting-IP",
      "invalid_request",
    ],
    [
      "threat 16: a line break in a header",
      { id: "x", path: PATH, body: {}, headers: { "x-a": "b\r\nc: d" } },
      "headers.x-a",
      "invalid_request",
    ],
    ["an acknowledgement of what was not said", { type: "ack", seq: 1e9 }, "seq", "invalid_request"],
    ["an acknowledgement of half a message", { type: "ack", seq: 0.5 }, "seq", "invalid_request"],
    ["a cancel of nothing", { type: "cancel", id: "nobody" }, "id", "not_found"],
  ];

  it("is answered with the field's name, and the socket stays", async () => {
    const client = await open();
    await client.session();
    for (const [name, message, param, code] of CASES) {
      const before = client.said.length;
      client.send(message);
      await client.until(() => client.said.length > before);
      const said = client.said.at(-1)!;
      expect([name, said.type, said.error?.param, said.error?.code]).toEqual([name, "error", param, code]);
    }
    client.ask("still", PATH, chat());
    expect((await client.all("still")).at(-1)).toMatchObject({ outcome: "complete" });
    client.send({ type: "ping" });
    await client.next(({ type }) => type === "pong");
    client.close(1000);
  });

  it("an id that is in use is refused, and the request that has it goes on", async () => {
    const client = await open();
    client.ask("a", PATH, chat(), { "x-scenario": "slow-20" });
    client.ask("a", PATH, chat());
    expect(await client.next(({ type }) => type === "error")).toMatchObject({ id: "a", error: { param: "id" } });
    await client.next(({ type }) => type === "end");
    client.ack();
    client.ask("a", PATH, chat());
    await client.until(() => client.said.filter(({ type }) => type === "end").length === 2);
    client.close(1000);
  });

  it.each(["/admin/v1/keys", "/v1/nothing", "/healthz", "/v1/ws", "/v1/messages/../../admin/v1/keys"])(
    "threats 5 and 20: %s is no route of a socket",
    async (path) => {
      const client = await open({ key: inject("adminKey") }).catch(() => open());
      client.ask("a", path, { name: "x" });
      const said = await client.all("a");
      expect(said[0]).toMatchObject({ type: "response", status: 404, body: { error: { code: "not_found", param: "path" } } });
      client.close(1000);
    },
  );

  it("threat 18: one that is larger than a body may be is refused, and the socket stays", async () => {
    const client = await open();
    client.ask("a", PATH, chat({ padding: "x".repeat(16 * 1024 * 1024) }));
    await client.until(() => client.said.some(({ type }) => type === "error") || client.closed !== null, 20_000);
    expect(client.said.find(({ type }) => type === "error")).toMatchObject({ status: 413, error: { code: "payload_too_large" } });
    client.ask("b", PATH, chat());
    await client.all("b");
    client.close(1000);
  });
});

describe("who may open a socket", () => {
  const refusal = async (headers: Record<string, string>, query = "") => {
    const answer = await fetch(`${set.origin}/v1/ws${query}`, { headers });
    return [answer.status, ((await answer.json()) as { error: { code: string; param: string | null } }).error];
  };

  it("whoever shows a key in a header, or as a subprotocol, which is never sent back", async () => {
    for (const given of [{ headers: { "x-api-key": set.key } }, { protocols: ["tollgate", `openai-insecure-api-key.${set.key}`] }]) {
      const client = await SocketClient.open(set.origin, given);
      await client.session();
      expect(client.protocol).toBe("protocols" in given ? "tollgate" : "");
      client.ask("a", "/v1/chat/completions", chat());
      expect((await client.all("a"))[0]).toMatchObject({ status: 200 });
      client.close(1000);
    }
  });

  it("nobody without a key, with a wrong one, or with one in the URL", async () => {
    expect((await refusal({}))[0]).toBe(401);
    expect((await refusal({ authorization: "Bearer sk-tg-aaaaaaaaaaaa-a" }))[0]).toBe(401);
    expect((await refusal({}, `?key=${set.key}&api_key=${set.key}`))[0]).toBe(401);
    await expect(SocketClient.open(set.origin, { key: "sk-wrong" })).rejects.toThrow();
  });

  it("nobody that does not upgrade, misspells a header, or does not say how far it has read", async () => {
    const authorization = `Bearer ${set.key}`;
    expect(await refusal({ authorization })).toMatchObject([400, { param: "upgrade" }]);
    await expect(open({ headers: { "x-tollgate-tag": "x" } })).rejects.toThrow();
    await expect(open({ query: "?session=ses_x" })).rejects.toThrow();
    await expect(open({ protocols: ["other"] })).rejects.toThrow();
  });

  it("threat 23: no page of another site, in development but those of this machine", async () => {
    for (const origin of ["https://evil.test", "null", "http://localhost.evil.test", "http://127.0.0.1@evil.test"])
      await expect(open({ headers: { origin } })).rejects.toThrow();
    for (const origin of ["http://localhost:3000", set.origin]) {
      const client = await open({ headers: { origin } });
      await client.session();
      client.close(1000);
    }
  });

  it("threat 10: a key that was disabled is refused with its next request, and its socket is closed", async () => {
    const { id, secret } = await set.admin.key({ name: "socket-revoked" });
    const client = await open({ key: secret });
    client.ask("a", "/v1/chat/completions", chat());
    await client.all("a");
    await set.admin.call("POST", `/keys/${id}/disable`, {});
    // Where no budget binds a key, this holds within two seconds.
    await client.until(() => {
      if (client.closed === null) client.ask(`r${client.said.length}-${Date.now()}`, "/v1/messages", BODIES["/v1/messages"]!());
      return client.closed !== null;
    }, 4_000);
    expect(client.closed).toMatchObject({ code: 4401 });
    expect(client.said.find(({ status }) => status === 401)).toMatchObject({
      body: { type: "error", error: { type: "authentication_error" } },
    });
    await expect(open({ key: secret })).rejects.toThrow();
  });

  it("a key has 32 sockets at most, and one that closes makes room", async () => {
    const { id, secret } = await set.admin.key({ name: "socket-places" });
    const all = await Promise.all(Array.from({ length: 32 }, () => open({ key: secret })));
    await expect(open({ key: secret })).rejects.toThrow();
    expect(await refusedSocket(secret)).toMatchObject({ error: { details: { limit: "concurrency", scope: { kind: "key", id } } } });
    all[7]!.close(1000);
    await all[7]!.until(() => all[7]!.closed !== null);
    const again = await open({ key: secret });
    await again.session();
    for (const client of [...all, again]) client.close(1000);
  });
});

/** What a socket that is not opened is answered. */
function refusedSocket(key: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const upgrade = {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
    };
    const asked = request(`${set.origin}/v1/ws`, { headers: { ...upgrade, authorization: `Bearer ${key}` } }, (answer) => {
      jsonOf(answer).then(resolve, reject);
    });
    asked
      .once("error", reject)
      .once("upgrade", () => reject(new Error("it was opened")))
      .end();
  });
}

/** Resident memory of the gateway's workerd processes, in megabytes. */
function memory(): number {
  const pids = readFileSync(`${inject("state")}/workerd.pid`, "utf8")
    .split("\n")
    .filter(Boolean);
  return pids.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024, 0);
}

describe("A7: a reader that stops", () => {
  const EVENT = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "x".repeat(8_000) } }] })}\n\n`;
  const EVENTS = 16_384;
  let taken = 0;
  let server: Server;
  beforeAll(async () => {
    // A provider that sends 128 MB as fast as they are taken.
    server = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "text/event-stream" });
      let sent = 0;
      const pump = () => {
        while (sent < EVENTS) {
          sent++;
          taken += EVENT.length;
          if (!response.write(EVENT)) return void response.once("drain", pump);
        }
        response.end("data: [DONE]\n\n");
      };
      pump();
      response.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await set.admin.upstream("socket-fast", "openai-compatible", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ["m"]);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("holds the provider back: memory stays where it is, and all of it comes once it is read on", { timeout: 120_000 }, async () => {
    const client = await open();
    const before = memory();
    client.ask("a", "/v1/chat/completions", { model: "socket-fast/m", stream: true, messages: HI });
    await client.until(() => client.said.length > 100);
    let [last, since] = [-1, 0];
    await client.until(() => {
      if (taken !== last) [last, since] = [taken, performance.now()];
      return performance.now() - since > 1_000;
    }, 30_000);
    const stopped = taken;
    // Longer than the gateway waits for a provider that says nothing: it is not the provider that is waited for.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(taken - stopped).toBeLessThan(1_000_000);
    // Of 128 MB, one window, what the runtime and the kernel hold between the two, and nothing of the rest.
    expect(taken).toBeLessThan(24 * 1024 * 1024);
    expect(memory() - before).toBeLessThan(100);
    let acknowledged = 0;
    await client.until(() => {
      if (client.seq > acknowledged) client.ack((acknowledged = client.seq));
      return client.said.at(-1)?.type === "end";
    }, 90_000);
    expect(client.said.filter(({ type }) => type === "event")).toHaveLength(EVENTS + 1);
    expect(client.said.at(-1)).toMatchObject({ outcome: "complete" });
    client.close(1000);
  });
});
