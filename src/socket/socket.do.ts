import { DurableObject } from "cloudflare:workers";
import { TollgateError } from "#core";
import { CLOSED, IDLE_MS } from "./bounds.ts";
import { type Ground, HERE, UPGRADE, type Upgrade, upgrade, type Visitor } from "./contract.ts";
import { Session } from "./session.ts";

/** What a socket that sleeps is remembered by. In the runtime's memory, never on disk: it holds the key's text. */
interface Slept {
  readonly v: 1;
  readonly session: string;
  readonly visitor: Visitor;
  readonly seq: number;
  readonly heardAt: number;
}

/** What storage knows of a session: which of its requests are open, and nothing else. */
interface Kept {
  readonly v: 1;
  readonly session: string;
  readonly open: readonly string[];
}

const KEPT = "kept";
/** WebSocket's own code for a normal end. */
const DONE = 1000;
const [PING, PONG] = ['{"type":"ping"}', '{"type":"pong"}'];

/**
 * One place of a key: at most one session at a time, and the socket it speaks over. Sleeps while nothing is said; while something runs
 * or may have to be said again a timer keeps it in memory. A restart loses what ran, and says so to whoever comes back.
 */
export class SocketObject extends DurableObject<object> {
  #session: Session | null = null;

  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    for (const socket of ctx.getWebSockets()) this.#wake(socket);
  }

  /** Takes a socket in: for a session that is here, or for a new one where the place is free. */
  override async fetch(request: Request): Promise<Response> {
    const arrived = upgrade.parse(JSON.parse(decodeURIComponent(request.headers.get(UPGRADE) ?? "")));
    const { resume } = arrived;
    if (resume && !this.#knows(resume.session)) return new Response(null, { status: HERE.unknown });
    if (!resume && this.#session) return new Response(null, { status: HERE.taken });
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#forget();
    this.ctx.acceptWebSocket(ours);
    const goesOn = resume !== null && (this.#session?.resume(ours, arrived.visitor, resume.after) ?? false);
    if (!goesOn) this.#begin(ours, arrived);
    this.#attach(ours, arrived.visitor);
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + IDLE_MS);
    return new Response(null, { status: 101, webSocket: theirs });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const session = this.#session;
    if (!session?.speaksOver(socket)) return;
    if (typeof message !== "string") return session.refuse(null, new TollgateError("invalid_request", "A message must be text, not bytes"));
    const running = session.hear(message);
    if (running) this.ctx.waitUntil(running);
  }

  /** A closing handshake says that the client is done; a connection that breaks without one may be resumed. */
  override webSocketClose(socket: WebSocket, _code: number, _reason: string, clean: boolean): void {
    socket.close(DONE);
    if (!this.#session?.speaksOver(socket)) return;
    if (clean) this.#session.leave();
    else this.#session.dropped();
  }

  override webSocketError(socket: WebSocket): void {
    if (this.#session?.speaksOver(socket)) this.#session.dropped();
  }

  /** Looks after a place that is at rest: ends what is idle or whose key is gone, and leaves nothing behind in storage. */
  override async alarm(): Promise<void> {
    const session = this.#session;
    if (!session) {
      await this.ctx.storage.deleteAll();
      return;
    }
    const pinged = this.ctx.getWebSockets().map((each) => this.ctx.getWebSocketAutoResponseTimestamp(each)?.getTime() ?? 0);
    const silentMs = Date.now() - Math.max(session.heardAt, ...pinged);
    await this.ctx.storage.setAlarm(Date.now() + IDLE_MS);
    if (!session.busy && silentMs >= IDLE_MS) session.leave(CLOSED.idle);
    else await session.check();
  }

  #knows(session: string): boolean {
    return this.#session?.id === session || this.#kept()?.session === session;
  }

  #kept(): Kept | null {
    const kept = this.ctx.storage.kv.get<Kept>(KEPT);
    return kept?.v === 1 ? kept : null;
  }

  #begin(socket: WebSocket, { session: id, visitor, resume }: Upgrade): void {
    const lost = resume ? (this.#kept()?.open ?? []) : [];
    this.#session?.leave(CLOSED.replaced);
    this.#session = new Session(id, visitor, this.#ground(id));
    this.#session.begin(socket, lost);
  }

  #ground(session: string): Ground {
    return {
      serve: (request) => this.ctx.exports.SocketDoor.fetch(request),
      remember: (open) => {
        if (open.length === 0) this.ctx.storage.kv.delete(KEPT);
        else this.ctx.storage.kv.put<Kept>(KEPT, { v: 1, session, open });
      },
      note: () => {
        for (const socket of this.ctx.getWebSockets()) if (this.#session?.speaksOver(socket)) this.#attach(socket, this.#session.visitor);
      },
      over: () => {
        this.#session = null;
        this.#forget();
        this.ctx.storage.kv.delete(KEPT);
      },
    };
  }

  /** What sockets there are speak for no session any more: one that its client is slow to close must not bring it back. */
  #forget(): void {
    for (const socket of this.ctx.getWebSockets()) socket.serializeAttachment(null);
  }

  #attach(socket: WebSocket, visitor: Visitor): void {
    const session = this.#session;
    if (!session) return;
    socket.serializeAttachment({ v: 1, session: session.id, visitor, seq: session.seq, heardAt: session.heardAt } satisfies Slept);
  }

  /** Takes a socket up that slept. One that was not at rest has lost what it was to say: its client comes again, and is told. */
  #wake(socket: WebSocket): void {
    const slept = socket.deserializeAttachment() as Slept | null;
    if (slept?.v !== 1 || this.#kept()) return socket.close(CLOSED.restarted.code, CLOSED.restarted.reason);
    this.#session = new Session(slept.session, slept.visitor, this.#ground(slept.session), slept);
    this.#session.wake(socket);
  }
}
