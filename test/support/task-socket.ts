import type { EventTold } from "./tasks.ts";

interface Socket {
  send(text: string): void;
  close(code?: number): void;
  readonly protocol: string;
  addEventListener(name: string, listener: (event: { data: unknown; code: number; reason: string }) => void): void;
}

const NodeSocket = WebSocket as unknown as new (
  url: string,
  given: { readonly protocols?: string[]; readonly headers?: Record<string, string> },
) => Socket;

/** How a client asks for a task's events. */
interface Asking {
  readonly key?: string;
  readonly after?: number;
  readonly protocols?: string[];
  readonly headers?: Record<string, string>;
  /** Whether it says what it has read. */
  readonly acknowledges?: boolean;
}

const WAIT_MS = 20_000;

/** A client of a task's events over Node's own WebSocket. */
export class TaskSocket {
  readonly events: EventTold[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects; rejects where the upgrade is refused. */
  static async open(origin: string, task: string, asking: Asking): Promise<TaskSocket> {
    const { key, after = 0, protocols, headers = {}, acknowledges = true } = asking;
    const all = { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers };
    const socket = new NodeSocket(`${origin.replace("http", "ws")}/v1/task/${task}/events?after=${after}`, {
      headers: all,
      ...(protocols && { protocols }),
    });
    const client = new TaskSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => undefined);
      socket.addEventListener("message", ({ data }) => {
        const event = JSON.parse(String(data)) as EventTold;
        client.events.push(event);
        if (acknowledges) client.send({ type: "ack", seq: event.seq });
      });
      socket.addEventListener("close", ({ code, reason }) => {
        client.closed = { code, reason };
        reject(new Error(`closed with ${code} before it was open`));
      });
    });
    return client;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  send(message: unknown): void {
    if (this.closed === null) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#socket.close();
  }

  async until(holds: () => boolean): Promise<void> {
    for (const until = Date.now() + WAIT_MS; !holds();) {
      if (Date.now() > until)
        throw new Error(`it did not come about; closed: ${JSON.stringify(this.closed)}, ${this.events.length} events`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
