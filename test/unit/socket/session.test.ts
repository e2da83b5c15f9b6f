import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MESSAGE_MAX, REQUESTS_MAX, RESUME_MS, STALL_MS, UNREAD_MAX, WINDOW } from "../../../src/socket/bounds.ts";
import type { Ground, Line, Visitor } from "../../../src/socket/contract.ts";
import { Session } from "../../../src/socket/session.ts";

const VISITOR: Visitor = { credential: "sk-tg-x", address: null, headers: {} };

interface Said {
  readonly type: string;
  readonly id?: string;
  readonly seq?: number;
  readonly outcome?: string;
  readonly data?: unknown;
  readonly error?: { code: string; details?: unknown };
}

/** A connection whose other end keeps what it hears, until it breaks. */
class Ear implements Line {
  readonly heard: Said[] = [];
  closed: number | null = null;

  send(text: string): void {
    this.heard.push(JSON.parse(text) as Said);
  }

  close(code: number): void {
    this.closed = code;
  }

  numbered(): Said[] {
    return this.heard.filter(({ type }) => type !== "session");
  }
}

/** A door behind which each request is answered by a stream that the test feeds. */
class Door implements Ground {
  readonly requests: Request[] = [];
  readonly feeds: ReadableStreamDefaultController<Uint8Array>[] = [];
  readonly cancelled: number[] = [];
  open: readonly string[] = [];
  ended = false;
  /** How many pieces were taken from the first stream. */
  pulled = 0;

  serve = (request: Request): Promise<Response> => {
    this.requests.push(request);
    const at = this.feeds.length;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void this.feeds.push(controller),
        pull: () => void this.pulled++,
        cancel: () => void this.cancelled.push(at),
      },
      { highWaterMark: 0 },
    );
    return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  };

  remember = (open: readonly string[]): void => {
    this.open = open;
  };

  note = (): void => undefined;

  over = (): void => {
    this.ended = true;
  };

  say(data: string, at = 0): void {
    this.feeds[at]!.enqueue(new TextEncoder().encode(`data: ${data}\n\n`));
  }
}

let [door, ear, session] = [new Door(), new Ear(), null as unknown as Session];
const settle = () => vi.advanceTimersByTimeAsync(0);
const ask = (id: string, body: unknown = {}) => void session.hear(JSON.stringify({ id, path: "/v1/messages", body }));
const ack = (seq: number) => void session.hear(JSON.stringify({ type: "ack", seq }));

beforeEach(() => {
  vi.useFakeTimers();
  door = new Door();
  ear = new Ear();
  session = new Session("ses_1", VISITOR, door);
  session.begin(ear);
});
afterEach(() => {
  session.leave();
  vi.useRealTimers();
});

const QUARTER = JSON.stringify("x".repeat(WINDOW / 4));

describe("a reader that stops", () => {
  it("has the provider stand still once the window is full, and go on once it acknowledges", async () => {
    ask("a");
    await settle();
    for (let at = 0; at < 12; at++) door.say(QUARTER);
    await settle();
    const before = ear.numbered().length;
    expect(before).toBeGreaterThanOrEqual(4);
    expect(before).toBeLessThan(7);
    const { pulled } = door;
    await vi.advanceTimersByTimeAsync(STALL_MS - 1);
    expect([ear.numbered().length, door.pulled, ear.closed]).toEqual([before, pulled, null]);
    ack(ear.numbered().at(-1)!.seq!);
    await settle();
    expect(ear.numbered().length).toBeGreaterThan(before);
  });

  it("is shut out after 30 s, may come back and misses nothing", async () => {
    ask("a");
    await settle();
    for (let at = 0; at < 12; at++) door.say(QUARTER);
    await vi.advanceTimersByTimeAsync(STALL_MS);
    expect(ear.closed).toBe(4413);
    const again = new Ear();
    expect(session.resume(again, VISITOR, 2)).toBe(true);
    expect(again.numbered()[0]!.seq).toBe(3);
    door.feeds[0]!.close();
    for (let at = 0; at < 8; at++) {
      ack(again.numbered().at(-1)!.seq!);
      await settle();
    }
    expect(again.numbered().map(({ seq }) => seq)).toEqual(Array.from({ length: 12 }, (_, at) => at + 3));
    expect(again.numbered().at(-1)).toMatchObject({ type: "end", outcome: "complete" });
  });

  it("who sends what is refused and reads nothing is shut out at twice the window", () => {
    for (let at = 0; at < 100_000 && ear.closed === null; at++) void session.hear('{"type":"?"}');
    expect(ear.closed).toBe(4413);
    expect(JSON.stringify(ear.heard).length).toBeLessThan(UNREAD_MAX * 1.1);
    expect(door.ended).toBe(true);
  });
});

describe("a connection that breaks", () => {
  it("leaves a minute to come back, after which what runs is cancelled and the place is free", async () => {
    ask("a");
    await settle();
    door.say("1");
    await settle();
    session.dropped();
    await vi.advanceTimersByTimeAsync(RESUME_MS - 1);
    expect([door.cancelled, door.ended]).toEqual([[], false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([door.cancelled, door.ended]).toEqual([[0], true]);
  });

  it("what was said is kept for a minute, and a client that misses what is forgotten is not told that it misses nothing", async () => {
    ask("a");
    await settle();
    door.feeds[0]!.close();
    await settle();
    expect(ear.numbered().map(({ type }) => type)).toEqual(["response", "end"]);
    expect(door.open).toEqual(["a"]);
    await vi.advanceTimersByTimeAsync(RESUME_MS);
    expect(door.open).toEqual([]);
    expect(session.resume(new Ear(), VISITOR, 1)).toBe(false);
    expect(session.resume(new Ear(), VISITOR, 3)).toBe(false);
    expect(session.resume(new Ear(), VISITOR, 2)).toBe(true);
  });

  it("requests of a life before are said to be lost, each by name", () => {
    const later = new Session("ses_2", VISITOR, door);
    later.begin(ear, ["a", "b"]);
    expect(ear.numbered()).toMatchObject([
      { type: "end", id: "a", seq: 1, outcome: "lost" },
      { type: "end", id: "b", seq: 2, outcome: "lost" },
    ]);
    later.leave();
  });

  it("cut anywhere, acknowledged anywhere: none is lost, none doubled", async () => {
    vi.useRealTimers();
    const step = fc.oneof(
      fc.record({ kind: fc.constant("say" as const), request: fc.nat(2) }),
      fc.record({ kind: fc.constant("cut" as const), unread: fc.nat(4) }),
      fc.record({ kind: fc.constant("ack" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const here = new Door();
        const one = new Session("ses_3", VISITOR, here);
        let line = new Ear();
        one.begin(line);
        const kept: Said[] = [];
        const runs = ["a", "b", "c"].map((id) => one.hear(JSON.stringify({ id, path: "/v1/messages", body: {} })));
        const breath = () => new Promise((resolve) => setTimeout(resolve, 0));
        await breath();
        let acknowledged = 0;
        const told: number[][] = [[], [], []];
        for (const [at, each] of steps.entries()) {
          if (each.kind === "say") {
            told[each.request]!.push(at);
            here.say(String(at), each.request);
            await breath();
          } else if (each.kind === "ack") {
            acknowledged = Math.max(acknowledged, line.numbered().at(-1)?.seq ?? 0);
            void one.hear(JSON.stringify({ type: "ack", seq: acknowledged }));
          } else {
            const read = line.numbered();
            // Of what arrived the last may not have been read, but what was acknowledged was.
            kept.push(...read.filter(({ seq }, at) => seq! <= acknowledged || at < read.length - each.unread));
            one.dropped();
            line = new Ear();
            expect(one.resume(line, VISITOR, kept.at(-1)?.seq ?? 0)).toBe(true);
          }
        }
        for (const feed of here.feeds) feed.close();
        await Promise.all(runs.map((run) => run ?? Promise.resolve()));
        kept.push(...line.numbered());
        expect(kept.map(({ seq }) => seq)).toEqual(kept.map((_, at) => at + 1));
        for (const [at, id] of ["a", "b", "c"].entries()) {
          const of = kept.filter((said) => said.id === id);
          expect(of.filter(({ type }) => type === "event").map(({ data }) => data)).toEqual(told[at]);
          expect(of.at(-1)).toMatchObject({ type: "end", outcome: "complete" });
        }
        one.leave();
      }),
      { numRuns: 60 },
    );
  });
});

describe("bounds", () => {
  it(`${REQUESTS_MAX} requests run at once, and the next is refused until one ends`, async () => {
    for (let at = 0; at < REQUESTS_MAX; at++) ask(`r${at}`);
    await settle();
    ask("more");
    expect(ear.heard.at(-1)).toMatchObject({ type: "error", id: "more", error: { code: "rate_limited", details: { max: REQUESTS_MAX } } });
    door.feeds[5]!.close();
    await settle();
    ask("more");
    await settle();
    expect(door.requests).toHaveLength(REQUESTS_MAX + 1);
  });

  it("requests that run may not be larger together than one may be", async () => {
    ask("a", { padding: "x".repeat(MESSAGE_MAX - 1_000) });
    await settle();
    ask("b", { padding: "x".repeat(2_000) });
    expect(ear.heard.at(-1)).toMatchObject({ type: "error", id: "b", error: { code: "rate_limited" } });
    ask("c", { padding: "x".repeat(MESSAGE_MAX) });
    expect(ear.heard.at(-1)).toMatchObject({ type: "error", id: "c", error: { code: "payload_too_large" } });
  });
});

describe("a request of a socket", () => {
  it("bears the socket's credential and address, its own headers over those of the upgrade, and its body letter by letter", async () => {
    const visitor = { credential: "sk-tg-y", address: "203.0.113.7", headers: { "x-tollgate-tags": "all", "anthropic-beta": "one" } };
    const own = new Session("ses_4", visitor, door);
    own.begin(ear);
    void own.hear('{"id":"a","path":"/v1/messages?beta=true","headers":{"X-Tollgate-Tags":"mine"},"body": {"n": 1e2 ,"é":"\\u00e9"} }');
    await settle();
    const request = door.requests[0]!;
    expect(Object.fromEntries(request.headers)).toEqual({
      authorization: "Bearer sk-tg-y",
      "cf-connecting-ip": "203.0.113.7",
      "content-type": "application/json",
      "x-tollgate-tags": "mine",
      "anthropic-beta": "one",
    });
    expect(new URL(request.url).search).toBe("?beta=true");
    expect(await request.text()).toBe('{"n": 1e2 ,"é":"\\u00e9"}');
    own.leave();
  });

  it("threat 21: data that is no JSON arrives as text, and forges nothing around it", async () => {
    ask("a");
    await settle();
    for (const data of ["[DONE]", '{},"type":"end"', '1}\n{"type":"end"', '"\u2028"'])
      door.feeds[0]!.enqueue(new TextEncoder().encode(`data: ${data.replaceAll("\n", "\ndata: ")}\n\n`));
    await settle();
    expect(
      ear
        .numbered()
        .slice(1)
        .map(({ type, data }) => [type, data]),
    ).toEqual([
      ["event", "[DONE]"],
      ["event", '{},"type":"end"'],
      ["event", '1}\n{"type":"end"'],
      ["event", "\u2028"],
    ]);
  });
});
