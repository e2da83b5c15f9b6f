import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Failure } from "./failure.ts";

/** The text of a file, or of standard input for `-`. @throws Failure that names `param`, the option or operand it came by. */
export async function readSource(name: string, param: string): Promise<string> {
  try {
    return await (name === "-" ? text(process.stdin) : readFile(name, "utf8"));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure("failed", `${param}: ${name} cannot be read (${why})`, { code: "file", param, cause: error });
  }
}

/** JSON text as its value. @throws Failure that names `param` and `name`. */
export function parsedJson(content: string, name: string, param: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new Failure("failed", `${param}: ${name} is not JSON`, { code: "file", param, cause: error });
  }
}
