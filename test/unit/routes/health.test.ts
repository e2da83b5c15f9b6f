import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Breaker, BREAKER, Health } from "#routes";

const breaker: Breaker = { callsMin: 4, failurePercent: 50, windowS: 10, openS: 5 };
const answer = { firstByteMs: 100, stream: true };

function watched(placesMax?: number) {
  let now = 1_000_000;
  const health = new Health(() => now, placesMax);
  return { health, pass: (ms: number) => (now += ms), now: () => now };
}

describe("a breaker", () => {
  it("opens once enough calls have failed, and not before there were enough", () => {
    const { health } = watched();
    for (let at = 0; at < 3; at++) {
      health.failed("p", breaker);
      expect([health.admits("p"), health.state("p")]).toEqual([true, "closed"]);
    }
    health.failed("p", breaker);
    expect([health.admits("p"), health.state("p")]).toEqual([false, "open"]);
  });

  it("stays closed while fewer fail than it bears, and forgets what is older than its window", () => {
    const { health, pass } = watched();
    for (let at = 0; at < 300; at++) {
      if (at % 3 === 2) health.failed("p", breaker);
      else health.succeeded("p", breaker, answer);
    }
    expect(health.state("p")).toBe("closed");
    pass(breaker.windowS * 1_000);
    for (let at = 0; at < 3; at++) health.failed("p", breaker);
    expect(health.state("p")).toBe("closed");
    health.failed("p", breaker);
    expect(health.state("p")).toBe("open");
  });

  it("lets exactly one call try once it is half open: its success closes it, its failure opens it again", () => {
    for (const good of [true, false]) {
      const { health, pass } = watched();
      for (let at = 0; at < 4; at++) health.failed("p", breaker);
      pass(breaker.openS * 1_000 - 1);
      expect(health.admits("p")).toBe(false);
      pass(1);
      expect([health.state("p"), health.admits("p")]).toEqual(["half_open", true]);
      health.begin("p");
      expect(health.admits("p")).toBe(false);
      if (good) health.succeeded("p", breaker, answer);
      else health.failed("p", breaker);
      expect([health.state("p"), health.admits("p")]).toEqual(good ? ["closed", true] : ["open", false]);
    }
  });

  it("gives the turn to try back when its call says nothing, and after a minute when it is never heard of again", () => {
    const { health, pass } = watched();
    for (let at = 0; at < 4; at++) health.failed("p", breaker);
    pass(5_000);
    health.begin("p");
    health.left("p");
    expect(health.admits("p")).toBe(true);
    health.begin("p");
    pass(59_999);
    expect(health.admits("p")).toBe(false);
    pass(1);
    expect(health.admits("p")).toBe(true);
  });

  it("an answer that was under way when it opened does not close it", () => {
    const { health } = watched();
    for (let at = 0; at < 4; at++) health.failed("p", breaker);
    health.succeeded("p", breaker, answer);
    expect(health.state("p")).toBe("open");
  });

  it("leaves a place alone as long as its provider asks, a minute at most, without opening", () => {
    const { health, pass } = watched();
    health.failed("p", breaker, 2_000);
    expect([health.state("p"), health.admits("p"), health.admits("q")]).toEqual(["closed", false, true]);
    pass(2_000);
    expect(health.admits("p")).toBe(true);
    health.failed("p", breaker, 1e12);
    pass(60_000);
    expect(health.admits("p")).toBe(true);
  });
});

describe("what is remembered", () => {
  it("property: never more than its bound, and an open place always lets one try in the end", () => {
    const step = fc.record({
      place: fc.integer({ min: 0, max: 12 }),
      what: fc.constantFrom("begin", "good", "bad", "left"),
      ms: fc.nat(4_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { health, pass } = watched(8);
        for (const { place, what, ms } of steps) {
          pass(ms);
          const name = `p${place}`;
          if (what === "begin") health.begin(name);
          else if (what === "good") health.succeeded(name, breaker, answer);
          else if (what === "bad") health.failed(name, breaker, ms);
          else health.left(name);
          expect(health.size).toBeLessThanOrEqual(8);
        }
        pass(60_000 + breaker.openS * 1_000);
        for (const place of health.places()) expect(health.admits(place)).toBe(true);
      }),
    );
  });

  it("how fast a place answered lately, streams and whole answers apart; a minute later nothing", () => {
    const { health, pass } = watched();
    expect(health.latency("p", true)).toBeNull();
    health.succeeded("p", BREAKER, { firstByteMs: 100, stream: true });
    health.succeeded("p", BREAKER, { firstByteMs: 200, stream: true });
    expect([health.latency("p", true), health.latency("p", false)]).toEqual([120, null]);
    pass(60_001);
    expect(health.latency("p", true)).toBeNull();
  });
});
