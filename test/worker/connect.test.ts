import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { afterEach, expect, test, vi } from "vitest";
import { connect, tables } from "#db";
import { errorResponse } from "#http";
import { db } from "../support/events.ts";

const CANARY = "canary-parameter-5b1f7c20";
const team = { id: CANARY, name: CANARY, metadata: { note: CANARY }, createdAt: 1 };

/** Statements that D1 refuses, each with the canary among what it is given. */
const REFUSED = {
  "an insert": () => db.insert(tables.teams).values(team),
  "an insert that answers": () => db.insert(tables.teams).values(team).returning(),
  "a select": () =>
    db
      .select()
      .from(tables.teams)
      .where(sql`nowhere = ${CANARY}`),
  "a statement of its own": () => db.run(sql`insert into nowhere values (${CANARY})`),
  "a query for one": () => db.get(sql`select * from nowhere where id = ${CANARY}`),
  "a count": () => db.$count(tables.teams, sql`nowhere = ${CANARY}`),
  "a batch": () => db.batch([db.insert(tables.teams).values(team), db.insert(tables.teams).values(team)]),
  "a connection of somebody else's": () => connect(env.DB).insert(tables.teams).values(team),
} as const;

afterEach(() => vi.restoreAllMocks());

test.each(Object.entries(REFUSED))("threat 26: what D1 refuses stands in no log with what it was given: %s", async (_, refused) => {
  await db.insert(tables.teams).values(team).onConflictDoNothing();
  let logged = "";
  vi.spyOn(console, "error").mockImplementation((...parts: unknown[]) => void (logged += parts.join(" ")));
  const thrown: unknown = await Promise.resolve(refused()).then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Error);
  const { status } = errorResponse(thrown, new Request("https://gateway.test/v1/models"), "req_1");
  expect(status).toBe(500);
  expect(logged).toMatch(/D1_ERROR: (UNIQUE constraint failed: teams\.id|no such (table|column): no)/);
  for (let error = thrown; error instanceof Error; error = error.cause)
    expect(JSON.stringify([logged, error.message, error.stack, error])).not.toContain(CANARY);
});
