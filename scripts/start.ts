import { join } from "node:path";
import { readConfig } from "#config";
import { greeting, PORT_DEFAULT } from "./greeting.ts";
import { whenOrphaned } from "./orphan.ts";
import { prepare } from "./prepare.ts";
import { boot, build, freePort, keepTime, workerdChildren } from "./runtime.ts";
import { startRunner } from "./runner.ts";
import { givenVariables, isDevelopment, readSecrets, stateFolder, takeFolder } from "./state.ts";

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
  // Whoever ends the process, and however politely, the folder is free again.
  process.once("exit", () => lock.release());
  const { secrets, first } = readSecrets(folder, given);
  const development = isDevelopment(given);
  await freePort(port);
  const runner = await startRunner(folder, given, port);
  process.once("exit", () => runner.stop());
  const variables: Record<string, string> = { TOLLGATE_ENV: "development", ...runner.variables, ...given, ...secrets };
  readConfig(variables);
  build(join(folder, "dist"));
  const bundle = join(folder, "dist/index.js");
  await prepare(folder, bundle, variables, secrets);
  const runtime = await boot(folder, bundle, variables, port);
  lock.noteWorkerd(workerdChildren());
  await keepTime(runtime);
  console.log(greeting({ port, first, development, secrets, given, noRunner: runner.why }));
  const stop = () => void runtime.dispose().then(() => process.exit(0));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  whenOrphaned(stop);
}

await start().catch((error: unknown) => {
  console.error(`Tollgate did not start. ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
