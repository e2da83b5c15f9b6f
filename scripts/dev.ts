import { spawn } from "node:child_process";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { givenVariables, readSecrets, stateFolder, takeFolder } from "./state.ts";

/** `npm run dev`: `wrangler dev` with reload, on the same state and secrets as `npm start`. */
const folder = stateFolder();
const lock = await takeFolder(folder);
const given = givenVariables();
const { secrets } = readSecrets(folder, given);
const variables = join(folder, "dev.env");
const lines = Object.entries({ TOLLGATE_ENV: "development", ...given, ...secrets }).map(([name, value]) => `${name}="${value}"\n`);
writeFileSync(variables, lines.join(""), { mode: 0o600 });

const wrangler = join(import.meta.dirname, "../node_modules/wrangler/bin/wrangler.js");
const run = (...words: string[]) => spawn(process.execPath, [wrangler, ...words], { stdio: "inherit" });
const ended = (child: ReturnType<typeof run>) => new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)));

const migrated = await ended(run("d1", "migrations", "apply", "DB", "--local", "--persist-to", folder));
if (migrated !== 0) process.exit(migrated);
console.log(`API key ${secrets.TOLLGATE_DEV_KEY} (works after the first npm start); admin key in .dev.vars`);
const server = run("dev", "--persist-to", folder, "--env-file", variables, "--port", process.env["PORT"] ?? "8787");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => server.kill(signal));
const code = await ended(server);
lock.release();
process.exit(code);
