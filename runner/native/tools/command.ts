import { spawn } from "node:child_process";
import { abridge } from "../abridge.ts";

/** How a command went. */
export interface Ran {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly late: boolean;
}

/** So long is the output of what it left behind still waited for. */
const CLOSE_MS = 500;
/** Of the head and of the tail each so much is kept while it runs; what lies between is counted. */
const KEPT_CHARS = 200_000;

/** Runs a program in a process group of its own, both its outputs as one; after its time the whole group is killed. */
export function runCommand(
  argv: readonly string[],
  { cwd, timeoutMs }: { readonly cwd: string; readonly timeoutMs: number },
): Promise<Ran> {
  const [program = "", ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let late = false;
    const take = (text: string) => (output = abridge(output + text, 2 * KEPT_CHARS));
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const end = (code: number | null, signal: string | null) => {
      clearTimeout(timer);
      resolve({ code, signal, output, late });
    };
    const timer = setTimeout(() => {
      late = true;
      // The group lives as long as one of it does, so its number is nobody else's.
      process.kill(-child.pid!, "SIGKILL");
    }, timeoutMs);
    child.once("error", (error) => {
      output += error.message;
      end(127, null);
    });
    child.once("close", end);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      // What it left in the background may hold the pipes open for as long as it likes.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        end(code, signal);
      }, CLOSE_MS).unref();
    });
  });
}
