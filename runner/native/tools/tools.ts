import type { ToolOffer } from "../messages.ts";
import { bash } from "./bash.ts";
import type { Tool } from "./contract.ts";
import { edit } from "./edit.ts";
import { glob } from "./glob.ts";
import { grep } from "./grep.ts";
import { read } from "./read.ts";
import { write } from "./write.ts";

/** The agent's tools, in the order in which the model is told of them. */
const TOOLS: readonly Tool[] = [read, write, edit, glob, grep, bash];

/** The tools as the model is told of them. What a task may not use, the gateway takes out on the way. */
export const OFFERS: readonly ToolOffer[] = TOOLS.map(({ name, description, schema }) => ({ name, description, input_schema: schema }));

/** The tool of a name; undefined where there is none. */
export function toolNamed(name: string): Tool | undefined {
  return TOOLS.find((each) => each.name === name);
}
