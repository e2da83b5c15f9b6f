import { connect } from "#db";
import { KeyStore } from "#keys";
import { boot, migrate } from "./runtime.ts";
import type { Secrets } from "./state.ts";

/** Migrates the database and adopts the development key, on a runtime that nobody can reach yet. */
export async function prepare(folder: string, bundle: string, variables: Record<string, string>, secrets: Secrets): Promise<void> {
  const runtime = await boot(folder, bundle, variables, null);
  const database = await runtime.getD1Database("DB");
  await migrate(database, "migrations");
  if (secrets.TOLLGATE_DEV_KEY !== undefined) {
    const fields = { name: "development", profile: "default", metadata: { created_by: "npm start" } };
    await new KeyStore(connect(database), secrets.TOLLGATE_PEPPER, Date.now).adopt(secrets.TOLLGATE_DEV_KEY, fields);
  }
  await runtime.dispose();
}
