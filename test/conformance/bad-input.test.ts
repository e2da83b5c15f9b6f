import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, inject, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("bad-input");
const chat = "/v1/chat/completions";
let visitor = 0;
/** An address of its own for each request that may fail: failed authentications are counted by address. */
const address = () => `198.51.100.${++visitor % 250}`;
const good = () => JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, messages: [] });

/** Sends raw bytes over a socket of its own and returns what came back, to the end or to `untilMs`. */
function raw(head: string, body: Buffer | string | readonly Buffer[] = "", untilMs = 8_000): Promise<string> {
  const { hostname, port } = new URL(set.origin);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    const done = () => {
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(done, untilMs);
    socket.on("data", (part) => {
      text += part.toString("latin1");
      if (/\r\n\r\n[\s\S]*\}\s*(\r\n0\r\n\r\n)?$/.test(text)) {
        clearTimeout(timer);
        done();
      }
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.on("error", () => undefined);
    socket.write(head);
    for (const part of Array.isArray(body) ? (body as Buffer[]) : [body as Buffer | string]) socket.write(part);
  });
}

const head = (path: string, length: number | null, more = "", method = "POST") =>
  `${method} ${path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${set.key}\r\ncontent-type: application/json\r\ncf-connecting-ip: ${address()}\r\nconnection: close\r\n${length === null ? "" : `content-length: ${length}\r\n`}${more}\r\n`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

function post(body: string | Buffer, headers: Record<string, string> = {}, path = chat): Promise<Response> {
  return fetch(`${set.origin}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", ...headers },
    body,
  });
}

async function errorOf(answer: Response): Promise<{ code: string; param: string | null; message: string }> {
  return ((await answer.json()) as { error: { code: string; param: string | null; message: string } }).error;
}

/** Resident memory of the gateway's workerd processes, in megabytes. */
function memory(): number {
  const state = inject("state");
  const pids = readFileSync(`${state}/workerd.pid`, "utf8").split("\n").filter(Boolean);
  return pids.reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024, 0);
}

describe("threats 18 and 19: bodies", () => {
  const model = '"model":"x/y"';
  const CASES: readonly (readonly [string, string, string | null])[] = [
    ["malformed", `{${model},"messages":[}`, null],
    ["cut off", `{${model},"messages":["`, null],
    ["empty", "", null],
    ["no object", "[1]", null],
    ["a NUL", `{${model},"messages":[],"a":"\u0000"}`, null],
    ["100,000 deep", `{${model},"messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, null],
    ["1,001 deep", `{${model},"messages":${"[".repeat(1_000)}${"]".repeat(1_000)}}`, null],
    ["two models", `{${model},${model},"messages":[]}`, "model"],
    ["two models, one escaped", `{${model},"\\u006dodel":"z","messages":[]}`, "model"],
    ["two caps", `{${model},"max_tokens":1,"max_tokens":9,"messages":[]}`, "max_tokens"],
    ["a model in other letters", `{${model},"MODEL":"big","messages":[]}`, "model"],
    ["a cap in other letters", `{${model},"max_tokens":1,"Max_Tokens":9,"messages":[]}`, "max_tokens"],
    ["tools that stand twice", `{${model},"tools":[{"type":"web_search"}],"tools":[],"messages":[]}`, "tools"],
    ["model of a wrong type", '{"model":7,"messages":[]}', "model"],
    ["messages of a wrong type", `{${model},"messages":"hi"}`, "messages"],
    ["no messages", `{${model}}`, "messages"],
    ["a cap in text", `{${model},"max_tokens":"5","messages":[]}`, "max_tokens"],
    ["a cap below zero", `{${model},"max_tokens":-1,"messages":[]}`, "max_tokens"],
    ["a cap beyond number", `{${model},"max_tokens":1e999,"messages":[]}`, "max_tokens"],
    ["a cap that is not a number", `{${model},"max_tokens":NaN,"messages":[]}`, null],
    ["n of nought", `{${model},"n":0,"messages":[]}`, "n"],
    ["stream of a wrong type", `{${model},"stream":"yes","messages":[]}`, "stream"],
    ["stream options of a wrong type", `{${model},"stream_options":[],"messages":[]}`, "stream_options"],
  ];

  it.each(CASES)("%s: 400 that names the field", async (_name, body, param) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    const error = await errorOf(answer);
    expect([error.code, error.param]).toEqual(["invalid_request", param]);
    if (param !== null) expect(error.message).toContain(param);
    expect(answer.headers.get("x-should-retry")).toBe("false");
  });

  it("invalid UTF-8: 400", async () => {
    expect((await post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).status).toBe(400);
  });

  it("a wrong type in a field that the gateway does not read is the provider's business", async () => {
    const body = JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, messages: [], temperature: "hot", logit_bias: 7 });
    expect((await post(body)).status).toBe(200);
    expect(JSON.parse(set.upstream.last.body.toString())).toMatchObject({ temperature: "hot", logit_bias: 7 });
  });

  it("a million messages are read in bounded time", async () => {
    const body = `{"model":"${set.openai}/gpt-4o-mini","messages":[${"{},".repeat(1_000_000)}{}]}`;
    expect((await post(body)).status).toBe(200);
  });

  it("100 MB: 413 before it is read whole, and memory stays near what it was", async () => {
    await post(good());
    const idle = memory();
    const declared = await raw(head(chat, 100_000_000), Buffer.alloc(65_536, 97));
    expect(statusOf(declared)).toBe(413);
    const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000, 97), Buffer.from("\r\n")]);
    const undeclared = await raw(
      head(chat, null, "transfer-encoding: chunked\r\n"),
      Array.from({ length: 40 }, () => chunk),
    );
    expect(statusOf(undeclared)).toBe(413);
    expect(memory() - idle).toBeLessThan(256);
  });

  it("a body that is packed is refused, since it could unpack to anything", async () => {
    const answer = await post(good(), { "content-encoding": "gzip" });
    expect([answer.status, (await errorOf(answer)).param]).toEqual([400, "content-encoding"]);
  });

  it("a body that arrives too slowly: 408", async () => {
    expect(statusOf(await raw(head(chat, 500), '{"model":'))).toBe(408);
  });
});

describe("threat 20: paths", () => {
  it.each([
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/chat;x=1/completions",
    "/v1/chat%2fcompletions",
    "/v1/chat/completions.",
    "/V1/chat/completions",
    "/v1/chat/completions/",
    "/v1/v1/v1/embeddings",
  ])("%s is no route: 404", async (path) => {
    expect(statusOf(await raw(head(path, good().length), good()))).toBe(404);
  });

  it.each([
    "/v1/./chat/completions",
    "/v1/x/../chat/completions",
    "/v1/%2e/chat/completions",
    "/v1/chat/completions?a=b",
    "/openai/v1/chat/completions",
    "/v1/v1/chat/completions",
  ])("%s is judged as the canonical path", async (path) => {
    expect(statusOf(await raw(head(path, good().length), good()))).toBe(200);
    expect(statusOf(await raw(head(path, good().length).replace(set.key, "sk-tg-none"), good()))).toBe(401);
  });

  it("an absolute target is judged by its path, and reaches nobody else", async () => {
    expect(statusOf(await raw(head("http://127.0.0.1:9/v1/chat/completions", good().length), good()))).toBe(200);
  });

  it("a method override changes nothing, and a wrong method is told the right one", async () => {
    const answer = await fetch(`${set.origin}/v1/embeddings`, {
      headers: { authorization: `Bearer ${set.key}`, "x-http-method-override": "POST" },
    });
    expect([answer.status, (await errorOf(answer)).code]).toEqual([405, "method_not_allowed"]);
  });
});

describe("threats 1, 9 and 16: credentials and headers", () => {
  it("invalid keys of every kind: 401 with one public message", async () => {
    const keys = [
      "",
      "x",
      "sk-tg-",
      "sk-tg-aaaaaaaaaaaa-short",
      `${set.key}x`,
      set.key.slice(0, -1),
      `${set.key.slice(0, -3)}AAA`,
      "' OR 1=1 --",
      "é",
      "a".repeat(8_000),
    ];
    const messages = new Set<string>();
    for (const key of keys) {
      const answer = await fetch(`${set.origin}${chat}`, {
        method: "POST",
        headers: { "x-api-key": encodeURI(key), "cf-connecting-ip": address() },
        body: good(),
      });
      expect([key.slice(0, 20), answer.status]).toEqual([key.slice(0, 20), 401]);
      messages.add((await errorOf(answer)).message);
    }
    expect(messages.size).toBe(1);
  });

  it("two different credentials: 401; the same one twice: fine", async () => {
    expect((await post(good(), { "x-api-key": "sk-tg-other", "cf-connecting-ip": address() })).status).toBe(401);
    expect((await post(good(), { "x-api-key": set.key })).status).toBe(200);
  });

  it.each(["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-tollgate-api-key"])("a key in %s is taken", async (name) => {
    const value = name === "authorization" ? `Bearer ${set.key}` : set.key;
    const answer = await fetch(`${set.origin}/v1/key`, { headers: { [name]: value } });
    expect(answer.status).toBe(200);
  });

  it.each([
    ["two lengths", "content-length: 3\r\n"],
    ["a length and chunks", "transfer-encoding: chunked\r\n"],
    ["a folded header", "x-a: 1\r\n 2\r\n"],
    ["a space in a name", "x a: 1\r\n"],
  ])("%s: refused before anything is sent on, or one framing only", async (_name, more) => {
    const before = set.upstream.seen.length;
    const answer = await raw(head(chat, good().length, more), good(), 2_000);
    expect([0, 200, 400, 401, 429]).toContain(statusOf(answer));
    expect(set.upstream.seen.length - before).toBeLessThanOrEqual(1);
    if (set.upstream.seen.length > before)
      expect(set.upstream.last.rawHeaders.filter((each) => /content-length|transfer-encoding/i.test(each))).toHaveLength(1);
  });

  it("a flood of headers is answered, and the gateway stays up", async () => {
    const flood = Array.from({ length: 200 }, (_, at) => `x-flood-${at}: ${"a".repeat(100)}\r\n`).join("");
    expect([200, 400, 431, 0]).toContain(statusOf(await raw(head(chat, good().length, flood), good(), 3_000)));
    expect((await fetch(`${set.origin}/healthz`)).status).toBe(200);
  });

  it("an x-tollgate header that nobody knows is refused by name, and so is a wrong value of a known one", async () => {
    const wrong: Record<string, string> = {
      "x-tollgate-budget": "1",
      "x-tollgate-custom-host": "http://127.0.0.1:9",
      "x-tollgate-timeout-ms": "soon",
      "x-tollgate-metadata": "[1]",
      "x-tollgate-max-cost": "-1",
      "x-tollgate-usage": "yes",
      "x-tollgate-cache": "ttl=soon",
      "x-tollgate-tags": "a,,b",
    };
    for (const [name, value] of Object.entries(wrong)) {
      const answer = await post(good(), { [name]: value });
      expect([name, answer.status, (await errorOf(answer)).param]).toEqual([name, 400, name]);
    }
  });
});

describe("threat 12: nothing of a caller's names where a request goes", () => {
  it("by body, header, query or model name: the provider that was registered is asked, and nobody else", async () => {
    const before = set.upstream.seen.length;
    const body = JSON.stringify({
      model: `${set.openai}/gpt-4o-mini`,
      messages: [],
      api_base: "http://127.0.0.1:9",
      base_url: "http://127.0.0.1:9",
      custom_host: "x",
    });
    const headers = { "x-custom-host": "http://127.0.0.1:9", "x-portkey-custom-host": "http://127.0.0.1:9", "x-forwarded-host": "evil" };
    expect((await post(body, headers, `${chat}?api_base=http://127.0.0.1:9`)).status).toBe(200);
    expect(set.upstream.seen.length - before).toBe(1);
    for (const model of ["http://127.0.0.1:9/v1", "//127.0.0.1:9/x", `${set.openai}@127.0.0.1/x`, "nobody/gpt-4o"]) {
      expect((await post(JSON.stringify({ model, messages: [] }))).status).toBe(404);
    }
    expect(set.upstream.seen.length - before).toBe(1);
  });

  it("the query's model never stands in for the body's", async () => {
    const { secret } = await set.admin.key({ models: { allow: [`${set.openai}/gpt-4o-mini`], deny: [] } });
    const ask = (model: string, query = "") =>
      post(JSON.stringify({ model, messages: [] }), { authorization: `Bearer ${secret}` }, `${chat}${query}`);
    expect((await ask(`${set.openai}/gpt-4o-mini`)).status).toBe(200);
    expect((await ask("tollgate/echo", `?model=${set.openai}/gpt-4o-mini`)).status).toBe(403);
  });
});

describe("threat 30: debug surfaces", () => {
  it.each([
    "/__scheduled",
    "/cdn-cgi/mf/scheduled",
    "/cdn-cgi/handler/scheduled",
    "/cdn-cgi/explorer",
    "/json/list",
    "/.dev.vars",
    "/index.js.map",
    "/debug/pprof",
  ])("%s is nothing here", async (path) => {
    const answer = await fetch(`${set.origin}${path}`);
    expect([path, answer.status]).toEqual([path, 404]);
  });
});

it("after all this the process that was started is the one that answers", () => {
  const pids = readFileSync(`${inject("state")}/workerd.pid`, "utf8")
    .split("\n")
    .filter(Boolean);
  for (const pid of pids) expect(readdirSync("/proc")).toContain(pid);
});
