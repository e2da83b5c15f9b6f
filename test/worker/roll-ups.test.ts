import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { costSummary, listRecords, listRequests, type RequestEvent } from "#audit";
import { femtoFromUsd, usdFromFemto } from "#core";
import { connect, tables } from "#db";
import { insertAll } from "../../src/audit/consumer.ts";
import { countedTogether } from "../../src/audit/roll-ups.ts";
import { db, deliver, paid } from "../support/events.ts";

type Filter = Parameters<typeof listRecords>[1];

/** Numbers that are the same on every run. */
function dice(seed: number): (sides: number) => number {
  const values = fc.sample(fc.nat({ max: 1_000_000_007 }), { seed, numRuns: 20_000 });
  let at = 0;
  return (sides) => values[at++ % values.length]! % sides;
}

const START = Date.UTC(2026, 0, 30, 21);
const LENGTH_MS = 33 * 86_400_000;

/** A paid request of anybody, for anything, at some time of five weeks that touch three months. */
function anyEvent(team: string, roll: (sides: number) => number): RequestEvent {
  const maybe = (value: string) => (roll(3) === 0 ? null : value);
  const usd = usdFromFemto(BigInt(roll(1_000_000_000)) * 1_000_003n);
  const event = paid(team, usd, {
    at: START + ((roll(4) === 0 ? roll(800) * 3_600_000 : roll(1_000_000_000) * 3) % LENGTH_MS),
    key: `key_${roll(4)}`,
    user: maybe(`user_${roll(2)}`),
    endUser: maybe(`person ${roll(3)}`),
    session: maybe(`s-${roll(3)}`),
    task: maybe(`task_${roll(2)}`),
    capability: ["messages", "embeddings"][roll(2)]!,
    provider: ["acme", "other"][roll(2)]!,
    model: `m-${roll(3)}`,
    tags: ["a", "b", "c"].filter(() => roll(2) === 0),
    metadata: roll(3) === 0 ? {} : { step: `n${roll(3)}`, "a.b": "x" },
  });
  const usage = {
    ...event.cost!.usage,
    input: roll(100),
    cacheRead: roll(9),
    cacheWrite5m: roll(9),
    cacheWrite1h: roll(9),
    audioInput: roll(9),
    imageInput: roll(9),
    imageOutput: roll(9),
    images: roll(4),
    webSearches: roll(4),
    fileSearches: roll(4),
    searchSources: roll(4),
    characters: roll(400),
    seconds: roll(40),
    rankings: roll(4),
    extras: roll(4),
  };
  const savedUsd = usdFromFemto(BigInt(roll(1_000_000_000)) * 1_000_003n);
  const receipt = { ...event.cost!.receipt, ...(roll(3) === 0 && { savedUsd }) };
  return { ...event, cost: { ...event.cost!, receipt, usage: { ...usage, output: roll(100), audioOutput: roll(9), reasoning: roll(5) } } };
}

/** The same call at another price. */
function repriced(event: RequestEvent, usd: string): RequestEvent {
  return { ...event, cost: { ...event.cost!, id: `${event.cost!.id}_r`, actualUsd: usd, reprices: event.cost!.id } };
}

/** What counts: each id once, and nothing that another reprices. */
function current(events: readonly RequestEvent[]): RequestEvent[] {
  const gone = new Set(events.map(({ cost }) => cost!.reprices));
  return [...new Map(events.map((event) => [event.cost!.id, event])).values()].filter(({ cost }) => !gone.has(cost!.id));
}

/** A summary as one computes it who has all events in a list. */
function summed(events: readonly RequestEvent[]) {
  const add = (pick: (cost: NonNullable<RequestEvent["cost"]>) => number) => events.reduce((sum, { cost }) => sum + pick(cost!), 0);
  return {
    usd: usdFromFemto(events.reduce((sum, { cost }) => sum + femtoFromUsd(cost!.actualUsd), 0n)),
    savedUsd: usdFromFemto(events.reduce((sum, { cost }) => sum + femtoFromUsd(cost!.receipt.savedUsd ?? "0"), 0n)),
    requests: events.length,
    tokens: {
      input: add(({ usage }) => usage.input + usage.audioInput + usage.imageInput),
      cacheRead: add(({ usage }) => usage.cacheRead),
      cacheWrite: add(({ usage }) => usage.cacheWrite5m + usage.cacheWrite1h),
      output: add(({ usage }) => usage.output + usage.audioOutput + usage.imageOutput),
      reasoning: add(({ usage }) => usage.reasoning),
    },
    pieces: {
      images: add(({ usage }) => usage.images),
      webSearches: add(({ usage }) => usage.webSearches),
      fileSearches: add(({ usage }) => usage.fileSearches),
      searchSources: add(({ usage }) => usage.searchSources),
      characters: add(({ usage }) => usage.characters),
      seconds: add(({ usage }) => usage.seconds),
      rankings: add(({ usage }) => usage.rankings),
      extras: add(({ usage }) => usage.extras),
    },
  };
}

const iso = (at: number) => new Date(at).toISOString();

/** The values that an event has of each dimension: one, but for tags. */
const VALUES: Readonly<Record<string, (invocation: RequestEvent["invocation"]) => (string | null)[]>> = {
  key: ({ key }) => [key],
  team: ({ team }) => [team],
  user: ({ user }) => [user],
  end_user: ({ endUser }) => [endUser],
  tag: ({ tags }) => (tags.length === 0 ? [null] : tags),
  provider: ({ provider }) => [provider],
  model: ({ provider, model }) => [`${provider}/${model}`],
  capability: ({ capability }) => [capability],
  session: ({ session }) => [session],
  task: ({ task }) => [task],
  hour: ({ at }) => [`${iso(at).slice(0, 13)}:00:00Z`],
  day: ({ at }) => [iso(at).slice(0, 10)],
  month: ({ at }) => [iso(at).slice(0, 7)],
  "metadata.step": ({ metadata }) => [metadata["step"] ?? null],
  "metadata.a.b": ({ metadata }) => [metadata["a.b"] ?? null],
};

function matches({ invocation }: RequestEvent, { from, to, tag, metadata, ...same }: Filter): boolean {
  return (
    (from === undefined || invocation.at >= from) &&
    (to === undefined || invocation.at < to) &&
    (tag === undefined || invocation.tags.includes(tag)) &&
    Object.entries(metadata ?? {}).every(([name, value]) => invocation.metadata[name] === value) &&
    Object.entries(same).every(([name, value]) => invocation[name as keyof typeof invocation] === value)
  );
}

function grouped(events: readonly RequestEvent[], groupBy: readonly string[]) {
  const groups = new Map<string, RequestEvent[]>();
  for (const event of events) {
    let names: Record<string, string | null>[] = [{}];
    for (const name of groupBy)
      names = names.flatMap((group) => VALUES[name]!(event.invocation).map((value) => ({ ...group, [name]: value })));
    for (const group of names) groups.set(JSON.stringify(group), [...(groups.get(JSON.stringify(group)) ?? []), event]);
  }
  return new Map([...groups].map(([group, members]) => [group, summed(members)]));
}

/** Everything that was delivered in this file, by team. */
const delivered = new Map<string, readonly RequestEvent[]>();

describe("roll-ups", () => {
  test("I7: sum to what the records sum to, whatever comes again, in whatever order, repriced before or after", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.nat({ max: 999 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        async (seed, order, size) => {
          const roll = dice(seed);
          const team = `chaos_${++run}`;
          const firsts = Array.from({ length: 8 }, () => anyEvent(team, roll));
          const seconds = firsts.filter(() => roll(2) === 0).map((event) => repriced(event, "0.000000000000007"));
          const thirds = seconds.filter(() => roll(2) === 0).map((event) => repriced(event, "12.5"));
          const all = [...firsts, ...seconds, ...thirds];
          const arriving = order.map((at) => all[at % all.length]!);
          for (let at = 0; at < arriving.length; at += size) {
            const batch = arriving.slice(at, at + size);
            expect(await deliver(batch)).toEqual(batch.map(() => "ack"));
          }
          delivered.set(team, arriving);
          const expected = current(arriving);
          for (const groupBy of [["model", "day"], ["key"], ["key", "capability"], ["tag", "month"], ["end_user"], ["session", "hour"]]) {
            const { groups, total } = await costSummary(db, { filter: { team }, groupBy, limit: 1_000 });
            expect(total).toEqual(summed(expected));
            expect(new Map(groups.map(({ group, ...sums }) => [JSON.stringify(group), sums]))).toEqual(grouped(expected, groupBy));
          }
        },
      ),
      { numRuns: 25, seed: 20_261_121 },
    );
  });

  test("every level and every grain holds every record that counts, exactly once for each of its tags", async () => {
    const counted = [...delivered.values()].flatMap(current);
    expect(counted.length).toBeGreaterThan(100);
    const byTag = counted.flatMap((event) => VALUES["tag"]!(event.invocation).map(() => event));
    const { results } = await env.DB.prepare(
      `select level, grain, sum(requests) as requests, cast(sum(nano) as text) as nano, cast(sum(femto) as text) as femto
       from cost_cells where level = 'all' or team like 'chaos_%' group by level, grain`,
    ).all<{ level: string; grain: string; requests: number; nano: string; femto: string }>();
    expect(results.map(({ level, grain }) => `${level} ${grain}`).sort()).toEqual(
      "all day,all hour,all month,end_user month,key day,key month,tag day,tag month,team day,team month".split(","),
    );
    for (const { level, requests, nano, femto } of results) {
      const { usd, requests: count } = summed(level === "tag" ? byTag : counted);
      expect([level, usdFromFemto(BigInt(nano) * 1_000_000n + BigInt(femto)), requests]).toEqual([level, usd, count]);
    }
  });
});

describe("D7: summaries", () => {
  const team = "oracle";
  const roll = dice(4);
  const events = Array.from({ length: 400 }, () => anyEvent(team, roll));
  const corrections = events.filter((_, at) => at % 9 === 0).map((event) => repriced(event, "0.25"));
  const known = current([...events, ...corrections]);

  beforeAll(async () => {
    await deliver(events);
    await deliver(corrections);
  });

  const pick = <Value>(...values: readonly Value[]): Value => values[roll(values.length)]!;
  const maybe = <Value>(one: number, value: Value): Value | undefined => (roll(one) === 0 ? value : undefined);

  function anyFilter(): Filter {
    const from = maybe(2, START + roll(1_000_000_000));
    const wish = {
      from,
      to: maybe(2, (from ?? START) + roll(2) * roll(1_500_000_000) + roll(40) * 86_400_000),
      team: pick(team, team, "chaos_1", undefined),
      key: maybe(4, `key_${roll(5)}`),
      user: maybe(5, `user_${roll(2)}`),
      endUser: maybe(5, `person ${roll(3)}`),
      session: maybe(6, `s-${roll(3)}`),
      task: maybe(8, `task_${roll(2)}`),
      provider: maybe(5, pick("acme", "other", "none")),
      model: maybe(5, `m-${roll(3)}`),
      capability: maybe(5, pick("messages", "embeddings")),
      tag: maybe(4, pick("a", "b", "z")),
      metadata: maybe(6, pick<Record<string, string>>({ step: "n1" }, { "a.b": "x", step: "n0" })),
    };
    return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
  }

  test("by any dimensions under any filters and any range are what a list of all events sums to", async () => {
    const everything = [...known, ...[...delivered.values()].flatMap(current)];
    let groupsSeen = 0;
    for (let round = 0; round < 300; round++) {
      const filter = anyFilter();
      const groupBy = [...new Set(Array.from({ length: roll(4) }, () => pick(...Object.keys(VALUES))))];
      const found = await costSummary(db, { filter, groupBy, limit: 100_000 });
      const expected = everything.filter((event) => matches(event, filter));
      const context = JSON.stringify({ filter, groupBy });
      expect([context, found.total]).toEqual([context, summed(expected)]);
      const groups = new Map(found.groups.map(({ group, ...sums }) => [JSON.stringify(group), sums]));
      expect([context, groups]).toEqual([context, groupBy.length === 0 ? new Map() : grouped(expected, groupBy)]);
      groupsSeen += groups.size;
    }
    expect(groupsSeen).toBeGreaterThan(1_000);
  });

  test("lists under any filters and any range hold the same rows, newest first, page by page", async () => {
    const written = [...new Map([...delivered.values(), events, corrections].flat().map((event) => [event.cost!.id, event])).values()];
    let rowsSeen = 0;
    for (let round = 0; round < 60; round++) {
      const filter = anyFilter();
      const context = JSON.stringify(filter);
      const expected = written.filter((event) => matches(event, filter)).map(({ invocation, cost }) => `${invocation.at} ${cost!.id}`);
      const asked = new Map(
        written.filter((event) => matches(event, filter)).map(({ invocation: { at, request } }) => [request, `${at} ${request}`]),
      );
      const limit = pick(3, 40, 500);
      for (const [list, rows] of [
        [listRecords, expected],
        [listRequests, [...asked.values()]],
      ] as const) {
        const seen: string[] = [];
        let cursor: string | null = null;
        do {
          const page: { rows: { at: number; id: string }[]; next: string | null } = await list(db, filter, {
            limit,
            ...(cursor ? { cursor } : {}),
          });
          seen.push(...page.rows.map(({ at, id }) => `${at} ${id}`));
          cursor = page.next;
        } while (cursor && seen.length < 200);
        expect([context, seen]).toEqual([
          context,
          [...rows]
            .sort()
            .toReversed()
            .slice(0, cursor ? seen.length : undefined),
        ]);
        rowsSeen += seen.length;
      }
    }
    expect(rowsSeen).toBeGreaterThan(1_000);
  });
});

// Last, because one of them plants a wrong sum.
describe("roll-ups", () => {
  test("a second record that reprices the same one is none: no chain forks", async () => {
    const first = paid("forked", "1");
    const other = repriced(first, "3");
    await deliver([first, repriced(first, "2"), { ...other, cost: { ...other.cost!, id: `${other.cost!.id}2` } }]);
    const { total } = await costSummary(db, { filter: { team: "forked" }, groupBy: [], limit: 1 });
    expect(total).toMatchObject({ usd: "2", requests: 1 });
    expect((await listRecords(db, { team: "forked" }, { limit: 9 })).rows).toHaveLength(2);
  });

  test("are what a summary reads: whole days come from cells, the ends of a range from records", async () => {
    const day = Date.UTC(2026, 4, 5);
    await deliver([paid("read", "1", { at: day + 7_200_001 }), paid("read", "2", { at: day + 90_000_000 })]);
    await env.DB.prepare(
      "update cost_cells set nano = nano + 7000000000 where level = 'team' and team = 'read' and grain = 'day' and start = ?",
    )
      .bind(day)
      .run();
    const sum = async (from: number, to: number) =>
      (await costSummary(db, { filter: { team: "read", from, to }, groupBy: [], limit: 1 })).total.usd;
    expect(await sum(day, day + 86_400_000)).toBe("8");
    expect(await sum(day, day + 86_400_000 - 1)).toBe("1");
    expect(await sum(day + 7_200_001, day + 7_200_002)).toBe("1");
    expect(await sum(day + 7_200_002, day + 86_400_000)).toBe("0");
    expect(await sum(day - 5, day + 90_000_001)).toBe("10");
    expect(await sum(day - 5, day + 90_000_000)).toBe("8");
  });

  test("I7: are written once for each batch: its hundredth record that falls into the same cells writes none of them", async () => {
    const at = Date.UTC(2026, 5, 1);
    let rows = 0;
    const written = async (statements: D1PreparedStatement[]) => {
      const results = await env.DB.batch(statements);
      rows += results.reduce((sum, { meta }) => sum + meta.rows_written, 0);
      return results;
    };
    const metered = connect({ prepare: (text: string) => env.DB.prepare(text), batch: written } as unknown as D1Database);
    const rowsOf = async (count: number) => {
      rows = 0;
      const events = Array.from({ length: count }, (_, n) => paid("together", "0.5", { at: at + n, tags: ["a", "b"] }));
      expect(await deliver(events, undefined, metered)).toEqual(events.map(() => "ack"));
      return rows;
    };
    await rowsOf(2);
    const alone = await rowsOf(1);
    const hundredth = (await rowsOf(100)) - (await rowsOf(99));
    const [cells, hoursOfKeys] = [3 + 2 + 2 + 2 * 2 + 1, 1];
    expect(alone - hundredth).toBe(cells + hoursOfKeys);
    const { total } = await costSummary(db, { filter: { team: "together" }, groupBy: [], limit: 1 });
    expect(total).toMatchObject({ usd: "101", requests: 202 });
  });

  test("I7: a batch that fails once it is counted leaves nothing, and counts when it comes again", async () => {
    await deliver([paid("half", "1")]);
    const [record] = (await listRecords(db, { team: "half" }, { limit: 1 })).rows;
    const rows = ["cost_half_1", "cost_half_2"].map((id) => ({ ...record, id }));
    const batch = () => countedTogether(db, insertAll(db, tables.costRecords, rows));
    const failing = db.insert(tables.costBatches).values({ after: sql`null` });
    await expect(db.batch([...batch(), failing])).rejects.toThrow("NOT NULL");
    const requests = async () => (await costSummary(db, { filter: { team: "half" }, groupBy: [], limit: 1 })).total.requests;
    expect(await requests()).toBe(1);
    expect((await listRecords(db, { team: "half" }, { limit: 9 })).rows).toHaveLength(1);
    for (let time = 0; time < 2; time++) {
      await db.batch(batch());
      expect(await requests()).toBe(3);
    }
    expect(await db.select().from(tables.costBatches)).toEqual([]);
  });
});
