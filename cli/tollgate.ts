#!/usr/bin/env node
import { main } from "./main.ts";

const interrupt = new AbortController();
// Once: a second Ctrl-C ends the process where the first one's tidying takes too long.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupt.abort(new Error(signal));
    process.stdin.destroy();
  });
}
// A reader that goes away is noticed by the write that fails; the event alone would end the process with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

process.exitCode = await main({
  argv: process.argv.slice(2),
  env: process.env,
  folder: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
});
