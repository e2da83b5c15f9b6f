import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Timers } from "../../../src/gateway/timers.ts";

describe("the timers of a request", () => {
  let fired: [what: string, ms: number][] = [];
  let timers: Timers;
  const fire = (what: string) => () => void fired.push([what, Date.now()]);

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
    fired = [];
    timers = new Timers(() => Date.now());
  });
  afterEach(() => void vi.useRealTimers());

  it("fire each at its time, in whatever order they were set", () => {
    timers.after(30_000, fire("body"));
    timers.after(500, fire("soon"));
    timers.after(60_000, fire("first byte"));
    timers.after(30_000, fire("another"));
    vi.advanceTimersByTime(100_000);
    expect(fired).toEqual([["soon", 500], ["body", 30_000], ["another", 30_000], ["first byte", 60_000]]); // prettier-ignore
  });

  it("are set at the platform once for a request that is over within a second, and never cleared", () => {
    const [set, clear] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    timers.after(30_000, fire("body"))();
    timers.after(60_000, fire("first byte"))();
    timers.after(1_000, fire("tick"))();
    expect([set.mock.calls.length, clear.mock.calls.filter(([timer]) => timer !== undefined).length]).toEqual([1, 0]);
    vi.advanceTimersByTime(100_000);
    expect([fired, vi.getTimerCount()]).toEqual([[], 0]);
  });

  it("may be set and cancelled by one that fires", () => {
    const cancel = timers.after(2_000, fire("cancelled"));
    timers.after(2_000, fire("kept"));
    timers.after(1_000, () => {
      cancel();
      timers.after(200, fire("later"));
      timers.after(0, fire("at once"));
    });
    vi.advanceTimersByTime(10_000);
    expect(fired).toEqual([["at once", 1_000], ["later", 1_200], ["kept", 2_000]]); // prettier-ignore
  });

  it("wait for a promise, and not longer than they are told", async () => {
    const [early, late] = [timers.within(1_000, Promise.resolve("here")), timers.within(1_000, new Promise(() => undefined))];
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await Promise.all([early, late])).toEqual(["here", null]);
  });
});
