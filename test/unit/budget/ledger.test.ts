import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ledger } from "../../../src/budget/ledger.ts";
import { awaiting, confirmed, due, nextDelivery, sent } from "../../../src/budget/outbox.ts";
import { createTables, type Value } from "../../../src/budget/sql.ts";
import { NodeSql, type Tamper } from "../../support/node-sql.ts";
import { calls, crowd, play, story, tasks } from "./story.ts";

describe("the ledger", () => {
  it("keeps I1 to I7 over thousands of interleavings with a crash at any statement", () => {
    fc.assert(
      fc.property(story, (told) => play(told)),
      { numRuns: 2_000 },
    );
  }, 120_000);

  it("A3: keeps every task within its cap, L1 to L4, over hundreds of stories of draws, ends and expiries", () => {
    fc.assert(
      fc.property(tasks, (told) => play(told)),
      { numRuns: 500 },
    );
  }, 120_000);

  it("goes on where the tables were made before there were leases", () => {
    const sql = new NodeSql();
    createTables(sql);
    for (const table of ["holds", "ended"]) sql.exec(`ALTER TABLE ${table} DROP COLUMN lease`);
    const ledger = new Ledger(sql);
    const amount = { nano: 1, tokens: 1, requests: 1 };
    const key = { epoch: 1, active: true, expiresAt: null, user: null, limits: { rpm: null, tpm: null, concurrency: null } };
    const asked = { id: "req_1", key: "k", epoch: 1, floor: amount, likely: amount, ceiling: amount, stream: false, ttlMs: 1, event: "" };
    expect(ledger.reserve(asked, { key, budgets: [] }, 0).kind).toBe("granted");
    ledger.release("req_1", 0);
    expect(ledger.keyStatus("k", { key, budgets: [] }, 0).reserved).toBe(0);
  });

  it("sends what an outbox of one table held, in its order, and forgets it once it has arrived", () => {
    const sql = new NodeSql();
    sql.exec(
      "CREATE TABLE outbox (id TEXT PRIMARY KEY, event TEXT NOT NULL, tries INTEGER NOT NULL, due_at INTEGER NOT NULL) WITHOUT ROWID",
    );
    sql.exec("CREATE INDEX outbox_due_at ON outbox (due_at)");
    sql.exec("INSERT INTO outbox VALUES ('c', '{\"c\":1}', 0, 30), ('a b', '{\"a\":1},{\"b\":1}', 2, 10), ('d', '{}', 9, 5_000)");
    for (let start = 0; start < 2; start++) createTables(sql);
    const parcels = due(sql, 100, 10);
    expect(parcels.map(({ event }) => event)).toEqual(['{"a":1},{"b":1}', '{"c":1}']);
    expect(nextDelivery(sql)).toEqual({ dueAt: 10, awaiting: true });
    sent(sql, parcels.map(({ seq }) => seq), 100); // prettier-ignore
    const [first, ...others] = awaiting(sql, 10);
    expect([first, ...others].map((each) => each?.ids)).toEqual([["d"], ["c"], ["a", "b"]]);
    confirmed(sql, others);
    expect(awaiting(sql, 10)).toEqual([first]);
    expect(nextDelivery(sql)).toEqual({ dueAt: 5_000, awaiting: false });
  });

  /** Leaves a kind of statement out. */
  const without =
    (start: string): Tamper =>
    (query, values) =>
      query.startsWith(start) ? null : { query, values };
  /** Changes one column of every row that a statement about balances puts in. */
  const balances =
    (change: (row: Value[]) => Value[] | null): Tamper =>
    (query, values) => {
      if (!query.startsWith("INSERT INTO balances")) return { query, values };
      const rows = Array.from({ length: values.length / 5 }, (_, at) => change(values.slice(5 * at, 5 * at + 5))).filter(
        (row) => row !== null,
      );
      if (rows.length === 0) return null;
      return { query: query.replace(/VALUES .*/, `VALUES ${rows.map(() => "(?, ?, ?, ?, ?)").join(", ")}`), values: rows.flat() };
    };
  const rewritten =
    (from: string, to: string): Tamper =>
    (query, values) => ({ query: query.replace(from, to), values });

  const DEFECTS: Readonly<Record<string, { readonly tamper?: Tamper; readonly atomic?: boolean; readonly of?: typeof story }>> = {
    "a settle that frees nothing": {
      tamper: balances(([id, start, spent, reserved, over]) => [id!, start!, spent!, Math.max(0, Number(reserved)), over!]),
    },
    "a settle that books nothing": { tamper: balances(([id, start, , reserved, over]) => [id!, start!, 0, reserved!, over!]) },
    "an ancestor that is left out": { tamper: balances((row) => (row[0] === "team-day" ? null : row)) },
    "one window for all time": { tamper: balances(([id, , ...rest]) => [id!, 0, ...rest]) },
    "a hold that is kept after its end": { tamper: without("DELETE FROM holds") },
    "an ending that nobody remembers": { tamper: without("INSERT INTO ended") },
    "a record that is never delivered": { tamper: without("INSERT INTO outbox_due") },
    "a check that does not see what is held": {
      tamper: rewritten("SELECT spent, reserved, over FROM balances", "SELECT spent, 0 AS reserved, over FROM balances"),
    },
    "a check that does not see what was spent": {
      tamper: rewritten("SELECT spent, reserved, over FROM balances", "SELECT 0 AS spent, reserved, over FROM balances"),
    },
    "an event that tells of what was spent before it": {
      tamper: rewritten("SELECT spent, reserved, over FROM balances", "SELECT max(0, spent - 1) AS spent, reserved, over FROM balances"),
    },
    "an extension that is not remembered": { tamper: without("UPDATE holds") },
    "an expiry that takes the living": { tamper: rewritten("WHERE expires_at <= ?", "WHERE expires_at >= ?") },
    "a late settle that stays an estimate": { tamper: without("UPDATE ended"), of: calls },
    "statements that are not one transaction": { atomic: false },
    "a pace that nobody counts": { tamper: without("INSERT INTO pace") },
    "a float that nobody remembers": { tamper: without("INSERT INTO floats") },
    "a float that is given back twice": { tamper: without("UPDATE floats SET returned"), of: crowd },
    "a float that is drawn from and stays whole": { tamper: without("UPDATE floats SET nano") },
    "a float that outlives its time": { tamper: without("DELETE FROM floats") },
    "a slice that nobody remembers": { tamper: without("INSERT INTO slices") },
    "a slice that is drawn from and stays whole": { tamper: without("UPDATE slices SET requests") },
    "a slice that outlives its time": { tamper: without("DELETE FROM slices") },
    "places that are lent and count as free": { tamper: rewritten("sum(slots) AS slots", "0 AS slots"), of: crowd },
    "a place that is kept, and the ledger takes for free": { tamper: without("UPDATE slices SET slots = slots + 1"), of: crowd },
    "a lease that nobody remembers": { tamper: without("INSERT INTO leases") },
    "a draw that leaves its lease whole": { tamper: without("UPDATE leases SET drawn") },
    "a call that ends, and its lease does not hear of it": { tamper: without("UPDATE leases SET spent") },
    "a lease that gets back what its call has spent": {
      tamper: rewritten("UPDATE leases SET spent = ?", "UPDATE leases SET spent = 0 * ?"),
    },
    "a lease that goes on after its end": { tamper: without("UPDATE leases SET ended_at") },
    "a lease whose time is never up": {
      tamper: rewritten("SELECT id FROM leases WHERE ended_at IS NULL", "SELECT id FROM leases WHERE 0"),
    },
    "a refusal of a lease that nobody remembers": { tamper: without("UPDATE leases SET refused") },
    "a call that does not know what it drew from": {
      tamper: (query, values) =>
        query.startsWith("INSERT INTO holds") ? { query, values: [...values.slice(0, -1), null] } : { query, values },
    },
    "a late settle whose lease does not hear of it": {
      tamper: rewritten("charged, elsewhere, lease FROM ended", "charged, elsewhere, NULL AS lease FROM ended"),
      of: tasks,
    },
    "requests in flight that nobody counts": { tamper: rewritten("SELECT count(*) AS count FROM holds", "SELECT 0 AS count FROM holds") },
  };

  it.each(Object.keys(DEFECTS))(
    "its property catches %s",
    (name) => {
      const found = fc.check(
        fc.property(DEFECTS[name]!.of ?? story, (told) => play(told, DEFECTS[name])),
        { numRuns: 20_000, endOnFailure: true, seed: 7 },
      );
      expect(found.failed).toBe(true);
    },
    120_000,
  );
});
