import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a receiver was sent. */
export interface Received {
  readonly id: string;
  readonly path: string;
  readonly body: string;
  readonly signature: string;
  readonly at: number;
}

/** Somebody who is called back, on loopback. */
export class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;

  private constructor(answer: (nth: number, path: string) => { readonly status: number; readonly location?: string }) {
    this.#server = createServer(async (request: IncomingMessage, response) => {
      const body = Buffer.concat(await request.toArray()).toString("utf8");
      const { url: path = "/", headers } = request;
      this.received.push({
        id: String(headers["x-tollgate-event-id"]),
        path,
        body,
        signature: String(headers["x-tollgate-signature"]),
        at: Date.now(),
      });
      const { status, location } = answer(this.received.length, path);
      response.writeHead(status, location === undefined ? {} : { location }).end();
    });
  }

  /** Starts one that answers as it is told, by how often it was called. */
  static async start(answer: (nth: number, path: string) => { readonly status: number; readonly location?: string }): Promise<Receiver> {
    const receiver = new Receiver(answer);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Whether what came was signed with a secret. */
export function isSigned(secret: string, { signature, body }: Received): boolean {
  const [, time, theirs] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  if (time === undefined || theirs === undefined) return false;
  return timingSafeEqual(createHmac("sha256", secret).update(`${time}.${body}`).digest(), Buffer.from(theirs, "hex"));
}
