import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { auditEntry } from "#audit";
import { hashOf } from "../../src/audit/hash.ts";
import { placesOf } from "../../src/audit/seals.ts";
import { headOf, newTeam, verify, written } from "../support/chain.ts";
import { db, deliver } from "../support/events.ts";

/** Whoever can write to D1 takes the triggers out of the way first. */
beforeAll(async () => {
  for (const trigger of [
    "audit_entries_no_update",
    "audit_entries_no_delete",
    "audit_entries_said",
    "audit_seals_no_update",
    "audit_seals_no_delete",
  ])
    await env.DB.prepare(`drop trigger ${trigger}`).run();
});

const tamper = (statement: string, ...values: unknown[]) =>
  env.DB.prepare(statement)
    .bind(...values)
    .run();

/** What is found in the chain of a team: how it does not fit, its place and its entry. */
async function fault(team: string, query = "") {
  const { ok, fault } = await verify(`chain=${team}${query}`);
  expect(ok).toBe(fault === null);
  return fault && [fault.kind, fault.seq, fault.entry];
}

/** An entry without a seal, as somebody puts it there. */
async function forged(team: string | null, at: number): Promise<string> {
  const entry = auditEntry({ type: "key.create", actor: { kind: "user", id: "nobody" }, team, at });
  expect(await deliver([entry])).toEqual(["ack"]);
  return entry.id;
}

/** Gives all places of a chain from one on hashes that follow from each other, as somebody can who knows how they are made. */
async function resealed(team: string, from: number) {
  const places = await placesOf(db, team, 1, 10_000);
  let previous = from === 1 ? "0".repeat(64) : places[from - 2]!.hash;
  for (const { seq, stored } of places.slice(from - 1)) {
    previous = await hashOf(previous, stored!, seq);
    await tamper("update audit_seals set hash = ? where chain = ? and seq = ?", previous, team, seq);
  }
}

describe("A58, threat 43: an entry that is not what it was", () => {
  const FACTS = {
    subject: { kind: "key", id: "key_1" },
    key: "key_1",
    request: "req_1",
    task: "task_1",
    before: { a: 1 },
    after: { a: 2 },
  } as const;

  test.each([
    ["at", 1],
    ["at", "soon"],
    ["type", "other"],
    ["severity", "critical"],
    ["outcome", "denied"],
    ["actor_kind", "key"],
    ["actor_id", "somebody"],
    ["subject_kind", null],
    ["subject_id", "key_2"],
    ["team", null],
    ["key", null],
    ["request", "req_2"],
    ["task", "task_2"],
    ["before", '{"a":2}'],
    ["after", null],
    ["details", '{"at":7}'],
    ["details", "no JSON"],
    ["details", "[".repeat(200) + "]".repeat(200)],
  ])("its %s as %j is found and named", async (column, value) => {
    const team = newTeam();
    const ids = await written(team, 5, FACTS);
    await tamper(`update audit_entries set ${column} = ? where id = ?`, value, ids[2]);
    expect(await fault(team)).toEqual(["changed", 3, ids[2]]);
    expect(await fault(team, "&from=1&to=2")).toBeNull();
  });

  test("its id is found as one that is gone", async () => {
    const team = newTeam();
    const ids = await written(team, 5);
    await tamper("update audit_entries set id = 'aud_other' where id = ?", ids[2]);
    expect(await fault(team)).toEqual(["missing", 3, ids[2]]);
  });

  test.each(["entries", "seals"])("two %s that changed places are found at the first of them", async (swapped) => {
    const team = newTeam();
    const [, second, , fourth] = await written(team, 5);
    const [table, column] = swapped === "entries" ? ["audit_entries", "id"] : ["audit_seals", "entry"];
    for (const [from, to] of [
      [second, "aside"],
      [fourth, second],
      ["aside", fourth],
    ])
      // prettier-ignore
      await tamper(`update ${table} set ${column} = ? where ${column} = ?`, to, from);
    expect(await fault(team)).toEqual(["changed", 2, swapped === "entries" ? second : fourth]);
  });
});

describe("A58, threat 43: an entry that is gone", () => {
  test("is named, by its place alone where its seal is gone too", async () => {
    const team = newTeam();
    const ids = await written(team, 5);
    await tamper("delete from audit_entries where id = ?", ids[3]);
    expect(await fault(team)).toEqual(["missing", 4, ids[3]]);
    await tamper("delete from audit_seals where entry = ?", ids[3]);
    expect(await fault(team)).toEqual(["missing", 4, null]);
    expect(await fault(team, "&from=5")).toEqual(["missing", 4, null]);
  });

  test("is named where it was among the last, also where nothing is left", async () => {
    const team = newTeam();
    const ids = await written(team, 5);
    for (const left of [3, 0]) {
      await tamper(
        "delete from audit_entries where team = ? and id not in (select value from json_each(?))",
        team,
        JSON.stringify(ids.slice(0, left)),
      );
      await tamper("delete from audit_seals where chain = ? and seq > ?", team, left);
      expect(await fault(team)).toEqual(["missing", left + 1, null]);
    }
    expect(await headOf(team)).toMatchObject({ seq: 5 });
  });

  test("is missed after a restore, and what followed is verified from its second entry on", async () => {
    const team = newTeam();
    const ids = await written(team, 5);
    await tamper("delete from audit_entries where id in (?, ?, ?)", ...ids.slice(2));
    await tamper("delete from audit_seals where chain = ? and seq > 2", team);
    await written(team, 3);
    expect(await fault(team)).toEqual(["missing", 3, null]);
    expect(await fault(team, "&from=6")).toEqual(["missing", 5, null]);
    expect(await fault(team, "&from=7")).toBeNull();
  });

  test("is found where those after it were given its place, and every hash was made anew", async () => {
    const team = newTeam();
    const ids = await written(team, 5);
    await tamper("delete from audit_entries where id = ?", ids[2]);
    await tamper("delete from audit_seals where entry = ?", ids[2]);
    await tamper("update audit_seals set seq = seq - 1 where chain = ? and seq > 3", team);
    expect(await fault(team)).toEqual(["changed", 3, ids[3]]);
    await resealed(team, 3);
    expect(await fault(team)).toEqual(["missing", 5, null]);
  });
});

describe("A58, threat 43: an entry that was put there", () => {
  test("is named, wherever it stands in time", async () => {
    for (const at of [1, Date.now() - 3_600_001, Date.UTC(2100, 0)]) {
      const team = newTeam();
      await written(team, 2);
      const id = await forged(team, at);
      expect(await fault(team)).toEqual(["inserted", null, id]);
    }
  });

  test("is named where it was given a seal after the last, and what is sealed next does not hide it", async () => {
    const team = newTeam();
    await written(team, 2);
    const id = await forged(team, 1);
    await tamper("insert into audit_seals (chain, seq, entry, hash) values (?, 3, ?, ?)", team, id, "0".repeat(64));
    await resealed(team, 3);
    expect(await fault(team)).toEqual(["inserted", null, id]);
    await written(team, 1);
    expect(await fault(team)).toEqual(["changed", 3, id]);
  });
});

test("A58, threat 43: a chain that was written anew from any place on is found, by its end and by a hash that was kept", async () => {
  const team = newTeam();
  const ids = await written(team, 6);
  const kept = (await headOf(team))!.hash;
  await tamper("update audit_entries set actor_id = 'somebody' where id = ?", ids[1]);
  await resealed(team, 2);
  expect(await fault(team)).toEqual(["changed", 6, ids[5]]);
  const { fault: found, heads_found } = await verify(`chain=${team}&head=${kept}`);
  expect([found?.message, heads_found]).toEqual([expect.stringContaining("was written anew"), []]);
});

test("A58, threat 43: of a thousand entries, any that is edited, deleted or exchanged is the first that is named", async () => {
  const team = newTeam();
  const ids = await written(team, 1_000);
  expect(await verify(`chain=${team}`)).toMatchObject({ ok: true, checked: 1_000 });
  const deeds = {
    edited: {
      kind: "changed",
      by: "update audit_entries set outcome = 'x' where id = ?",
      undo: "update audit_entries set outcome = 'ok' where id = ?",
    },
    deleted: {
      kind: "missing",
      by: "update audit_entries set id = id || '-gone' where id = ?",
      undo: "update audit_entries set id = ?1 where id = ?1 || '-gone'",
    },
    unsealed: {
      kind: "missing",
      by: "update audit_seals set chain = 'gone' where entry = ?",
      undo: `update audit_seals set chain = '${team}' where entry = ?`,
    },
    hashed: {
      kind: "changed",
      by: "update audit_seals set hash = upper(hash) where entry = ?",
      undo: "update audit_seals set hash = lower(hash) where entry = ?",
    },
  } as const;
  const place = fc.integer({ min: 1, max: ids.length });
  const name = fc.constantFrom(...(Object.keys(deeds) as (keyof typeof deeds)[]));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ place, name }), { minLength: 1, maxLength: 3 }), async (given) => {
      const done = [...new Map(given.map((each) => [each.place, each])).values()].toSorted((a, b) => a.place - b.place);
      const [first] = done;
      for (const each of done) await tamper(deeds[each.name].by, ids[each.place - 1]);
      const found = await fault(team);
      for (const each of done) await tamper(deeds[each.name].undo, ids[each.place - 1]);
      expect(found?.slice(0, 2)).toEqual([deeds[first!.name].kind, first!.place]);
    }),
    { numRuns: 25 },
  );
  expect(await fault(team)).toBeNull();
});
