import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { SocketObject } from "../../src/index.ts";
import { admin, ask, newKey } from "../support/front.ts";
import type { Said } from "../support/socket.ts";

/** A connection in the runtime itself. */
class Client {
  readonly said: Said[] = [];
  closed: number | null = null;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => void this.said.push(JSON.parse(data as string) as Said));
    socket.addEventListener("close", ({ code }) => {
      this.closed = code;
    });
    socket.accept();
  }

  static async open(secret: string, query = ""): Promise<Client> {
    const answer = await ask("GET", `/v1/ws${query}`, { as: secret, headers: { upgrade: "websocket" } });
    expect(answer.status).toBe(101);
    return new Client(answer.webSocket!);
  }

  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  async next(fits: (said: Said) => boolean): Promise<Said> {
    return vi.waitFor(() => {
      const found = this.said.find(fits);
      if (!found) throw new Error(`not said yet: ${JSON.stringify(this.said.slice(-3))}`);
      return found;
    }, 5_000);
  }

  async session(): Promise<string> {
    return (await this.next(({ type }) => type === "session")).session!;
  }

  async all(id: string): Promise<Said[]> {
    await this.next((said) => said.type === "end" && said.id === id);
    return this.said.filter((said) => said.id === id);
  }

  async over(): Promise<number> {
    return vi.waitFor(() => {
      if (this.closed === null) throw new Error("not closed yet");
      return this.closed;
    }, 5_000);
  }

  close(): void {
    this.#socket.close(1000);
  }
}

/** The object that holds a session of a key. */
function holder(key: string, session: string): DurableObjectStub<SocketObject> {
  return env.SOCKETS.getByName(`${key}/${Number(session.slice(4, 6))}`);
}

const echo = { model: "tollgate/echo", stream: true, messages: [{ role: "user", content: "one two three" }] };
const slow = { ...echo, model: "tollgate/slow" };
const CHAT = "/v1/chat/completions";

describe("A7: an object that sleeps", () => {
  test("keeps its socket, and goes on counting where it was", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    client.send({ id: "a", path: CHAT, body: echo });
    const { seq } = (await client.all("a")).at(-1)!;
    client.send({ type: "ack", seq });
    client.send({ type: "ping" });
    await client.next(({ type }) => type === "pong");
    await evictDurableObject(holder(id, session));
    client.send({ id: "b", path: CHAT, body: echo });
    const after = await client.all("b");
    expect(after[0]).toMatchObject({ type: "response", status: 200, seq: seq! + 1 });
    expect(client.closed).toBeNull();
    client.close();
  });

  test("is asked nothing by a ping", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    client.send({ type: "ping" });
    await client.next(({ type }) => type === "pong");
    const stamped = await runInDurableObject(holder(id, session), (_, state) =>
      state.getWebSockets().map((socket) => state.getWebSocketAutoResponseTimestamp(socket) !== null),
    );
    expect(stamped).toEqual([true]);
    client.close();
  });

  test("threat 2: knows a key's text in memory only: storage names what is open, and nothing once it is over", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    client.send({ id: "a", path: CHAT, body: slow });
    await client.next(({ type }) => type === "event");
    const stored = () => runInDurableObject(holder(id, session), (_, state) => JSON.stringify([...state.storage.kv.list()]));
    expect(JSON.parse(await stored())).toEqual([["kept", { v: 1, session, open: ["a"] }]]);
    client.close();
    await client.over();
    expect(await stored()).toBe("[]");
    expect(await runDurableObjectAlarm(holder(id, session))).toBe(true);
    expect(await runDurableObjectAlarm(holder(id, session))).toBe(false);
  });
});

describe("A7: an object that is restarted", () => {
  test("says of each request that ran or whose end was not read that it is lost, and goes on", async () => {
    const { secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    client.send({ id: "done", path: CHAT, body: echo });
    await client.all("done");
    client.send({ type: "ack", seq: client.said.at(-1)!.seq });
    client.send({ id: "unread", path: CHAT, body: echo });
    await client.all("unread");
    client.send({ id: "runs", path: CHAT, body: slow });
    await client.next(({ id, type }) => id === "runs" && type === "event");
    await abortAllDurableObjects();
    const again = await Client.open(secret, `?session=${session}&after=${client.said.at(-1)!.seq}`);
    const greeting = await again.next(({ type }) => type === "session");
    expect(greeting).toMatchObject({ resumed: false, seq: 0 });
    expect(greeting.session).not.toBe(session);
    expect((await again.all("runs")).at(-1)).toMatchObject({ outcome: "lost" });
    expect(again.said.slice(1)).toMatchObject([
      { type: "end", id: "unread", seq: 1, outcome: "lost" },
      { type: "end", id: "runs", seq: 2, outcome: "lost" },
    ]);
    again.send({ id: "next", path: CHAT, body: echo });
    expect((await again.all("next")).at(-1)).toMatchObject({ outcome: "complete" });
    again.close();
    // The request itself ran in an invocation of its own, which the object's end cancels: it is billed for what was made, once.
    await vi.waitFor(async () => {
      const key = (await (await ask("GET", "/v1/key", { as: secret })).json()) as { requests: number; reserved_usd: string };
      expect([key.requests, key.reserved_usd]).toEqual([4, "0"]);
    }, 8_000);
  });

  test("one that was not at rest closes its socket, so that its client comes and is told", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    client.send({ id: "a", path: CHAT, body: echo });
    await client.all("a");
    await runInDurableObject(holder(id, session), (_, state) => void new SocketObject(state, env));
    expect(await client.over()).toBe(1012);
  });
});

describe("a socket at rest", () => {
  const later = (ms: number) => vi.spyOn(Date, "now").mockReturnValue(Date.now() + ms);

  test("is closed after ten silent minutes, and not before", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    const object = holder(id, session);
    expect(await runDurableObjectAlarm(object)).toBe(true);
    expect(client.closed).toBeNull();
    const clock = later(600_001);
    try {
      expect(await runDurableObjectAlarm(object)).toBe(true);
    } finally {
      clock.mockRestore();
    }
    expect(await client.over()).toBe(4408);
    const again = await Client.open(secret, `?session=${session}&after=0`);
    expect(await again.next(({ type }) => type === "session")).toMatchObject({ resumed: false });
    again.close();
  });

  test("threat 10: whose key is gone is closed when it is looked after, without a request", async () => {
    const { id, secret } = await newKey();
    const client = await Client.open(secret);
    const session = await client.session();
    await admin("POST", `/keys/${id}/disable`, {});
    const clock = later(3_000);
    try {
      await runDurableObjectAlarm(holder(id, session));
    } finally {
      clock.mockRestore();
    }
    expect(await client.over()).toBe(4401);
  });
});

describe("what stands before a request stands before a socket's", () => {
  test.each([
    ["a budget that is spent", { budgets: [{ window: "day", limit_usd: "0" }] }, 402, "budget_exceeded"],
    ["a limit of pace", { limits: { rpm: 1, tpm: null, concurrency: null } }, 429, "rate_limited"],
    ["a model that the key may not call", { models: { allow: ["openai/*"], deny: [] } }, 403, "permission_denied"],
  ])("%s", async (_, fields, status, code) => {
    const { secret } = await newKey(fields);
    const client = await Client.open(secret);
    client.send({ id: "before", path: CHAT, body: echo });
    await client.all("before");
    client.send({ id: "a", path: CHAT, body: echo });
    expect((await client.all("a"))[0]).toMatchObject({ status, body: { error: { code } } });
    client.close();
  });

  test("threat 23: in production only the pages that the operator names may open one", async () => {
    const { secret } = await newKey();
    const bindings = { TOLLGATE_ENV: "production", TOLLGATE_SOCKET_ORIGINS: "https://app.test,https://b.test:8443" } as Partial<Env>;
    const status = async (origin: string) =>
      (await ask("GET", "/v1/ws", { as: secret, headers: { upgrade: "websocket", origin }, bindings })).status;
    for (const origin of ["https://app.test", "https://b.test:8443", "https://gateway.test"])
      expect([origin, await status(origin)]).toEqual([origin, 101]);
    for (const origin of [
      "https://evil.test",
      "http://app.test",
      "https://app.test.evil",
      "https://b.test",
      "http://localhost",
      "null",
      "",
    ])
      expect([origin, await status(origin)]).toEqual([origin, 403]);
  });
});
