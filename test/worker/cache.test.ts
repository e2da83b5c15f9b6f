import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cache, Shelf } from "#cache";
import type { Platform } from "#http";
import { platformOf } from "../../src/compose.ts";
import { admin, ask, newKey } from "../support/front.ts";

const NO_LIMITS = { rpm: null, tpm: null, concurrency: null };

const chat = (content: string, more: Record<string, unknown> = {}) => ({
  model: "tollgate/echo",
  max_tokens: 20,
  messages: [{ role: "user", content }],
  ...more,
});
const post = (secret: string, body: unknown, headers: Record<string, string> = {}, platform?: Partial<Platform>) =>
  ask("POST", "/v1/chat/completions", { as: secret, body, headers, ...(platform ? { platform } : {}) });
const outcome = (answer: Response) => answer.headers.get("x-tollgate-cache");

describe("A6: the exact cache", () => {
  test.each([false, true])("answers again what it answered before, byte for byte (stream: %s)", async (stream) => {
    const { secret } = await newKey({ cache: "key" });
    const first = await post(secret, chat("remember me", { stream }));
    const again = await post(secret, chat("remember me", { stream }));
    expect([first.status, outcome(first), again.status, outcome(again)]).toEqual([200, "miss", 200, "hit"]);
    expect(await again.text()).toBe(await first.text());
    expect(again.headers.get("x-tollgate-attempts")).toBe("0");
    expect(Number(again.headers.get("x-tollgate-cost-saved"))).toBeGreaterThan(0);
    if (!stream) expect(again.headers.get("x-tollgate-cost")).toBe("0");
  });

  test("a key without a cache neither keeps nor is given anything", async () => {
    const { secret } = await newKey();
    for (let at = 0; at < 2; at++) expect(outcome(await post(secret, chat("hi")))).toBe("bypass");
  });

  test("a cache that cannot be asked costs nobody an answer", async () => {
    const { secret } = await newKey({ cache: "key" });
    const down: Cache = { ...platformOf(env).cache, shelf: () => new Proxy({} as Shelf, { get: () => () => Promise.reject(new Error("down")) }) }; // prettier-ignore
    const answer = await post(secret, chat("hi"), {}, { cache: down });
    expect([answer.status, outcome(answer)]).toEqual([200, "bypass"]);
  });

  test("an answer is let go of once everybody has heard it: what is kept is kept on the shelf, and not in memory too", async () => {
    const digest = "0".repeat(64);
    const shelf = platformOf(env).cache.shelf({ kind: "key", id: "key_let_go" }, digest);
    const room = { ttlMs: 60_000, answerBytesMax: 1_000, scopeBytesMax: 1_000_000 };
    const look = { digest, ageMsMax: null, refresh: false, room };
    const facts = { contentType: "application/json", madeAt: Date.now(), request: "req_1", account: null };
    const whole = { facts, bytes: new Uint8Array(10), ended: { kind: "whole", costUsd: "1" } } as const;
    const lead = async () => (await shelf.look({ ...look, refresh: true })) as { flight: string };
    const alone = await lead();
    const { flight } = await lead();
    const { follower } = (await shelf.look({ ...look, digest, refresh: false })) as { follower: string };
    expect([await shelf.tell(alone.flight, whole), await shelf.tell(flight, whole)]).toEqual([null, 1]);
    expect(await shelf.next(flight, follower, 0)).toMatchObject({ facts, ended: whole.ended });
    expect(await shelf.next(flight, follower, 0)).toMatchObject({ facts: null, ended: { kind: "broken" } });
    expect(await shelf.look(look)).toMatchObject({ kind: "hit", facts });
  });

  test("a leader that is never heard of again is waited for some seconds, then its follower makes the answer and is followed itself", async () => {
    const { secret } = await newKey({ cache: "key" });
    const real = platformOf(env).cache;
    /** What this leader tells reaches nobody, as if its isolate had died. */
    const mute: Cache = { ...real, shelf: (scope, digest) => ({ ...real.shelf(scope, digest), tell: () => Promise.resolve(0) }) };
    expect(outcome(await post(secret, chat("lost"), {}, { cache: mute }))).toBe("miss");
    const [follower, other] = await Promise.all([post(secret, chat("lost")), post(secret, chat("lost"))]);
    expect([outcome(follower), outcome(other)].toSorted()).toEqual(["coalesced", "miss"]);
    expect(await other.text()).toBe(await follower.text());
  });
});

describe("threat 24: whose answers are given to whom", () => {
  test("none but the caller's own, or its team's where both share them, and only to the very same question", async () => {
    const teams = await Promise.all(["a", "b"].map(async (name) => (await admin<{ id: string }>("POST", "/teams", { name })).id));
    const shapes = teams.flatMap((team) => ["key", "key", "team", "team"].map((cache) => ({ team, cache })));
    const keys = await Promise.all(shapes.map(async (shape) => ({ ...shape, ...(await newKey({ ...shape, limits: NO_LIMITS })) })));
    const asked = fc.record({
      key: fc.constantFrom(...keys),
      model: fc.constantFrom("tollgate/echo", "tollgate/slow"),
      content: fc.constantFrom("one", "two"),
      stream: fc.boolean(),
      header: fc.constantFrom({}, { "openai-beta": "x" }, { "x-evil": "1" }),
      user: fc.constantFrom("ann", "bob"),
    });
    /** The answers that may be given, by everything that tells them apart; every answer of the provider has an id of its own. */
    const given = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 40, maxLength: 40 }), async (requests) => {
        for (const { key, model, content, stream, header, user } of requests) {
          const answer = await post(key.secret, chat(content, { model, stream, user }), header as Record<string, string>);
          const text = await answer.text();
          const scope = key.cache === "team" ? key.team : key.id;
          const name = JSON.stringify([scope, model, content, stream, header]);
          expect([answer.status, outcome(answer)]).toEqual([200, given.has(name) ? "hit" : "miss"]);
          expect([...given].find(([, said]) => said === text)?.[0] ?? name).toBe(name);
          given.set(name, given.get(name) ?? text);
          expect(text).toBe(given.get(name));
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
    expect(given.size).toBeGreaterThan(30);
  });
});
