import { describe, expect, it } from "vitest";
import { readConfig } from "#config";
import { DirectoryCache } from "#gateway";
import { ActivePolicies } from "#policy";
import type { ProviderRow } from "#providers";

const config = readConfig({ TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32) });
const row = (name: string): ProviderRow => ({
  name,
  kind: "openai",
  baseUrl: "https://x.test/v1",
  apis: [],
  credential: "k",
  status: "active",
});

/** A control plane whose reads answer when they are told to. */
function plane() {
  let rows: readonly ProviderRow[] = [];
  let now = 0;
  let reads = 0;
  let failing = false;
  const gates: (() => void)[] = [];
  let gated = false;
  const source = {
    async providers() {
      reads++;
      const seen = rows;
      if (gated) await new Promise<void>((resolve) => gates.push(resolve));
      if (failing) throw new Error("down");
      return seen;
    },
    aliases: () => Promise.resolve([]),
    routes: () => Promise.resolve([]),
    prices: () => Promise.resolve([]),
    wider: () => Promise.resolve([]),
    policies: () => Promise.resolve(new ActivePolicies([])),
    auto: () => Promise.resolve(null),
  };
  const work: Promise<unknown>[] = [];
  const cache = new DirectoryCache(config, source, () => now);
  return {
    cache,
    get: () => cache.get((each) => work.push(each)),
    set: (names: readonly string[]) => (rows = names.map(row)),
    pass: (ms: number) => (now += ms),
    gate: (on: boolean) => (gated = on),
    open: () => gates.splice(0).forEach((each) => each()),
    fail: (on: boolean) => (failing = on),
    reads: () => reads,
    settled: () => Promise.all(work),
  };
}

describe("the directory", () => {
  it("is read once, and anew beside the requests after two seconds", async () => {
    const { get, set, pass, reads, settled } = plane();
    await get();
    set(["acme"]);
    pass(1_000);
    expect([(await get()).upstreams.has("acme"), reads()]).toEqual([false, 1]);
    pass(1_500);
    expect((await get()).upstreams.has("acme")).toBe(false);
    await settled();
    expect([(await get()).upstreams.has("acme"), reads()]).toEqual([true, 2]);
  });

  it("after a spell without requests all that come wait for what stands now, which one of them reads", async () => {
    const { get, set, pass, reads } = plane();
    await get();
    set(["acme"]);
    pass(5_000);
    const found = await Promise.all(Array.from({ length: 20 }, get));
    expect(found.map(({ upstreams }) => upstreams.has("acme"))).toEqual(Array.from({ length: 20 }, () => true));
    expect(reads()).toBe(2);
  });

  it("storage that does not answer holds them up a second at most, and one that fails not at all", async () => {
    const { get, set, pass, gate, open, fail, settled } = plane();
    set(["acme"]);
    await get();
    pass(5_000);
    gate(true);
    const waiting = get();
    pass(1_000);
    expect((await waiting).upstreams.has("acme")).toBe(true);
    expect((await get()).upstreams.has("acme")).toBe(true);
    gate(false);
    open();
    await settled();
    pass(5_000);
    fail(true);
    expect((await get()).upstreams.has("acme")).toBe(true);
  });

  it("a read that began before a change through this isolate never hides the change", async () => {
    const { cache, get, set, pass, gate, open, settled } = plane();
    await get();
    pass(2_500);
    gate(true);
    await get();
    gate(false);
    set(["acme"]);
    cache.invalidate();
    expect((await get()).upstreams.has("acme")).toBe(true);
    open();
    await settled();
    expect((await get()).upstreams.has("acme")).toBe(true);
  });

  it("a name that it lacks is looked for at most twice a second", async () => {
    const { cache, get, pass, reads } = plane();
    await get();
    for (let at = 0; at < 10; at++) await cache.reload();
    expect(reads()).toBe(1);
    pass(600);
    await cache.reload();
    expect(reads()).toBe(2);
  });

  it("goes on with what it has while storage is down, and fails where it has nothing", async () => {
    const { get, pass, fail } = plane();
    fail(true);
    await expect(get()).rejects.toThrow("down");
    fail(false);
    await get();
    fail(true);
    pass(60_000);
    expect((await get()).upstreams.has("openai")).toBe(true);
  });
});
