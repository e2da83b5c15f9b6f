import { styleText } from "node:util";
import packageJson from "#package" with { type: "json" };
import type { Command } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { connect, type Surroundings } from "./connect.ts";
import { EXIT, Failure } from "./failure.ts";
import { Gateway } from "./gateway.ts";
import { helpPage } from "./help.ts";
import { fieldsOf } from "./option.ts";
import { Output, type Stream } from "./output.ts";
import { type Asked, commandNamed, parse } from "./parse.ts";
import { failureJson, failureLines } from "./report.ts";

/** What the program is started with: words, streams, and what surrounds them. */
export interface Start extends Surroundings {
  readonly argv: readonly string[];
  readonly stdout: Stream;
  readonly stderr: Stream;
}

/** Runs one command line to its end and answers the exit code. Nothing that a user can do makes it throw. */
export async function main(start: Start): Promise<number> {
  let asked: Asked | null = null;
  try {
    asked = parse(start.argv, COMMANDS);
    const end = await answer(asked, start);
    return typeof end === "number" ? end : EXIT[end];
  } catch (error) {
    return EXIT[await report(error, asked, start).catch(() => "failed" as const)];
  }
}

async function answer(asked: Asked, start: Start): Promise<keyof typeof EXIT | number> {
  const { stdout, stderr } = start;
  if (asked.kind !== "command") {
    const page = asked.kind === "version" ? `tollgate ${packageJson.version}\n` : helpPage(asked.topic, COMMANDS);
    await new Output(stdout, stderr, { json: false, field: null }).text(page);
    return "ok";
  }
  const { command, operands, given, everywhere } = asked;
  const output = new Output(stdout, stderr, { json: everywhere.json ?? false, field: everywhere.field ?? null });
  const { warnings, ...connection } = connect(everywhere, start);
  for (const warning of warnings) await output.warn(warning);
  const fields = fieldsOf(command.options, given);
  return (await command.run({ operands, given, fields, gateway: new Gateway(connection), env: start.env, output })) ?? "ok";
}

/** Tells what went wrong, where it belongs: standard error. */
async function report(error: unknown, asked: Asked | null, start: Start): Promise<keyof typeof EXIT> {
  const output = new Output(start.stdout, start.stderr, { json: false, field: null });
  await output.progress("");
  if (start.signal.aborted) return "interrupted";
  // Whoever reads us has read enough, as `head` does: that is their good right and no failure of ours.
  if ((error as NodeJS.ErrnoException).code === "EPIPE") return "ok";
  const failure = error instanceof Failure ? error : new Failure("failed", `A fault of this program: ${String(error)}`, { code: "fault" });
  const command: Command | null = asked?.kind === "command" ? asked.command : commandNamed(start.argv, COMMANDS);
  const wantsJson = asked?.kind === "command" ? asked.everywhere.json : start.argv.includes("--json");
  if (wantsJson) await output.note(failureJson(failure));
  else {
    const word = styleText("red", "error:", { stream: start.stderr });
    await output.note(`${word} ${failureLines(failure, command).join("\n")}`);
  }
  return failure.exit;
}
