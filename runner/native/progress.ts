import type { ToolResultBlock, ToolUseBlock } from "./messages.ts";
import { toolNamed } from "./tools/tools.ts";

const TIMES_MAX = 3;

/** Whether the work still comes to something: a model that goes in circles spends money for nothing. */
export class Progress {
  #seen = new Map<string, number>();
  #failedTurns = 0;

  /** Takes a turn down; why it is time to stop, or null. */
  after(calls: readonly ToolUseBlock[], results: readonly ToolResultBlock[]): string | null {
    this.#failedTurns = results.every(({ is_error }) => is_error) ? this.#failedTurns + 1 : 0;
    for (const [at, { name, input }] of calls.entries()) {
      const { content, is_error } = results[at]!;
      const what = JSON.stringify([name, input, content]);
      const times = (this.#seen.get(what) ?? 0) + 1;
      // What was changed in between makes the same answer another: a test that fails again after an edit is work.
      if (times === 1 && !is_error && toolNamed(name)?.readsOnly === false) this.#seen.clear();
      this.#seen.set(what, times);
      if (times === TIMES_MAX) return `${name} was called ${TIMES_MAX} times with the same input and the same result`;
    }
    return this.#failedTurns === TIMES_MAX ? `in ${TIMES_MAX} turns in a row every call failed` : null;
  }
}
