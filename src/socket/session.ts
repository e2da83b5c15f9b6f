import { asTollgateError, TollgateError } from "#core";
import { CLOSED, type Closed, MESSAGE_MAX, REQUESTS_MAX, RESUME_MS, STALL_MS, UNREAD_MAX } from "./bounds.ts";
import type { Ground, Line, Visitor } from "./contract.ts";
import { type Ask, idOf, readMessage } from "./message.ts";
import { endMessage, errorMessage, eventMessage, type Outcome, responseMessage, sessionMessage } from "./say.ts";
import { hearAnswer } from "./hear-answer.ts";
import { Unread } from "./unread.ts";

/** A request that runs. */
interface Running {
  /** Characters of its message. */
  readonly size: number;
  readonly stop: AbortController;
}

/**
 * What a key does over one WebSocket, and over those that take its place after a drop: requests side by side, their answers in numbered
 * messages. Reading stands still while too much is not acknowledged, so its memory is bounded whatever its client does.
 */
export class Session {
  readonly id: string;
  readonly #ground: Ground;
  readonly #running = new Map<string, Running>();
  /** Requests whose end is not acknowledged, and the number of that end; null while they run. */
  readonly #open = new Map<string, number | null>();
  #visitor: Visitor;
  readonly #unread: Unread;
  #line: Line | null = null;
  #over = false;
  #heardAt: number;
  /** Resolves when there may be room again. */
  #room = Promise.withResolvers<void>();
  #stalling: ReturnType<typeof setTimeout> | null = null;
  #fading: ReturnType<typeof setTimeout> | null = null;
  /** Milliseconds UTC: when what nobody needs is let go. */
  #fadesAt = 0;

  constructor(id: string, visitor: Visitor, ground: Ground, slept = { seq: 0, heardAt: Date.now() }) {
    this.id = id;
    this.#visitor = visitor;
    this.#ground = ground;
    this.#unread = new Unread(slept.seq);
    this.#heardAt = slept.heardAt;
  }

  get visitor(): Visitor {
    return this.#visitor;
  }

  /** The number said last. */
  get seq(): number {
    return this.#unread.seq;
  }

  /** Milliseconds UTC: when a message came last. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Whether a request runs. */
  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** Begins to speak over a connection. `lost` are requests of a life before this one. */
  begin(line: Line, lost: readonly string[] = []): void {
    this.#take(line);
    this.#greet(false);
    for (const id of lost) this.#end(id, "lost");
    if (lost.length > 0) this.#remember();
  }

  /** Goes on over another connection, from the number that its client has read up to; false where what it misses is forgotten. */
  resume(line: Line, visitor: Visitor, after: number): boolean {
    const missed = this.#unread.after(after);
    if (missed === null) return false;
    this.#line?.close(CLOSED.replaced.code, CLOSED.replaced.reason);
    this.#visitor = visitor;
    this.#take(line);
    this.#acknowledged(after);
    this.#greet(true);
    for (const text of missed) line.send(text);
    return true;
  }

  /** Takes a socket that slept up again: nothing was open. */
  wake(line: Line): void {
    this.#line = line;
  }

  /** Whether this connection is the one that the session speaks over. */
  speaksOver(line: Line): boolean {
    return this.#line === line;
  }

  /** The connection broke: another may take its place for a while. */
  dropped(): void {
    this.#line = null;
    this.#fade();
  }

  /** Ends it: what runs is cancelled, and nothing can be resumed. */
  leave(closed: Closed | null = null): void {
    if (this.#over) return;
    this.#over = true;
    for (const { stop } of this.#running.values()) stop.abort();
    this.#stay();
    this.#wake();
    if (closed) this.#line?.close(closed.code, closed.reason);
    this.#line = null;
    this.#ground.over();
  }

  /** Takes one message of the client. A request runs on beside; what is returned ends when it has. */
  hear(text: string): Promise<void> | null {
    this.#heardAt = Date.now();
    try {
      if (text.length > MESSAGE_MAX)
        throw new TollgateError("payload_too_large", `The message is larger than the ${MESSAGE_MAX} characters that a socket takes`);
      const message = readMessage(text);
      switch (message.type) {
        case "ping":
          this.#line?.send('{"type":"pong"}');
          return null;
        case "ack":
          this.#checkSeq(message.seq);
          this.#acknowledged(message.seq);
          return null;
        case "cancel":
          this.#cancel(message.id);
          return null;
        case "request":
          return this.#ask(message, text.length);
      }
    } catch (thrown) {
      const error = asTollgateError(thrown);
      if (error.code === "internal") report(thrown);
      this.refuse(idOf(text), error);
      return null;
    }
  }

  /** Says of a message that it began nothing, and why. */
  refuse(id: string | null, error: TollgateError): void {
    this.#say((seq) => errorMessage(seq, id, error));
    this.#ground.note();
  }

  /** Asks whether its key is still let in; where it is not, the session ends. */
  async check(): Promise<void> {
    const answer = await this.#ground.serve(this.#request({ path: "/v1/key", headers: {}, body: null }));
    await answer.body?.cancel();
    if (answer.status === 401) this.leave(CLOSED.refused);
  }

  #take(line: Line): void {
    this.#line = line;
    this.#heardAt = Date.now();
    this.#fade();
  }

  #greet(resumed: boolean): void {
    this.#line?.send(sessionMessage(this.id, { resumed, seq: this.seq }));
  }

  #ask(ask: Ask, size: number): Promise<void> {
    if (this.#open.has(ask.id))
      throw new TollgateError("invalid_request", "id is that of a request whose end is not acknowledged yet", { param: "id" });
    const inHand = [...this.#running.values()].reduce((sum, each) => sum + each.size, 0);
    if (this.#running.size >= REQUESTS_MAX) throw crowded(`At most ${REQUESTS_MAX} requests of a socket run at once`, this.#running.size);
    if (inHand + size > MESSAGE_MAX) throw crowded("The requests that run are too large for another one beside them", this.#running.size);
    const running = { size, stop: new AbortController() };
    this.#running.set(ask.id, running);
    this.#open.set(ask.id, null);
    this.#remember();
    return this.#run(ask, running.stop.signal);
  }

  async #run(ask: Ask, signal: AbortSignal): Promise<void> {
    let outcome: Outcome = "complete";
    let refused = false;
    try {
      const response = await this.#ground.serve(this.#request(ask, signal));
      refused = response.status === 401 && !response.headers.has("x-tollgate-provider");
      await hearAnswer(response, signal, {
        begins: (body) => this.#tell((seq) => responseMessage(seq, ask.id, response, body), signal),
        event: (event) => this.#tell((seq) => eventMessage(seq, ask.id, event), signal),
      });
    } catch (thrown) {
      outcome = "lost";
      if (!signal.aborted) report(thrown);
    }
    this.#running.delete(ask.id);
    this.#end(ask.id, signal.aborted ? "cancelled" : outcome);
    if (refused) this.leave(CLOSED.refused);
  }

  #request(
    { path, headers, body }: { path: string; headers: Readonly<Record<string, string>>; body: string | null },
    signal?: AbortSignal,
  ): Request {
    const { credential, address, headers: standing } = this.#visitor;
    const all = new Headers({ ...standing, ...headers, authorization: `Bearer ${credential}` });
    if (address !== null) all.set("cf-connecting-ip", address);
    if (body !== null) all.set("content-type", "application/json");
    return new Request(`https://socket.internal${path}`, {
      method: body === null ? "GET" : "POST",
      headers: all,
      body,
      ...(signal && { signal }),
    });
  }

  #cancel(id: string): void {
    const running = this.#running.get(id);
    if (!running && !this.#open.has(id)) throw new TollgateError("not_found", "No request of this id is open", { param: "id" });
    running?.stop.abort();
    this.#wake();
  }

  /** Says something as soon as there is room for it. */
  async #tell(write: (seq: number) => string, signal: AbortSignal): Promise<void> {
    while (this.#unread.full && !this.#over && !signal.aborted) {
      this.#stalling ??= setTimeout(() => this.#stalled(), STALL_MS);
      await this.#room.promise;
    }
    signal.throwIfAborted();
    this.#say(write);
  }

  #say(write: (seq: number) => string): void {
    if (this.#over) return;
    const text = this.#unread.add(write);
    this.#line?.send(text);
    if (this.#unread.size > UNREAD_MAX) this.leave(CLOSED.stalled);
    else this.#fade();
  }

  #end(id: string, outcome: Outcome): void {
    this.#say((seq) => endMessage(seq, id, outcome));
    if (this.#over) return;
    this.#open.set(id, this.seq);
  }

  #checkSeq(seq: number): void {
    if (seq > this.seq)
      throw new TollgateError("invalid_request", `seq must not be above ${this.seq}, which was said last`, { param: "seq" });
  }

  #acknowledged(seq: number): void {
    this.#unread.acknowledge(seq);
    if (!this.#unread.full) this.#wake();
    const before = this.#open.size;
    for (const [id, end] of this.#open) if (end !== null && end <= seq) this.#open.delete(id);
    if (this.#open.size < before) this.#remember();
    if (this.#unread.size === 0) this.#ground.note();
    this.#fade();
  }

  #wake(): void {
    clearTimeout(this.#stalling ?? undefined);
    this.#stalling = null;
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }

  /** The reader stood still for too long; it may come back and go on. */
  #stalled(): void {
    this.#stalling = null;
    this.#line?.close(CLOSED.stalled.code, CLOSED.stalled.reason);
    this.dropped();
  }

  /**
   * Puts off what happens when nothing does: what was said is forgotten, and a session without its connection ends. Where neither is to
   * be, no timer keeps its object from sleeping.
   */
  #fade(): void {
    this.#fadesAt = Date.now() + RESUME_MS;
    if (!this.#over && (this.#line === null || this.#unread.size > 0)) this.#fading ??= setTimeout(() => this.#faded(), RESUME_MS);
    else this.#stay();
  }

  #stay(): void {
    clearTimeout(this.#fading ?? undefined);
    this.#fading = null;
  }

  #faded(): void {
    const leftMs = this.#fadesAt - Date.now();
    this.#fading = leftMs > 0 ? setTimeout(() => this.#faded(), leftMs) : null;
    if (leftMs > 0) return;
    if (!this.#line) this.leave();
    else if (!this.busy) this.#acknowledged(this.seq);
  }

  #remember(): void {
    this.#ground.remember([...this.#open.keys()]);
  }
}

function crowded(message: string, used: number): TollgateError {
  return new TollgateError("rate_limited", message, {
    retryAfterMs: 1_000,
    details: { limit: "concurrency", scope: { kind: "socket" }, max: REQUESTS_MAX, used },
  });
}

/** What broke an answer off has nobody to tell but the log. */
function report(thrown: unknown): void {
  const reason = thrown instanceof Error ? thrown.message : "non-error thrown";
  // oxlint-disable-next-line no-console -- the platform's log sink; messages of our own and of the runtime, never of a client.
  console.error(JSON.stringify({ level: "error", code: "socket", reason }));
}
