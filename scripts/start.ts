import { join } from "node:path";
import { boot, build, migrate, workerdChildren } from "./runtime.ts";
import { readSecrets, readVariables, stateFolder, takeFolder } from "./state.ts";

const port = Number(process.env["PORT"] ?? 8787);
const folder = stateFolder();
const lock = takeFolder(folder);
const passed = Object.entries({ ...readVariables(".dev.vars"), ...process.env }).filter(([name]) =>
  /^(TOLLGATE_|OPENAI_|ANTHROPIC_|OLLAMA_)/.test(name),
);
const given = Object.fromEntries(passed.map(([name, value]) => [name, value ?? ""]));
const variables = { TOLLGATE_ENV: "development", ...readSecrets(folder), ...given };

build(join(folder, "dist"));
const bundle = join(folder, "dist/index.js");

const preparing = await boot(folder, bundle, variables, null);
await migrate(await preparing.getD1Database("DB"), "migrations");
await preparing.dispose();

const runtime = await boot(folder, bundle, variables, port);
lock.noteWorkerd(workerdChildren());
console.log(`Tollgate is up on http://127.0.0.1:${port}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void runtime.dispose().then(() => {
      lock.release();
      process.exit(0);
    });
  });
}
