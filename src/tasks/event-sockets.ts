import { CLOSED, STALL_MS, WINDOW } from "#socket";
import * as z from "zod";
import { told } from "./events.ts";
import type { TaskLog } from "./log.ts";

/** Sockets of one task that are open at once. */
const PLACES = 16;
const OVER = { code: 1000, reason: "The task has ended" } as const;
/** How long an acknowledgement of the exit is waited for. */
const GOODBYE_MS = 1_000;
const NOT_HEARD = { code: 1008, reason: 'Only {"type":"ack","seq":N} is heard here' } as const;
const [PING, PONG] = ['{"type":"ping"}', '{"type":"pong"}'];
const ack = z.strictObject({ type: z.literal("ack"), seq: z.int().min(0) });

/** What a socket is remembered by while the object sleeps. */
interface Reader {
  readonly v: 1;
  /** The numbers of the last event that was sent, and of the last that its reader has acknowledged. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Since when the window is full; null where it is not. */
  readonly fullSince: number | null;
}

/**
 * A task's events over WebSockets that may sleep. What is sent comes out of the log, so nothing is kept for anybody; what the runtime
 * holds for a reader that stops is bounded by what may be sent and not acknowledged.
 */
export class EventSockets {
  readonly #ctx: DurableObjectState;
  readonly #log: TaskLog;

  constructor(ctx: DurableObjectState, log: TaskLog) {
    this.#ctx = ctx;
    this.#log = log;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /** Takes a reader in that has read up to a number; 429 where all places are taken. */
  accept(after: number): Response {
    if (this.#ctx.getWebSockets().length >= PLACES) return new Response(null, { status: 429 });
    const { 0: theirs, 1: ours } = new WebSocketPair();
    if (this.#isOver(after)) {
      ours.accept();
      ours.close(OVER.code, OVER.reason);
    } else {
      this.#ctx.acceptWebSocket(ours);
      this.#send(ours, { v: 1, sent: after, acknowledged: after, fullSince: null });
    }
    return new Response(null, { status: 101, webSocket: theirs });
  }

  /** Takes what a reader says: up to where it has read, and nothing else. */
  hear(socket: WebSocket, message: string | ArrayBuffer): void {
    const reader = readerOf(socket);
    if (!reader) return;
    const seq = acknowledged(message);
    if (seq === null) return end(socket, NOT_HEARD);
    if (this.#isOver(seq)) return end(socket, OVER);
    this.#send(socket, { ...reader, acknowledged: Math.max(reader.acknowledged, Math.min(seq, reader.sent)) });
  }

  /** Sends everybody what is new. */
  tell(): void {
    for (const socket of this.#ctx.getWebSockets()) this.#goOn(socket);
  }

  #goOn(socket: WebSocket): void {
    const reader = readerOf(socket);
    if (reader) this.#send(socket, reader);
  }

  #send(socket: WebSocket, reader: Reader): void {
    const { sent, full } = this.#fill(socket, reader);
    // Whoever acknowledges the exit closes the connection by an event of its own, which ends it at once everywhere; others are waited for.
    if (this.#isOver(sent)) setTimeout(() => readerOf(socket) && end(socket, OVER), GOODBYE_MS);
    const fullSince = full ? (reader.fullSince ?? Date.now()) : null;
    if (fullSince !== null && Date.now() - fullSince >= STALL_MS) return end(socket, CLOSED.stalled);
    // A timer that is lost with the object loses nothing: the window stays as full as it is, and the next event looks again.
    if (full && reader.fullSince === null) setTimeout(() => this.#goOn(socket), STALL_MS);
    socket.serializeAttachment({ ...reader, sent, fullSince } satisfies Reader);
  }

  #isOver(seq: number): boolean {
    return (this.#log.task()?.end ?? null) !== null && seq >= this.#log.lastSeq();
  }

  /** Sends what the window has room for; what it has none for waits in the log until something is acknowledged. */
  #fill(socket: WebSocket, { sent, acknowledged }: Reader): { readonly sent: number; readonly full: boolean } {
    let unread = this.#log.size(acknowledged, sent);
    for (const event of this.#log.from(sent)) {
      if (unread >= WINDOW) break;
      const text = told(event);
      socket.send(text);
      sent = event.seq;
      unread += text.length;
    }
    return { sent, full: unread >= WINDOW };
  }
}

/** What a socket is remembered by; null where it has been ended. */
function readerOf(socket: WebSocket): Reader | null {
  const reader = socket.deserializeAttachment() as Reader | null;
  return reader?.v === 1 && socket.readyState === WebSocket.OPEN ? reader : null;
}

function end(socket: WebSocket, { code, reason }: { readonly code: number; readonly reason: string }): void {
  socket.serializeAttachment(null);
  socket.close(code, reason);
}

function acknowledged(message: string | ArrayBuffer): number | null {
  if (typeof message !== "string") return null;
  try {
    return ack.safeParse(JSON.parse(message)).data?.seq ?? null;
  } catch {
    return null;
  }
}
