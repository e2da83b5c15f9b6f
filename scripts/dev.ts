import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { whenOrphaned } from "./orphan.ts";
import { prepare } from "./prepare.ts";
import { startRunner } from "./runner.ts";
import { build } from "./runtime.ts";
import { givenVariables, readSecrets, stateFolder, takeFolder } from "./state.ts";

/** `npm run dev`: `wrangler dev` with reload, on the same state, secrets and development key as `npm start`. */
const folder = stateFolder();
const lock = await takeFolder(folder);
process.once("exit", () => lock.release());
const given = givenVariables();
const { secrets } = readSecrets(folder, given);
const port = Number(process.env["PORT"] ?? 8787);
const runner = await startRunner(folder, given, port);
process.once("exit", () => runner.stop());
const variables: Record<string, string> = { TOLLGATE_ENV: "development", ...runner.variables, ...given, ...secrets };
build(join(folder, "dist"));
await prepare(folder, join(folder, "dist/index.js"), variables, secrets);

const file = join(folder, "dev.env");
const lines = Object.entries(variables).map(([name, value]) => `${name}="${value}"\n`);
writeFileSync(file, lines.join(""), { mode: 0o600 });
console.log(`API key ${secrets.TOLLGATE_DEV_KEY ?? "none: TOLLGATE_ENV is not development"}; admin key in .dev.vars`);
const wrangler = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");
const words = ["dev", "--persist-to", folder, "--env-file", file, "--port", String(port)];
const server = spawn(process.execPath, [wrangler, ...words], { stdio: "inherit", env: { ...process.env, WRANGLER_LOG: "log" } });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => server.kill(signal));
whenOrphaned(() => server.kill("SIGTERM"));
server.once("exit", (code) => process.exit(code ?? 1));
