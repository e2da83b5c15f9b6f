import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { Shelf, SHELVES } from "../../../src/cache/shelf.ts";

const HOUR_MS = 3_600_000;
const room = { ttlMs: HOUR_MS, answerBytesMax: 10_000_000, scopeBytesMax: 100 * SHELVES };
const LARGE = { ...room, scopeBytesMax: 10_000_000 * SHELVES };

function shelf(): Shelf {
  const database = new DatabaseSync(":memory:");
  return new Shelf({ exec: (query, ...values) => database.prepare(query).all(...values) });
}

const answer = (size: number, madeAt: number, fill = 7) => ({
  facts: { contentType: "application/json", madeAt, request: `req_${madeAt}`, account: madeAt === 1 ? "pcr_1" : null },
  bytes: new Uint8Array(size).fill(fill),
  costUsd: "0.25",
});

describe("a shelf", () => {
  it("gives an answer back as it was kept, also one of several rows", () => {
    const kept = shelf();
    const large = answer(2_500_000, 1, 9);
    large.bytes[2_000_001] = 1;
    kept.keep("a", large, { room: LARGE, now: 1 });
    expect(kept.find("a", { now: 2, ageMsMax: null })).toEqual(large);
    expect(kept.find("b", { now: 2, ageMsMax: null })).toBeNull();
  });

  it("gives none that has expired, or that is older than is wanted", () => {
    const kept = shelf();
    kept.keep("a", answer(5, 1_000), { room, now: 1_000 });
    expect(kept.find("a", { now: 1_000 + HOUR_MS - 1, ageMsMax: null })).not.toBeNull();
    expect(kept.find("a", { now: 1_000 + HOUR_MS, ageMsMax: null })).toBeNull();
    expect(kept.find("a", { now: 6_000, ageMsMax: 5_000 })).not.toBeNull();
    expect(kept.find("a", { now: 6_001, ageMsMax: 5_000 })).toBeNull();
  });

  it("has room for so much and no more: what was made longest ago goes first", () => {
    const kept = shelf();
    for (const at of [1, 2, 3, 4]) kept.keep(`a${at}`, answer(25, at), { room, now: at });
    expect(kept.stock).toEqual({ answers: 4, bytes: 100 });
    kept.keep("a5", answer(30, 5), { room, now: 5 });
    expect(kept.stock).toEqual({ answers: 3, bytes: 80 });
    expect(["a1", "a2", "a3", "a4", "a5"].filter((name) => kept.find(name, { now: 6, ageMsMax: null }))).toEqual(["a3", "a4", "a5"]);
    kept.keep("a6", answer(101, 6), { room, now: 6 });
    expect(kept.stock).toEqual({ answers: 3, bytes: 80 });
  });

  it("keeps the newer of two answers to one question, in whichever order they end", () => {
    const kept = shelf();
    kept.keep("a", answer(5, 2), { room, now: 2 });
    kept.keep("a", answer(6, 1), { room, now: 3 });
    expect(kept.find("a", { now: 4, ageMsMax: null })?.bytes.byteLength).toBe(5);
    kept.keep("a", answer(7, 3), { room, now: 5 });
    expect([kept.find("a", { now: 6, ageMsMax: null })?.bytes.byteLength, kept.stock]).toEqual([7, { answers: 1, bytes: 7 }]);
  });

  it("drops what has expired and says when the next does; and everything, and says what that was", () => {
    const kept = shelf();
    kept.keep("a", answer(5, 1), { room, now: 1 });
    kept.keep("b", answer(6, 2), { room: { ...room, ttlMs: 10 }, now: 2 });
    expect(kept.tidy(12)).toBe(1 + HOUR_MS);
    expect(kept.stock).toEqual({ answers: 1, bytes: 5 });
    expect(kept.clear()).toEqual({ answers: 1, bytes: 5 });
    expect([kept.tidy(13), kept.stock]).toEqual([null, { answers: 0, bytes: 0 }]);
  });
});
