import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Egress } from "../../runner/egress.ts";
import { openGatewaySocket } from "../../runner/gateway-socket.ts";

interface Heard {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: string;
  readonly port: number | undefined;
}

let folder: string;
let gateway: Server;
const opened: Server[] = [];
const heard: Heard[] = [];

beforeEach(async () => {
  heard.length = 0;
  folder = await mkdtemp(join(tmpdir(), "gateway-socket-"));
  gateway = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      const { method, url, headers, socket } = request;
      heard.push({ line: `${method} ${url}`, authorization: headers.authorization, body, port: socket.remotePort });
      answer.end("heard");
    });
  });
  await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  for (const server of opened.splice(0)) server.close();
  gateway.closeAllConnections();
  gateway.close();
  await rm(folder, { recursive: true });
});

/** A job's way out, which says bytes and answers with all that came back. */
async function job(name: string): Promise<(bytes: string) => Promise<string>> {
  const path = join(folder, name);
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const egress = new Egress([], { loopback: false, bytesMax: 0, idleMs: 0 }, () => undefined);
  opened.push(await openGatewaySocket(path, { url, authorization: `Bearer ${name}` }, egress));
  return (bytes) =>
    new Promise((resolve, reject) => {
      let said = "";
      const connection = createConnection(path, () => connection.write(bytes));
      connection.setEncoding("utf8").on("data", (part: string) => (said += part));
      connection.once("error", reject).once("close", () => resolve(said));
    });
}

const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer another\r\n\r\n";
const CHUNKED = `Host: g\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

describe("A job's way to the gateway", () => {
  it.each(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "POST"])("a body of %s never stands as a request of its own", async (method) => {
    const say = await job("one");
    await say(`${method} /a HTTP/1.1\r\n${CHUNKED}`);
    await say(`GET /b HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n`);
    expect(heard).toMatchObject([
      { line: `${method} /a`, authorization: "Bearer one", body: HIDDEN },
      { line: "GET /b", authorization: "Bearer one", body: "" },
    ]);
  });

  it.each([
    ["OPTIONS http://elsewhere.test/v1/models", 403],
    ["OPTIONS file:///etc/passwd", 400],
    ["CONNECT elsewhere.test:443", 403],
    ["OPTIONS *", 400],
  ])("a target that is no path, %s, is not called: %d", async (target, status) => {
    const say = await job("one");
    const said = await say(`${target} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n`);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(heard).toEqual([]);
  });

  it("a job never speaks over the connection of another", async () => {
    const [one, two] = [await job("one"), await job("two")];
    for (const say of [one, two, one, two]) await say("GET / HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
    expect(heard.map(({ authorization }) => authorization)).toEqual(["Bearer one", "Bearer two", "Bearer one", "Bearer two"]);
    const speakers = Map.groupBy(heard, ({ port }) => port).values();
    for (const calls of speakers) expect(new Set(calls.map(({ authorization }) => authorization)).size).toBe(1);
  });

  it("one connection asks one thing at a time: what it asks before the answer ends it, and is not called", async () => {
    gateway.removeAllListeners("request");
    const calls: string[] = [];
    gateway.on("request", ({ url }: { readonly url: string }) => void calls.push(url));
    const say = await job("one");
    await say(["/a", "/b", "/c"].map((path) => `GET ${path} HTTP/1.1\r\nHost: g\r\n\r\n`).join(""));
    expect(calls.filter((path) => path !== "/a")).toEqual([]);
  });

  it("a job has no more than 256 connections at once", async () => {
    await job("one");
    const [server] = opened;
    const path = server!.address() as string;
    let ended = 0;
    const connections = Array.from({ length: 300 }, () =>
      createConnection(path)
        .on("close", () => ended++)
        .on("error", () => undefined),
    );
    await vi.waitFor(() => expect(ended).toBe(44));
    expect(await new Promise((resolve) => server!.getConnections((_, count) => resolve(count)))).toBe(256);
    for (const connection of connections) connection.destroy();
  });
});
