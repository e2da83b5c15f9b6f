import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AuditChain, verifyAudit } from "#audit";
import { connect, tables } from "#db";
import { Chain } from "../../src/audit/chain.ts";
import { entriesFor, newTeam } from "../support/chain.ts";
import { db, deliver } from "../support/events.ts";

/** When the object dies: before D1 has the seals, or before it hears that D1 has them. */
type Crash = "before" | "after" | null;

/** D1, where writing seals is what the object dies of. */
function dying(when: () => Crash) {
  const prepare = (text: string) => {
    const statement = env.DB.prepare(text);
    if (!text.startsWith('insert into "audit_seals"')) return statement;
    const bind = (...values: unknown[]) => ({
      run: async () => {
        const crash = when();
        if (crash === "before") throw new Error("died before");
        const done = await statement.bind(...values).run();
        if (crash === "after") throw new Error("died after");
        return done;
      },
    });
    return { bind };
  };
  return connect({ prepare, batch: (all: D1PreparedStatement[]) => env.DB.batch(all) } as unknown as D1Database);
}

let objects = 0;

/** A keeper over a storage of its own, which may die and start again. */
function keeper(now?: () => number) {
  const stub = env.CHAIN.getByName(`chain-faults-${++objects}`);
  let crash: Crash = null;
  const database = dying(() => crash);
  let living: Chain | null = null;
  const asked = <Answer>(what: (chain: Chain) => Promise<Answer>) =>
    runInDurableObject(stub, (_, state) => what((living ??= new Chain(state.storage, database, now))));
  return {
    seal: (ids) => asked((chain) => chain.seal(ids)),
    heads: () => asked((chain) => chain.heads()),
    /** Does what is asked, and dies of it. */
    async dies(how: Crash, work: () => Promise<unknown>): Promise<void> {
      crash = how;
      await work().catch((error: unknown) => expect(String(error)).toContain(`died ${how}`));
      crash = null;
      living = null;
    },
  } satisfies AuditChain & { dies: unknown };
}

async function placesOf(teams: readonly string[]): Promise<string[]> {
  const seals = await db.select().from(tables.auditSeals);
  return seals
    .filter(({ chain }) => teams.includes(chain))
    .map(({ chain, seq, entry, hash }) => `${chain}/${seq}/${entry}/${hash}`)
    .toSorted();
}

/** Entries of several teams, in D1 and not sealed yet. */
async function arrived(teams: readonly string[], count: number): Promise<string[]> {
  const entries = Array.from({ length: count }, (_, at) => entriesFor(teams[at % teams.length]!, 1)).flat();
  for (let at = 0; at < count; at += 100) await deliver(entries.slice(at, at + 100));
  return entries.map(({ id }) => id);
}

async function allFits(chain: AuditChain, team: string): Promise<number> {
  let checked = 0;
  for (let cursor: string | undefined; ;) {
    const step = await verifyAudit(db, chain, { chain: team, ...(cursor ? { cursor } : {}) }, Date.now());
    expect(step).toMatchObject({ fault: null, unsealed: 0 });
    checked += step.checked;
    if (step.next === null) return checked;
    cursor = step.next;
  }
}

test("A58: entries from before there was a chain get the first places, in the order of their arrival, whatever dies meanwhile", async () => {
  const teams = [newTeam(), newTeam()];
  const ids = await arrived(teams, 450);
  const chain = keeper();
  await chain.dies("after", () => chain.heads());
  await chain.dies("before", () => chain.heads());
  await chain.seal(ids.slice(0, 1));
  for (const [at, team] of teams.entries()) {
    expect(await allFits(chain, team)).toBe(225);
    const mine = ids.filter((_, arrival) => arrival % 2 === at);
    const places = new Map((await placesOf([team])).map((place) => [Number(place.split("/")[1]), place.split("/")[2]]));
    expect(mine.map((_, place) => places.get(place + 1))).toEqual(mine);
  }
});

test("A58: a keeper whose storage was lost goes on from where D1 has the chain", async () => {
  const team = newTeam();
  await keeper().seal(await arrived([team], 3));
  const chain = keeper();
  await chain.seal(await arrived([team], 2));
  expect(await allFits(chain, team)).toBe(5);
});

test("A58: whatever dies, comes again or comes at once: every entry has one place, for good, and no chain has a gap or a fork", async () => {
  const step = fc.record({
    entries: fc.integer({ min: 1, max: 8 }),
    crash: fc.constantFrom<Crash>(null, null, "before", "after"),
    /** Consumers that bring the same at once. */
    consumers: fc.integer({ min: 1, max: 3 }),
    /** What was brought before, and comes again with it. */
    again: fc.integer({ min: 0, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const teams = [newTeam(), newTeam()];
      const chain = keeper();
      await chain.heads();
      const brought: string[] = [];
      const seen: string[][] = [];
      for (const { entries, crash, consumers, again } of steps) {
        const fresh = await arrived(teams, entries);
        const all = [...brought.slice(Math.max(0, brought.length - again)), ...fresh].toReversed();
        brought.push(...fresh);
        await chain.dies(crash, async () => {
          const parts = Array.from({ length: consumers }, (_, at) => chain.seal(at % 2 === 0 ? all : fresh));
          const ends = await Promise.allSettled(parts);
          const failed = ends.find(({ status }) => status === "rejected");
          if (failed) throw (failed as PromiseRejectedResult).reason;
        });
        seen.push(await placesOf(teams));
      }
      await chain.seal(brought);
      const places = await placesOf(teams);
      for (const earlier of seen) expect(places).toEqual(expect.arrayContaining(earlier));
      expect(places.map((place) => place.split("/")[2]).toSorted()).toEqual(brought.toSorted());
      const heads = (await chain.heads()).filter((head) => teams.includes(head.chain));
      for (const { chain: team, seq } of heads) expect(await allFits(chain, team)).toBe(seq);
      expect(heads.reduce((sum, { seq }) => sum + seq, 0)).toBe(brought.length);
    }),
    { numRuns: 25 },
  );
});

// The last of the file: from here on the database looks like one that was there before the chain.
test("A58: an upgrade seals what the Worker of before writes meanwhile, and nothing that appears ten minutes later", async () => {
  let now = Date.now();
  const fresh = keeper();
  await fresh.heads();
  const team = newTeam();
  const [strange] = await arrived([team], 1);
  expect((await fresh.heads()).map(({ chain }) => chain)).not.toContain(team);
  // From now on there is an entry of two hours ago: what begins here was there before.
  await deliver(entriesFor(team, 1, { at: now - 7_200_000 }));
  const chain = keeper(() => now);
  await chain.heads();
  const places = async () => (await placesOf([team])).map((place) => place.split("/")[2]);
  expect(await places()).toContain(strange);
  const meanwhile = await arrived([team], 2);
  now += 599_999;
  await chain.heads();
  const last = await arrived([team], 2);
  now += 1;
  await chain.heads();
  expect(await allFits(chain, team)).toBe(6);
  expect(await places()).toEqual(expect.arrayContaining([...meanwhile, ...last]));
  await arrived([team], 1);
  await chain.heads();
  expect(await places()).toHaveLength(6);
});
