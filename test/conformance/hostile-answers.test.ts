import { createServer, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("hostile");
/** Three times what is read; an upstream that is believed for longer ends there, so that a gateway without bounds fails a test and not the machine. */
const SENT_MAX = 48 * 1024 * 1024;
const MEBIBYTE = Buffer.alloc(1024 * 1024, " ");
const chunkOf = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const CHUNK = chunkOf(MEBIBYTE);
const ERROR = "HTTP/1.1 500 No\r\ncontent-type: application/json\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const packed = gzipSync(Buffer.alloc(SENT_MAX, " "));
const framed = (body: Buffer) => `content-length: ${body.length}\r\n\r\n`;

/** What each model answers, byte for byte: no HTTP server would. */
const ANSWERS: Record<string, (socket: Socket) => void> = {
  endless: (socket) => pump(socket, `${OK}transfer-encoding: chunked\r\n\r\n`, CHUNK),
  "endless-framed-twice": (socket) => pump(socket, `${OK}content-length: 10\r\ntransfer-encoding: chunked\r\n\r\n`, CHUNK),
  "too-long": (socket) => pump(socket, `${OK}content-length: ${SENT_MAX}\r\n\r\n`, MEBIBYTE, ""),
  packed: (socket) => socket.end(Buffer.concat([Buffer.from(`${OK}content-encoding: gzip\r\n${framed(packed)}`), packed])),
  "endless-error": (socket) => pump(socket, `${ERROR}transfer-encoding: chunked\r\n\r\n`, CHUNK),
  "switches-protocols": (socket) => socket.end("HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
  "no-status": (socket) => socket.end(`HTTP/1.1 999 What\r\n${framed(Buffer.from("{}"))}{}`),
};

const told = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`;
const said = (content: string) => told({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] });
const saysOn = (socket: Socket) =>
  pump(
    socket,
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    chunkOf(Buffer.from(said("y".repeat(MEBIBYTE.length)))),
  );
/** A stream that its provider does not call one, as some do. */
const unnamed = (type: string) => (socket: Socket) => {
  const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
  const stream = [
    told({ ...chunk, choices: [{ index: 0, delta: { role: "assistant", content: "four words are said" } }] }),
    told({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
    told({ ...chunk, choices: [], usage: { prompt_tokens: 7, completion_tokens: 400, total_tokens: 407 } }),
    "data: [DONE]\n\n",
  ].join("");
  socket.end(`HTTP/1.1 200 OK\r\n${type}${framed(Buffer.from(stream))}${stream}`);
};
/** A response that claims 3,000 items. */
const claims = (socket: Socket) => {
  const added = Array.from({ length: 3_000 }, (_, at) => told({ type: "response.output_item.added", item: { id: `msg_claimed_${at}` } }));
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const whole = { id: "resp_claimed", status: "completed", output: [], usage };
  const stream = [
    told({ type: "response.created", response: whole }),
    ...added,
    told({ type: "response.completed", response: whole }),
  ].join("");
  socket.end(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${framed(Buffer.from(stream))}${stream}`);
};
Object.assign(ANSWERS, {
  claims,
  "endless-stream": saysOn,
  "no-json": (socket: Socket) => socket.end(`${OK}${framed(Buffer.from("a secret: {"))}a secret: {`),
  "stream-as-json": unnamed("content-type: application/json\r\n"),
  "stream-as-nothing": unnamed(""),
  "stream-in-capitals": unnamed("Content-Type: Text/Event-Stream\r\n"),
});

let server: Server;
const sockets = new Set<Socket>();
/** MiB that an upstream got rid of, by model. */
const sent = new Map<Socket, number>();
let last: Socket;

function pump(socket: Socket, head: string, each: Buffer, end = "0\r\n\r\n"): void {
  socket.write(head);
  const more = () => {
    for (;;) {
      const count = sent.get(socket) ?? 0;
      if (socket.destroyed || count * MEBIBYTE.length >= SENT_MAX) return void socket.end(end);
      sent.set(socket, count + 1);
      if (!socket.write(each)) return void socket.once("drain", more);
    }
  };
  more();
}

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let heard = "";
    socket.on("data", function hear(bytes) {
      heard += bytes.toString("latin1");
      const model = /"model":"([^"]+)"/.exec(heard)?.[1];
      if (model === undefined) return;
      socket.off("data", hear).resume();
      last = socket;
      ANSWERS[model]?.(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await set.admin.upstream("hostile-raw", "openai", `http://127.0.0.1:${port}`, Object.keys(ANSWERS));
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function ask(model: string, key = set.key) {
  const answer = await fetch(`${set.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: `hostile-raw/${model}`, max_tokens: 50, messages: [{ role: "user", content: "hi" }] }),
  });
  const text = await answer.text();
  const { outcome, status, actual_usd } = await set.admin.record(answer.headers.get("x-request-id")!);
  return { status: answer.status, text, record: { outcome, status, actual_usd } };
}

describe("threat 18: a provider's answer", () => {
  it.each(["endless", "endless-framed-twice", "too-long", "packed"])(
    "is given up beyond what one may hold, and booked at most: %s",
    async (model) => {
      const { status, text, record } = await ask(model);
      expect({ status, text }).toEqual({
        status: 502,
        text: expect.stringContaining("gave an answer of more than 16777216 bytes") as string,
      });
      expect(record).toMatchObject({ outcome: "truncated", status: "estimated" });
      expect(Number(record.actual_usd)).toBeGreaterThan(0);
      // What was on its way between the two ends is all that is sent beyond.
      expect(sent.get(last) ?? 0).toBeLessThan(SENT_MAX / MEBIBYTE.length);
    },
  );

  it("that is an error without an end is its status alone", async () => {
    const { status, text, record } = await ask("endless-error");
    expect({ status, text }).toEqual({ status: 500, text: "" });
    expect(record).toMatchObject({ outcome: "error", actual_usd: "0" });
    expect(sent.get(last)).toBeLessThan(SENT_MAX / MEBIBYTE.length);
  });

  it("that streams without an end is broken off where it has to be remembered for its reader, and booked as far as it came", async () => {
    const answer = await fetch(`${set.origin}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": set.key, "content-type": "application/json" },
      body: JSON.stringify({
        model: "hostile-raw/endless-stream",
        max_tokens: 50,
        stream: true,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    const text = await answer.text();
    expect(text.slice(-300)).toMatch(/event: error\ndata: .*sent a stream of more than 16777216 bytes/);
    expect(sent.get(last)).toBeLessThan(SENT_MAX / MEBIBYTE.length);
    const { outcome, status } = await set.admin.record(answer.headers.get("x-request-id")!);
    expect({ outcome, status }).toEqual({ outcome: "truncated", status: "estimated" });
  });

  it("that claims more items than any has is told, and what it claims beyond 1,000 ids cannot be named", async () => {
    const client = new OpenAI({ baseURL: `${set.origin}/v1`, apiKey: set.key, maxRetries: 0 });
    const asking = { model: "hostile-raw/claims", stream: true } as const;
    const events = await Array.fromAsync(await client.responses.create({ ...asking, input: "hi" }));
    expect(events).toHaveLength(3_002);
    const goOnFrom = (id: string) => client.responses.create({ ...asking, store: false, input: [{ type: "item_reference", id }] });
    expect(await Array.fromAsync(await goOnFrom("msg_claimed_998"))).toHaveLength(3_002);
    await expect(goOnFrom("msg_claimed_999")).rejects.toMatchObject({ status: 404, param: "input.0.id" });
  });

  it.each(["stream-as-json", "stream-as-nothing", "stream-in-capitals"])("that streams is a stream by whatever name: %s", async (model) => {
    const client = new OpenAI({ baseURL: `${set.origin}/v1`, apiKey: set.key, maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "hi" }];
    const { data, response } = await client.chat.completions
      .create({ model: `hostile-raw/${model}`, messages, stream: true })
      .withResponse();
    const chunks = await Array.fromAsync(data);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("four words are said");
    // The chunk of usage that was asked for in the caller's place is cut out again, and believed.
    expect(chunks).toHaveLength(2);
    expect(response.headers.get("content-type")?.toLowerCase()).toContain("text/event-stream");
    const { outcome, status, actual_usd } = await set.admin.record(response.headers.get("x-request-id")!);
    expect({ outcome, status, actual_usd }).toEqual({ outcome: "ok", status: "actual", actual_usd: "0.000807" });
  });

  it("threat 35: that is none is not passed on where a policy is to judge it, and is where none is", async () => {
    const name = "hostile-judge";
    const source = `export default { name: "${name}", version: "1.0.0", needs: ["response"], evaluate: () => ({ allowed: true }), onResponse: () => ({ allowed: true }) };`;
    const { id } = await set.admin.call<{ id: string }>("POST", "/policies", { name, version: "1.0.0", source, signature: null });
    expect(await ask("no-json")).toMatchObject({ status: 200, text: "a secret: {" });
    const judged = await set.admin.key();
    await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: judged.id }, mode: "enforce" });
    await expect.poll(async () => (await ask("no-json", judged.secret)).status, { timeout: 10_000 }).toBe(502);
    const { text, record } = await ask("no-json", judged.secret);
    expect(text).toContain("an answer that cannot be judged");
    expect(text).not.toContain("secret");
    expect(record).toMatchObject({ outcome: "error", status: "estimated" });
    expect(Number(record.actual_usd)).toBeGreaterThan(0);
    for (const mode of ["off", "shadow"])
      await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: judged.id }, mode });
    await expect.poll(async () => (await ask("no-json", judged.secret)).status, { timeout: 10_000 }).toBe(200);
  });

  it.each(["switches-protocols", "no-status"])("whose status cannot be passed on is an error of the provider's: %s", async (model) => {
    const { status, text, record } = await ask(model);
    expect({ status, text }).toEqual({ status: 502, text: expect.stringMatching(/answered with the status (101|999)/) as string });
    expect(record).toMatchObject({ outcome: "error", actual_usd: "0" });
  });
});
