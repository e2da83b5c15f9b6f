import type { LookupAddress } from "node:dns";
import * as http from "node:http";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { pipeline } from "node:stream";
import { framingOf, HOP_BY_HOP, passed } from "./headers.ts";
import { hostIn, type HostRule, isAddress, reaches } from "./host-rule.ts";
import { lookUp } from "./look-up.ts";
import { isLoopback, isPublic } from "./public-address.ts";
import type { Incident } from "./protocol.ts";

/** What a runner's operator lets its jobs reach at all, beside what each job may. */
export interface Reach {
  /** For tests: addresses of this machine itself. */
  readonly loopback: boolean;
  /** Of each job, both ways together. */
  readonly bytesMax: number;
  /** So long nothing may be said on what is open. */
  readonly idleMs: number;
}

/** A host and a port that a job asks for. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** What a call is answered over: once it is destroyed, nobody waits for an answer. */
type Over = Socket | http.ServerResponse;

type Denial = Extract<Incident, { event: "egress_denied" }>;

const CONNECTIONS_MAX = 64;
const CONNECT_MS = 10_000;
const HEADER_BYTES_MAX = 16_384;
const NOT_PASSED = new Set([...HOP_BY_HOP, "host"]);
const NOT_ANSWERED = new Set(HOP_BY_HOP);

const NOBODY_WAITS = "Nobody waits for it any more";

/** Why a call is not made. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * One job's proxy to the hosts that it may reach. A name is resolved here, once, and only what it resolved to is connected to: one that says
 * a public address when it is looked at and a private one when it is called gets nothing from it. Nothing of ours is added to a call.
 */
export class Egress {
  readonly #rules: readonly HostRule[];
  readonly #reach: Reach;
  readonly #tell: (denial: Denial) => void;
  readonly #open = new Set<Socket>();
  #calls = 0;
  #bytesLeft: number;
  #looking: Promise<unknown> = Promise.resolve();

  constructor(rules: readonly HostRule[], reach: Reach, tell: (denial: Denial) => void) {
    this.#rules = rules;
    this.#reach = reach;
    this.#tell = tell;
    this.#bytesLeft = reach.bytesMax;
  }

  /** `CONNECT host:port`: bytes both ways, which nobody looks into. */
  async tunnel({ url = "" }: http.IncomingMessage, client: Socket, head: Buffer): Promise<void> {
    this.#opened(client);
    try {
      const place = placeIn(url);
      const upstream = await this.#connected(place, await this.#admitted(place, client), client);
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      this.#join(place, client, upstream);
      // It came with the request, ahead of all that is read from here on.
      this.#bytesLeft -= head.length;
      upstream.write(head);
    } catch (error) {
      const { status, message } = refusalOf(error);
      const body = bodyOf(status, message);
      const length = Buffer.byteLength(body);
      client.end(
        `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
  }

  /** `GET http://host/path` and its like: a request of plain HTTP, made anew. */
  async forward(asked: http.IncomingMessage, answer: http.ServerResponse): Promise<void> {
    try {
      const url = urlIn(asked.url ?? "");
      const place = placeIn(`${url.hostname}:${url.port || 80}`);
      const addresses = await this.#admitted(place, answer);
      const heard = await this.#call(asked, { url, place, addresses, answer });
      answer.writeHead(heard.statusCode ?? 502, passed(heard, NOT_ANSWERED));
      this.#count(place, heard, () => answer.destroy());
      pipeline(heard, answer, () => undefined);
    } catch (error) {
      if (answer.headersSent) return void answer.destroy();
      const { status, message } = refusalOf(error);
      // What is not read of its body would stand before the next request of the connection.
      answer.writeHead(status, { "content-type": "application/json", connection: "close" });
      answer.end(bodyOf(status, message));
    }
  }

  /** Ends what is open: what was asked for a tunnel is none of the server's own connections any more. */
  close(): void {
    for (const side of this.#open) side.destroy();
  }

  #opened(side: Socket): void {
    this.#open.add(side);
    side.on("error", () => side.destroy()).once("close", () => this.#open.delete(side));
  }

  /** Where a place is, once it is known that this job may reach it. Of a place that it may not nobody is asked: a name alone can carry a secret out. */
  async #admitted(place: Place, over: Over): Promise<readonly LookupAddress[]> {
    if (!this.#rules.some((rule) => reaches(rule, place))) throw this.#denied(place, "not_allowed");
    if (this.#bytesLeft < 0) throw this.#denied(place, "bytes");
    if (this.#calls >= CONNECTIONS_MAX) throw new Refusal(503, `No more than ${CONNECTIONS_MAX} connections may be open`);
    this.#calls++;
    const left = new Promise((resolve) => over.once("close", resolve));
    const looking = isAddress(place.host) ? [literal(place)] : this.#lookUp(place, over);
    // Who leaves early still has its place for as long as something is done for it.
    void Promise.allSettled([left, looking]).then(() => this.#calls--);
    const addresses = await looking;
    const open = ({ address }: LookupAddress) => isPublic(address) || (this.#reach.loopback && isLoopback(address));
    if (!addresses.every(open)) throw this.#denied(place, "not_public");
    if (over.destroyed) throw new Refusal(502, NOBODY_WAITS);
    return addresses;
  }

  /** One at a time: names that take long hold up their own job, and take no more than one place among those of all jobs. */
  async #lookUp({ host }: Place, over: Over): Promise<readonly LookupAddress[]> {
    const found = this.#looking.then(() => (over.destroyed ? [] : lookUp(host)));
    this.#looking = found.catch(() => undefined);
    return found.catch((cause: unknown) => {
      throw Object.assign(new Refusal(502, `${host} has no address`), { cause });
    });
  }

  #connected({ host, port }: Place, addresses: readonly LookupAddress[], client: Socket): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const upstream = connect({ host: bare(host), port, lookup: told(addresses), allowHalfOpen: true });
      const late = setTimeout(() => upstream.destroy(new Refusal(504, `${host} does not answer`)), CONNECT_MS);
      client.once("close", () => upstream.destroy(new Refusal(502, NOBODY_WAITS)));
      upstream.once("close", () => clearTimeout(late));
      upstream.on("error", reject).once("connect", () => {
        clearTimeout(late);
        resolve(upstream);
      });
    });
  }

  #join(place: Place, client: Socket, upstream: Socket): void {
    this.#opened(upstream);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const side of [client, upstream]) {
      side.setTimeout(this.#reach.idleMs, end);
      this.#count(place, side, end);
    }
    // What a host has said before its end may still be on its way.
    upstream.once("close", () => client.writableEnded || client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  }

  #call(asked: http.IncomingMessage, { url, place, addresses, answer }: Forwarding): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = http.request({
        host: bare(place.host),
        port: place.port,
        method: asked.method,
        path: `${url.pathname}${url.search}`,
        // Whatever host the job wrote into it: the one that was allowed is called.
        headers: { ...passed(asked, NOT_PASSED), ...framingOf(asked), host: url.host },
        lookup: told(addresses),
        agent: false,
        maxHeaderSize: HEADER_BYTES_MAX,
      });
      call.setTimeout(this.#reach.idleMs, () => call.destroy(new Refusal(504, `${place.host} does not answer`)));
      call.once("response", resolve).on("error", reject);
      // One that ends in another protocol has said no response.
      call.once("close", () => reject(new Refusal(502, "The host gave no answer")));
      answer.once("close", () => call.destroy());
      this.#count(place, asked, () => call.destroy());
      pipeline(asked, call, () => undefined);
    });
  }

  #count(place: Place, side: NodeJS.ReadableStream, end: () => void): void {
    side.on("data", (bytes: Buffer) => {
      this.#bytesLeft -= bytes.length;
      if (this.#bytesLeft >= 0) return;
      this.#denied(place, "bytes");
      end();
    });
  }

  #denied({ host, port }: Place, reason: Denial["reason"]): Refusal {
    this.#tell({ event: "egress_denied", host: host.slice(0, HOST_CHARACTERS), port, reason });
    const why = {
      not_allowed: `${host}:${port} is not among the hosts that this task may reach`,
      not_public: `${host}:${port} leads to an address that is not public`,
      bytes: `This task has moved the ${this.#reach.bytesMax} bytes that it may`,
    }[reason];
    return new Refusal(403, why);
  }
}

/** A request of plain HTTP on its way. */
interface Forwarding {
  readonly url: URL;
  readonly place: Place;
  readonly addresses: readonly LookupAddress[];
  readonly answer: http.ServerResponse;
}

const HOST_CHARACTERS = 253;

function placeIn(target: string): Place {
  const [, name = "", port = ""] = /^(.+):(\d{1,5})$/.exec(target) ?? [];
  const host = hostIn(name);
  if (host === null || Number(port) < 1 || Number(port) > 65_535) throw new Refusal(400, "What is to be reached must be a host and a port");
  return { host, port: Number(port) };
}

function urlIn(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "http:") return url;
  throw new Refusal(400, "Only http:// is called for; what is https takes CONNECT");
}

function literal({ host }: Place): LookupAddress {
  return { address: bare(host), family: isIP(bare(host)) };
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** What was looked up before, said again: nobody is asked a second time. */
function told(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, { all }, done) => {
    const [first] = addresses;
    if (all) done(null, [...addresses]);
    else done(null, first!.address, first!.family);
  };
}

function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(502, "The host cannot be reached");
}

function bodyOf(status: number, message: string): string {
  const type = status < 500 ? "invalid_request_error" : "api_error";
  const code = status === 403 ? "permission_denied" : status < 500 ? "invalid_request" : "upstream_error";
  return JSON.stringify({ error: { message, type, param: null, code } });
}
