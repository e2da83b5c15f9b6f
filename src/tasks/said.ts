import { isShallow } from "#core";
import type { Task } from "./contract.ts";
import type { Said } from "./engines/contract.ts";
import { adapterOf } from "./engines/engines.ts";

/** So much of what an engine said stands in its result. */
const TEXT_CHARS_MAX = 65_536;
/** A larger result is none: a stored value holds 2 MB at most. */
const STRUCTURED_CHARS_MAX = 500_000;

/** What a task's engine said in all that it wrote, as far as a result holds it. */
export function saidOf({ effective: { engine }, outputSchema = null }: Task, stdout: string): Said {
  const said = adapterOf(engine).read(stdout, { outputSchema });
  const fits = isShallow(said.structured) && JSON.stringify(said.structured ?? null).length <= STRUCTURED_CHARS_MAX;
  return { ...said, text: said.text.slice(0, TEXT_CHARS_MAX), structured: fits ? said.structured : null };
}
