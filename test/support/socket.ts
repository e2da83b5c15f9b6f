/** A client of `/v1/ws`: Node's own WebSocket, and what came over it. */

/** A message of the gateway. */
export interface Said {
  readonly type: "session" | "response" | "event" | "end" | "error" | "pong";
  readonly id?: string | null;
  readonly seq?: number;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly event?: string | null;
  readonly data?: unknown;
  readonly outcome?: string;
  readonly error?: { readonly message: string; readonly code: string; readonly param: string | null; readonly details?: unknown };
  readonly session?: string;
  readonly resumed?: boolean;
}

interface Socket {
  send(text: string | Uint8Array): void;
  close(code?: number): void;
  readonly protocol: string;
  addEventListener(name: string, listener: (event: { data: unknown; code: number; reason: string; wasClean: boolean }) => void): void;
}

const NodeSocket = WebSocket as unknown as new (
  url: string,
  given?: { readonly protocols?: string[]; readonly headers?: Record<string, string> },
) => Socket;

const WAIT_MS = 10_000;
const LOOK_MS = 20;

/** One connection. */
export class SocketClient {
  readonly said: Said[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  readonly #socket: Socket;
  #seq = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: Socket, opened: { resolve: () => void; reject: (error: Error) => void }) {
    this.#socket = socket;
    socket.addEventListener("open", () => opened.resolve());
    socket.addEventListener("message", ({ data }) => {
      const said = JSON.parse(String(data)) as Said;
      this.said.push(said);
      if (said.type !== "session") this.#seq = said.seq ?? this.#seq;
      this.#change();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
      opened.reject(new Error(`closed with ${code} before it was open`));
      this.#change();
    });
    socket.addEventListener("error", () => undefined);
  }

  /** Connects; rejects where the upgrade is refused. */
  static async open(
    origin: string,
    { key, query = "", protocols, headers = {} }: { key?: string; query?: string; protocols?: string[]; headers?: Record<string, string> },
  ): Promise<SocketClient> {
    const opened = Promise.withResolvers<void>();
    const all = { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers };
    const url = `${origin.replace("http", "ws")}/v1/ws${query}`;
    const client = new SocketClient(new NodeSocket(url, { headers: all, ...(protocols && { protocols }) }), opened);
    await opened.promise;
    return client;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** The greeting. */
  async session(): Promise<Said> {
    return this.next(({ type }) => type === "session");
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  ask(id: string, path: string, body: unknown, headers?: Record<string, string>): void {
    this.send({ id, path, body, ...(headers && { headers }) });
  }

  /** The first message that fits, once it is there. */
  async next(fits: (said: Said) => boolean): Promise<Said> {
    await this.until(() => this.said.some(fits));
    return this.said.find(fits)!;
  }

  /** Everything that was said of a request, once it has ended. */
  async all(id: string): Promise<Said[]> {
    await this.next((said) => said.type === "end" && said.id === id);
    return this.said.filter((said) => said.id === id);
  }

  /** The number that came last. */
  get seq(): number {
    return this.#seq;
  }

  ack(seq = this.seq): void {
    this.send({ type: "ack", seq });
  }

  close(code?: number): void {
    this.#socket.close(code);
  }

  /** Waits for something to hold, here or elsewhere; throws with what was said last where it does not. */
  async until(holds: () => boolean, ms = WAIT_MS): Promise<void> {
    const by = Date.now() + ms;
    while (!holds()) {
      if (Date.now() >= by) throw new Error(`it did not come about; ${JSON.stringify({ closed: this.closed, last: this.said.slice(-3) })}`);
      await Promise.race([this.#changed.promise, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
