import { CallFailure, type Gateway, textOf } from "./gateway.ts";
import type { ToolUseBlock } from "./messages.ts";

/** Why a call may not run; null where it may. */
export type Permission = (call: ToolUseBlock) => Promise<string | null>;

const TRIES = 4;
/** One that was held for so long waited for a person: that it broke off says nothing of the next. */
const HELD_MS = 5_000;

/** Asks the gateway before each call, as Claude Code's PreToolUse hook does. Whatever is not a clear yes is a no. */
export function permissionOf(gateway: Gateway, session: string): Permission {
  return async ({ id, name, input }) => {
    const question = { hook_event_name: "PreToolUse", session_id: session, tool_name: name, tool_input: input, tool_use_id: id };
    for (let tries = 1; ; tries++) {
      const began = Date.now();
      try {
        return refusalIn(await textOf(await gateway.post("/v1/task/hook", question)));
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        // A question that broke off is the same question when it is asked again.
        if (Date.now() - began > HELD_MS) tries = 0;
        if (error.kind === "refused" || tries === TRIES) return `no permission could be had: ${error.message}`;
      }
    }
  };
}

function refusalIn(text: string): string | null {
  try {
    const { hookSpecificOutput: told } = JSON.parse(text) as {
      hookSpecificOutput?: { permissionDecision?: unknown; permissionDecisionReason?: unknown };
    };
    if (told?.permissionDecision === "allow") return null;
    return typeof told?.permissionDecisionReason === "string" ? told.permissionDecisionReason : "no permission was given";
  } catch {
    return "no permission could be had: the gateway's answer cannot be read";
  }
}
