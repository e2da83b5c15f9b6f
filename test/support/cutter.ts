import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** The first byte of a frame that closes. */
const CLOSE = 0x88;

/** Stands between a client and the gateway, on loopback, and does what networks do: breaks connections, and stops passing bytes on. */
export class Cutter {
  /** The codes that the gateway closed sockets with: its last frame on each, RFC 6455, 5.5.1. */
  readonly closes: number[] = [];
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const gateway = connect(target, "127.0.0.1");
      const pair = [client, gateway] as const;
      this.#pairs.add(pair);
      for (const each of pair) {
        each.on("error", () => undefined);
        each.on("close", () => {
          for (const one of pair) one.destroy();
          this.#pairs.delete(pair);
        });
      }
      client.pipe(gateway);
      gateway.on("data", (bytes) => {
        if (bytes[0] === CLOSE && bytes.length >= 4) this.closes.push(bytes.readUInt16BE(2));
      });
      gateway.pipe(client);
    });
  }

  /** Starts one before a gateway. */
  static async before(origin: string): Promise<Cutter> {
    const cutter = new Cutter(Number(new URL(origin).port));
    await new Promise<void>((resolve) => cutter.#server.listen(0, "127.0.0.1", resolve));
    return cutter;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection, without a goodbye. */
  cut(): void {
    for (const [client, gateway] of this.#pairs) {
      client.resetAndDestroy();
      gateway.resetAndDestroy();
    }
  }

  /** Takes nothing more from the gateway. */
  stop(): void {
    for (const [, gateway] of this.#pairs) gateway.pause();
  }

  async end(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
