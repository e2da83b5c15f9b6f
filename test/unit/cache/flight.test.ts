import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Flight, LOST_MS } from "../../../src/cache/flight.ts";

const facts = { contentType: "text/event-stream", madeAt: 1, request: "req_1", account: null };
const room = { ttlMs: 1_000, answerBytesMax: 10, scopeBytesMax: 1_000 };
const clock = () => Date.now();
const bytes = (text: string) => new TextEncoder().encode(text);
const said = (part: Uint8Array) => new TextDecoder().decode(part);
const told = (text: string, more: object = {}) => ({ facts, bytes: bytes(text), ended: null, ...more });
const WHOLE = { ended: { kind: "whole" as const, costUsd: "0.1" } };

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const open = () => new Flight("d", room, clock());

describe("an answer in the making", () => {
  it("is heard by each follower from its first byte, in its own time, and the end with the last byte", async () => {
    const flight = open();
    const early = flight.join(clock());
    const waiting = flight.next(early, 0, clock);
    flight.hear(told("ab"), clock());
    expect(await waiting).toMatchObject({ facts, ended: null });
    const late = flight.join(clock());
    flight.hear(told("cd", WHOLE), clock());
    expect(said((await flight.next(early, 2, clock)).bytes)).toBe("cd");
    const all = await flight.next(late, 0, clock);
    expect([said(all.bytes), all.ended]).toEqual(["abcd", WHOLE.ended]);
    expect([said(flight.bytes), flight.isOpen, flight.keeps]).toEqual(["abcd", false, true]);
  });

  it("that says nothing tells so after some seconds, and is followed on", async () => {
    const flight = open();
    const follower = flight.join(clock());
    const waiting = flight.next(follower, 0, clock);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await waiting).toMatchObject({ facts: null, ended: null });
    expect(flight.followers(clock())).toBe(1);
  });

  it("whose leader is gone breaks off for everybody who follows, without anybody telling", async () => {
    const flight = open();
    const follower = flight.join(clock());
    flight.hear(told("ab"), clock());
    await vi.advanceTimersByTimeAsync(LOST_MS - 1_000);
    const waiting = flight.next(follower, 2, clock);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await waiting).toMatchObject({ ended: { kind: "broken" } });
    expect(flight.isOpen).toBe(false);
    flight.hear(told("cd", WHOLE), clock());
    expect(flight.ended).toEqual({ kind: "broken" });
  });

  it("that outgrows its room is not kept nor joined, and goes on for those who keep up", async () => {
    const flight = open();
    const [quick, slow] = [flight.join(clock()), flight.join(clock())];
    flight.hear(told("0123456789"), clock());
    expect(said((await flight.next(quick, 0, clock)).bytes)).toBe("0123456789");
    void flight.next(quick, 10, clock);
    flight.hear(told("abcdef"), clock());
    expect([flight.keeps, flight.isOpen]).toEqual([false, false]);
    expect(said((await flight.next(quick, 10, clock)).bytes)).toBe("abcdef");
    expect(await flight.next(slow, 0, clock)).toMatchObject({ ended: { kind: "broken" } });
    flight.hear(told("", WHOLE), clock());
    expect(await flight.next(quick, 16, clock)).toMatchObject(WHOLE);
  });

  it("that outgrows its room holds nothing where nobody follows", () => {
    const flight = open();
    flight.hear(told("0123456789abcdef"), clock());
    expect(flight.bytes.byteLength).toBe(0);
  });

  it("counts those who follow, not those who left or were not heard of again", async () => {
    const flight = open();
    const [gone] = [flight.join(clock()), flight.join(clock()), flight.join(clock())];
    flight.leave(gone);
    expect(flight.followers(clock())).toBe(2);
    await vi.advanceTimersByTimeAsync(LOST_MS + 1);
    expect(flight.followers(clock())).toBe(0);
    expect(await flight.next(gone, 0, clock)).toMatchObject({ ended: { kind: "broken" } });
  });
});
