import { join } from "node:path";
import { readConfig } from "#config";
import { connect } from "#db";
import { KeyStore } from "#keys";
import { greeting } from "./greeting.ts";
import { boot, build, freePort, migrate, workerdChildren } from "./runtime.ts";
import { givenVariables, isDevelopment, readSecrets, type Secrets, stateFolder, takeFolder } from "./state.ts";

const PORT_DEFAULT = 8787;

/** Migrates the database and adopts the development key, on a runtime that nobody can reach yet. */
async function prepare(folder: string, bundle: string, variables: Record<string, string>, secrets: Secrets): Promise<void> {
  const runtime = await boot(folder, bundle, variables, null);
  const database = await runtime.getD1Database("DB");
  await migrate(database, "migrations");
  if (secrets.TOLLGATE_DEV_KEY !== undefined) {
    const fields = { name: "development", metadata: { created_by: "npm start" } };
    await new KeyStore(connect(database), secrets.TOLLGATE_PEPPER, Date.now).adopt(secrets.TOLLGATE_DEV_KEY, fields);
  }
  await runtime.dispose();
}

function readPort(): number {
  const port = Number(process.env["PORT"] || PORT_DEFAULT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("PORT must be a port number");
  return port;
}

async function start(): Promise<void> {
  const port = readPort();
  const given = givenVariables();
  const folder = stateFolder();
  const lock = await takeFolder(folder);
  const { secrets, first } = readSecrets(folder, given);
  const development = isDevelopment(given);
  const variables: Record<string, string> = { TOLLGATE_ENV: "development", ...given, ...secrets };
  readConfig(variables);
  await freePort(port);
  build(join(folder, "dist"));
  const bundle = join(folder, "dist/index.js");
  await prepare(folder, bundle, variables, secrets);
  const runtime = await boot(folder, bundle, variables, port);
  lock.noteWorkerd(workerdChildren());
  console.log(greeting({ port, first, development, secrets, given }));
  const stop = async () => {
    await runtime.dispose();
    lock.release();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());
}

await start().catch((error: unknown) => {
  console.error(`Tollgate did not start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
