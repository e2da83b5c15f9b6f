import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { anthropic } from "./anthropic.ts";
import type { Exchange, Seen } from "./exchange.ts";
import { openai } from "./openai.ts";

/** `split-17` sends a stream in two writes, the first of 17 bytes; `cut-at-17` hangs up in place of the second. */
function offsetOf(scenario: string, kind: "split" | "cut-at"): number | null {
  const found = new RegExp(`^${kind}-(\\d+)$`).exec(scenario);
  return found ? Number(found[1]) : null;
}

/**
 * Plays OpenAI and Anthropic on loopback, without any knowledge of the gateway. What it does is chosen by the header
 * `x-scenario`, unless `behave` chooses for it; without one it answers as the vendor does when all is well.
 */
export class FakeUpstream {
  readonly seen: Seen[] = [];
  /** What it does whatever the header says: the scenario of each request; null where the header's word counts. */
  behave: ((seen: Seen) => string) | null = null;
  /** Connections that were ever opened to it. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.keepAliveTimeout = 30_000;
    this.#server.on("connection", (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Starts one on a port of loopback: a free one, unless it is given. */
  static async start(port = 0): Promise<FakeUpstream> {
    const upstream = new FakeUpstream();
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once("error", reject);
      upstream.#server.listen(port, "127.0.0.1", resolve);
    });
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The request seen last. */
  get last(): Seen {
    const last = this.seen.at(-1);
    if (!last) throw new Error("the upstream has seen no request");
    return last;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { pathname, search } = new URL(request.url ?? "/", "http://fake");
    const seen: Seen = {
      method: request.method ?? "",
      path: pathname,
      search,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body,
      digest: createHash("sha256").update(body).digest("hex"),
      at: performance.now(),
      abortedAt: null,
      produced: 0,
      sent: Buffer.alloc(0),
    };
    this.seen.push(seen);
    response.on("close", () => {
      if (!response.writableFinished) seen.abortedAt ??= performance.now();
    });
    const exchange = exchangeOf(seen, response, this.behave?.(seen) ?? String(seen.headers["x-scenario"] ?? ""));
    if (await misbehave(exchange, response)) return;
    const vendor = pathname.startsWith("/v1/messages") ? anthropic : openai;
    await vendor(pathname, exchange);
  }
}

function exchangeOf(seen: Seen, response: ServerResponse, scenario: string): Exchange {
  const [split, cutAt] = [offsetOf(scenario, "split"), offsetOf(scenario, "cut-at")];
  const zipped = scenario === "gzip";
  const atOnce = split !== null || cutAt !== null || zipped;
  const encoding: Record<string, string> = zipped ? { "content-encoding": "gzip" } : {};
  const gone = () => response.destroyed || seen.abortedAt !== null;
  const keep = (text: string | Buffer) => {
    seen.sent = Buffer.concat([seen.sent, Buffer.from(text)]);
  };
  return {
    seen,
    body: parsed(seen.body),
    scenario,
    json(status, body, headers = {}) {
      keep(JSON.stringify(body));
      const bytes = zipped ? gzipSync(seen.sent) : seen.sent;
      response.writeHead(status, { "content-type": "application/json", ...lengthOf(bytes, scenario), ...encoding, ...headers });
      if (scenario === "half-json") response.end(bytes.subarray(0, bytes.length / 2));
      else if (scenario === "cut-json") response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroy());
      else response.end(bytes);
    },
    begin(headers = {}) {
      const own = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };
      response.writeHead(200, { ...own, ...encoding, ...headers });
      response.flushHeaders();
    },
    async write(text) {
      if (gone()) return false;
      keep(text);
      if (atOnce) return true;
      await new Promise<void>((resolve) => response.write(text, () => resolve()));
      return !gone();
    },
    end() {
      if (cutAt !== null) response.write(seen.sent.subarray(0, cutAt), () => response.socket?.destroy());
      else if (split !== null)
        response.write(seen.sent.subarray(0, split), () => setImmediate(() => response.end(seen.sent.subarray(split))));
      else if (zipped) response.end(gzipSync(seen.sent));
      else response.end();
    },
    cut: () => void response.socket?.destroy(),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/** Half a body that ends as if it were whole is of no length that was told before. */
function lengthOf(bytes: Buffer, scenario: string): Record<string, number> {
  return scenario === "half-json" ? {} : { "content-length": bytes.length };
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** A page of a proxy that stands before a vendor. */
const PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>";

/** What no vendor does on a good day; true where the request was dealt with. */
async function misbehave({ scenario, seen, wait, json }: Exchange, response: ServerResponse): Promise<boolean> {
  if (scenario === "stall") await wait(20_000);
  const redirect = /^redirect(?:-(\d{3})-(\d+))?$/.exec(scenario);
  if (redirect) {
    response.writeHead(Number(redirect[1] ?? 302), { location: `http://127.0.0.1:${redirect[2] ?? 9}/sink` }).end();
    return true;
  }
  if (scenario === "hang-up") {
    response.socket?.destroy();
    return true;
  }
  if (scenario === "garbage-sse") {
    response.writeHead(200, { "content-type": "text/event-stream" }).end("data: {not json\n\nevent\u0000: x\n\ndata: <html>\n\n");
    return true;
  }
  if (scenario === "error-page") {
    response.writeHead(502, { "content-type": "text/html" }).end(PAGE);
    return true;
  }
  if (scenario === "leaky") {
    const key = String(seen.headers.authorization ?? seen.headers["x-api-key"]);
    json(401, {
      error: { message: `Incorrect API key provided: ${key}. See /v1?key=${key.replace("Bearer ", "")}`, type: "invalid_request_error" },
    });
    return true;
  }
  return false;
}
