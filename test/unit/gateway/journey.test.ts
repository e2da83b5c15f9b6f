import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Upstream } from "#providers";
import { type Fault, FAULTS, Health, PERSEVERANCE, type Perseverance } from "#routes";
import type { Course, Draft } from "../../../src/gateway/contract.ts";
import { backoffMs, Journey, type Stop } from "../../../src/gateway/journey.ts";

const upstream = (name: string, accounts: number): Upstream => {
  const own = { name, kind: "openai", baseUrl: "https://x.test", credential: "c", apis: [], account: null, spares: [] } as const;
  return { ...own, spares: Array.from({ length: accounts - 1 }, (_, at) => ({ ...own, account: `crd_${at}` })) };
};
/** As much of a draft as a journey reads. */
const draft = (provider: string, accounts = 1): Draft =>
  ({
    target: { provider, model: "m" },
    upstream: upstream(provider, accounts),
    arrival: { session: null },
    caller: { key: "key_1" },
  }) as unknown as Draft;

function journey(drafts: readonly Draft[], fields: Partial<Perseverance> = {}) {
  let now = 1_000_000;
  const health = new Health(() => now);
  const course: Course = { perseverance: { ...PERSEVERANCE, ...fields }, rest: drafts.slice(1) };
  return { trip: new Journey(drafts[0]!, course, { health, now: () => now }), health, pass: (ms: number) => (now += ms) };
}

/** Every place that is taken where all fail alike, and the waits between. */
function walked({ trip, pass }: ReturnType<typeof journey>, faultOf: (stop: Stop) => Fault, leftMs = Infinity) {
  const names: (string | number)[] = [];
  for (let stop = trip.take(); ;) {
    if (!stop) {
      const waitMs = trip.anew(leftMs, 0.5);
      if (waitMs === null) return names;
      names.push(waitMs);
      pass(waitMs);
      stop = trip.take();
      continue;
    }
    names.push(stop.name);
    trip.failed(stop, faultOf(stop), null);
    stop = trip.take();
  }
}

describe("a journey", () => {
  it("goes through the whole list before it goes through it again, with waits that double", () => {
    const found = walked(journey([draft("a"), draft("b")], { retries: 2, backoffMs: 100 }), () => "failing");
    expect(found).toEqual(["a/m", "b/m", 75, "a/m", "b/m", 150, "a/m", "b/m"]);
  });

  it("tries again only what may yet answer, and other credentials only where the credential was at fault", () => {
    const three = draft("a", 3);
    const limited = walked(journey([three, draft("b")], { retries: 1 }), () => "rate_limited");
    expect(limited.filter((name) => typeof name === "string")).toHaveLength(8);
    const failing = walked(journey([three, draft("b")], { retries: 0 }), () => "failing");
    expect(failing).toHaveLength(2);
    const refused = walked(journey([three, draft("b")], { retries: 3 }), () => "not_admitted");
    expect(new Set(refused).size).toBe(4);
    expect(refused).toHaveLength(4);
  });

  it("passes over places whose breakers are open; where all are, the first is asked all the same, once", () => {
    const { trip, health } = journey([draft("a"), draft("b")], { retries: 0 });
    const breaker = { callsMin: 1, failurePercent: 1, windowS: 10, openS: 10 };
    health.failed("a/m", breaker);
    expect([trip.take()?.name, trip.take()]).toEqual(["b/m", null]);
    const other = journey([draft("a"), draft("b")], { retries: 0 });
    for (const name of ["a/m", "b/m"]) other.health.failed(name, breaker);
    expect([other.trip.take()?.name, other.trip.take()]).toEqual(["a/m", null]);
  });

  it("a target that the request may not go to is not tried later either", () => {
    const a = draft("a");
    const { trip } = journey([a, draft("b")], { retries: 1 });
    trip.failed(trip.take()!, "failing", null);
    trip.exclude(a);
    trip.failed(trip.take()!, "failing", null);
    trip.anew(Infinity, 0);
    expect([trip.take()?.name, trip.take()]).toEqual(["b/m", null]);
  });

  it("waits at least as long as the shortest rest that was asked for, and starts no round that its time would cut", () => {
    const { trip } = journey([draft("a"), draft("b")], { retries: 2, backoffMs: 10 });
    trip.failed(trip.take()!, "rate_limited", 5_000);
    trip.failed(trip.take()!, "rate_limited", 3_000);
    expect([trip.anew(3_000, 0), trip.anew(3_001, 0)]).toEqual([null, 3_000]);
  });

  it("one request makes 64 calls at the most", () => {
    const many = Array.from({ length: 16 }, (_, at) => draft(`p${at}`, 17));
    expect(walked(journey(many, { retries: 5 }), () => "rate_limited").filter((name) => typeof name === "string")).toHaveLength(64);
  });

  it("property: ends, whatever fails and however, after no more attempts than places times rounds", () => {
    const faults = Object.keys(FAULTS) as Fault[];
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
        fc.nat(3),
        fc.infiniteStream(fc.constantFrom(...faults)),
        (accounts, retries, next) => {
          const drafts = accounts.map((count, at) => draft(`p${at}`, count));
          const found = walked(journey(drafts, { retries }), () => next.next().value);
          const attempts = found.filter((name) => typeof name === "string").length;
          expect(attempts).toBeGreaterThan(0);
          expect(attempts).toBeLessThanOrEqual(accounts.reduce((sum, count) => sum + count, 0) * (retries + 1));
        },
      ),
    );
  });

  it("property: a wait lies between half of its step and the whole", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60_000 }), fc.nat(5), fc.double({ min: 0, max: 1, noNaN: true }), (base, round, chance) => {
        const step = base * 2 ** round;
        expect(backoffMs(base, round, chance)).toBeGreaterThanOrEqual(step / 2);
        expect(backoffMs(base, round, chance)).toBeLessThanOrEqual(step);
      }),
    );
  });
});
