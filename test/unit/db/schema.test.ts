import { readdirSync, readFileSync } from "node:fs";
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { expect, it } from "vitest";
import * as schema from "../../../src/db/schema.ts";

const META = "migrations/meta";

it("the migrations make what the schema says: nothing of it waits to be generated", async () => {
  const latest = readdirSync(META)
    .filter((file) => file.endsWith("_snapshot.json"))
    .sort()
    .at(-1)!;
  const made = JSON.parse(readFileSync(`${META}/${latest}`, "utf8")) as Awaited<ReturnType<typeof generateSQLiteDrizzleJson>>;
  expect(await generateSQLiteMigration(made, await generateSQLiteDrizzleJson(schema, made.id))).toEqual([]);
});
