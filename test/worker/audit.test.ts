import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { auditEntry, costSummary, getRecord, listRecords, listRequests, pruneRequests } from "#audit";
import { NO_USAGE } from "#core";
import { db, deliver, paid } from "../support/events.ts";

async function count(table: "cost_records" | "requests" | "audit_entries"): Promise<number> {
  return (await env.DB.prepare(`select count(*) as n from ${table}`).first<number>("n"))!;
}

describe("consume", () => {
  test("threat 46: a malformed message is retried alone, its neighbours pass", async () => {
    const bodies = [
      paid("t46", "0.1"),
      { v: 9 },
      null,
      paid("t46", "not money"),
      auditEntry({ type: "x", actor: { kind: "system", id: "s" } }),
    ];
    expect(await deliver(bodies)).toEqual(["ack", "retry", "retry", "retry", "ack"]);
  });

  test("a redelivered batch of 100 changes nothing", async () => {
    const bodies = Array.from({ length: 100 }, () => paid("again", "0.000000000000001"));
    await deliver(bodies);
    const before = [await count("cost_records"), await count("requests")];
    expect(await deliver(bodies)).toEqual(bodies.map(() => "ack"));
    expect([await count("cost_records"), await count("requests")]).toEqual(before);
  });

  test("D6: a record keeps every class of usage by itself, what is billed by the piece included", async () => {
    const classes = Object.keys(NO_USAGE) as (keyof typeof NO_USAGE)[];
    const usage = Object.fromEntries(classes.map((name, at) => [name, 100 + at])) as Record<keyof typeof NO_USAGE, number>;
    const event = paid("classes", "0.1");
    expect(await deliver([{ ...event, cost: { ...event.cost!, usage } }])).toEqual(["ack"]);
    const kept = await getRecord(db, event.cost!.id, {});
    expect(kept).toMatchObject(usage);
  });

  test("threat 40: an attempt that was lost is a record of its own, and each bears its part of what was charged", async () => {
    const event = paid("lost", "0.3");
    const main = { ...event.cost!, nanoUsd: 300_000_000 };
    const lost = {
      cost: { ...main, id: `${main.id}_try1`, actualUsd: "0.2", nanoUsd: 200_000_000 },
      tokens: 7,
      provider: "other",
      model: "o-1",
    };
    const window = { budget: "bud_1", windowStart: null };
    const charges = [
      { ...window, unit: "usd" as const, amount: 500_000_000 },
      { ...window, unit: "tokens" as const, amount: 12 },
      { ...window, unit: "requests" as const, amount: 1 },
    ];
    expect(await deliver([{ ...event, cost: main, lost: [lost], charges }])).toEqual(["ack"]);
    const parts = async (id: string) => {
      const record = await getRecord(db, id, {});
      const { charges } = record!.receipt as { charges: { amount: number }[] };
      return [record!.provider, record!.actualUsd, charges.map(({ amount }) => amount)];
    };
    expect(await parts(main.id)).toEqual(["acme", "0.3", [300_000_000, 5, 1]]);
    expect(await parts(lost.cost.id)).toEqual(["other", "0.2", [200_000_000, 7, 0]]);
    const row = await env.DB.prepare("select usd from requests where team = 'lost'").first("usd");
    expect(row).toBe("0.5");
  });

  test("a refused request leaves a log row and no cost", async () => {
    const refused = { ...paid("refused", "1"), cost: null };
    const before = await count("cost_records");
    expect(await deliver([refused])).toEqual(["ack"]);
    expect(await count("cost_records")).toBe(before);
    const row = await env.DB.prepare("select usd, latency_ms from requests where team = 'refused'").first();
    expect(row).toEqual({ usd: "0", latency_ms: 13 });
  });
});

describe("costSummary", () => {
  test("sums to the femto-dollar, by any dimension", async () => {
    const parts = ["0.000000000000001", "9000000.000000000000002", "0.1", "0.2"];
    await deliver(parts.map((usd, at) => paid("sums", usd, { tags: at % 2 ? ["odd", "all"] : ["all"], metadata: { step: String(at) } })));
    const filter = { team: "sums" };
    const byTag = await costSummary(db, { filter, groupBy: ["tag", "day"], limit: 10 });
    expect(byTag.total).toMatchObject({ usd: "9000000.300000000000003", requests: 4, tokens: { input: 12, output: 8 } });
    expect(byTag.groups.map((each) => [each.group, each.usd])).toEqual([
      [{ tag: "all", day: "2026-11-21" }, "9000000.300000000000003"],
      [{ tag: "odd", day: "2026-11-21" }, "9000000.200000000000002"],
    ]);
    const every = [
      "key",
      "team",
      "user",
      "end_user",
      "provider",
      "model",
      "capability",
      "session",
      "task",
      "hour",
      "month",
      "metadata.step",
    ];
    const byAll = await costSummary(db, { filter, groupBy: every, limit: 10 });
    expect(byAll.groups).toHaveLength(4);
    expect(byAll.groups[0]?.group).toMatchObject({ model: "acme/m-1", month: "2026-11", user: null, "metadata.step": "1" });
  });

  test("a repriced record counts once, at its new price", async () => {
    const first = paid("repriced", "1");
    const second = paid("repriced", "3", { request: first.invocation.request });
    await deliver([first, { ...second, cost: { ...second.cost, reprices: first.cost!.id } }]);
    const { total } = await costSummary(db, { filter: { team: "repriced" }, groupBy: [], limit: 1 });
    expect(total).toMatchObject({ usd: "3", requests: 1 });
  });

  test("threat 1: a grouping that is no dimension never reaches SQL", async () => {
    for (const name of ["at) --", "constructor", 'metadata.a"b', "metadata."]) {
      const asked = costSummary(db, { filter: {}, groupBy: [name], limit: 1 });
      await expect(asked).rejects.toMatchObject({ code: "invalid_request" });
    }
  });
});

describe("listings", () => {
  test("page newest first without gap or repeat, and a filter hides other teams", async () => {
    await deliver(Array.from({ length: 5 }, () => paid("pages", "1")));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { rows: { id: string }[]; next: string | null } = await listRecords(
        db,
        { team: "pages" },
        { limit: 2, ...(cursor ? { cursor } : {}) },
      );
      seen.push(...page.rows.map((row) => row.id));
      cursor = page.next;
    } while (cursor);
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
    expect((await listRequests(db, { team: "pages" }, { limit: 10 })).rows).toHaveLength(5);
    expect(await getRecord(db, seen[0]!, { team: "pages" })).not.toBeNull();
    expect(await getRecord(db, seen[0]!, { team: "other" })).toBeNull();
  });

  test("a row of the request log that is dropped leaves no tag behind, and its cost record stays", async () => {
    const at = Date.UTC(2026, 0, 2);
    await deliver([paid("dropped", "1", { tags: ["gone", "stays"], at }), paid("dropped", "1", { tags: ["stays"], at: at + 5 })]);
    await pruneRequests(db, at + 5);
    const { results } = await env.DB.prepare("select tag, at from request_tags where at between ? and ?")
      .bind(at, at + 5)
      .all();
    expect(results).toEqual([{ tag: "stays", at: at + 5 }]);
    expect((await listRequests(db, { tag: "gone" }, { limit: 5 })).rows).toEqual([]);
    expect((await listRecords(db, { tag: "gone" }, { limit: 5 })).rows).toHaveLength(1);
  });

  test("who, for whom and for what stand in the record and in the log as the caller said it", async () => {
    const said = { user: "user_1", endUser: "u 77", session: "s", task: "task_1", tags: ["a", "b"], metadata: { feature: "x", "": "y" } };
    await deliver([paid("said", "1", { ...said, tags: ["a", "", "b", "a"] }), paid("said", "1", { endUser: "", session: "" })]);
    const nobody = { user: null, endUser: null, session: null, task: null, tags: [], metadata: {} };
    for (const list of [listRecords, listRequests])
      expect((await list(db, { team: "said" }, { limit: 5 })).rows).toMatchObject([nobody, said]);
  });
});
