import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Rota, type Turns } from "../../../src/policy/engine/turns.ts";

/** Some two milliseconds of the thread, and forty. */
const CHEAP = 10_000;
const DEAR = 10_000_000;
const DEAR_MS = 40;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work whose turns burn so much each, and that notes when each was begun. */
function* burning(name: string, turns: readonly number[], begun: string[]): Turns<string> {
  for (const fuel of turns) {
    begun.push(name);
    yield fuel;
  }
  return name;
}

describe("threat 31: the thread is shared out", () => {
  test("after a dear turn it is the others' for as long as the turn took", async () => {
    const begun: string[] = [];
    const done = new Rota().share(burning("dear", [DEAR, DEAR, DEAR], begun));
    expect(begun).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(DEAR_MS - 1);
    expect(begun).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2 * DEAR_MS);
    expect(await done).toBe("dear");
  });

  test("work that burns little is done at once, and waits for no timer", async () => {
    const begun: string[] = [];
    expect(await new Rota().share(burning("cheap", [CHEAP, CHEAP], begun))).toBe("cheap");
    expect(begun).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("of many dear pieces one has a turn between two rests, in the order in which they came", async () => {
    const begun: string[] = [];
    const rota = new Rota();
    const all = ["a", "b", "c"].map((name) => rota.share(burning(name, [DEAR], begun)));
    const cheap = rota.share(burning("cheap", [CHEAP], begun));
    expect(begun).toEqual(["a"]);
    await vi.advanceTimersByTimeAsync(DEAR_MS);
    expect(begun).toEqual(["a", "b"]);
    await vi.advanceTimersByTimeAsync(DEAR_MS);
    expect(begun).toEqual(["a", "b", "c"]);
    await vi.advanceTimersByTimeAsync(DEAR_MS);
    expect(begun).toEqual(["a", "b", "c", "cheap"]);
    expect(await Promise.all([...all, cheap])).toEqual(["a", "b", "c", "cheap"]);
  });
});
