import { join } from "node:path";
import { connect } from "#db";
import { KeyStore } from "#keys";
import { greeting } from "./greeting.ts";
import { boot, build, migrate, workerdChildren } from "./runtime.ts";
import { givenVariables, readSecrets, type Secrets, stateFolder, takeFolder } from "./state.ts";

/** Migrates the database and adopts the development key, on a runtime that nobody can reach yet. */
async function prepare(folder: string, bundle: string, variables: Record<string, string>, secrets: Secrets): Promise<void> {
  const runtime = await boot(folder, bundle, variables, null);
  const database = await runtime.getD1Database("DB");
  await migrate(database, "migrations");
  await new KeyStore(connect(database), secrets.TOLLGATE_PEPPER, Date.now).adopt(secrets.TOLLGATE_DEV_KEY, {
    name: "development",
    metadata: { created_by: "npm start" },
  });
  await runtime.dispose();
}

const port = Number(process.env["PORT"] || 8787);
const folder = stateFolder();
const lock = await takeFolder(folder);
const given = givenVariables();
const { secrets, first } = readSecrets(folder, given);
const development = (given["TOLLGATE_ENV"] ?? "development") === "development";
const variables = { TOLLGATE_ENV: "development", ...given, ...secrets };
const { TOLLGATE_DEV_KEY: _, ...production } = variables;

build(join(folder, "dist"));
const bundle = join(folder, "dist/index.js");
const effective = development ? variables : production;
await prepare(folder, bundle, effective, secrets);
const runtime = await boot(folder, bundle, effective, port);
lock.noteWorkerd(workerdChildren());
console.log(greeting({ port, first, development, secrets, given }));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void runtime.dispose().then(() => {
      lock.release();
      process.exit(0);
    });
  });
}
