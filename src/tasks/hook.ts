import * as z from "zod";
import { type Caller, isShallow, sha256, TollgateError } from "#core";
import { type Approval, type Question, SHOWN_CHARACTERS, type Unasked } from "./contract.ts";
import type { Governors } from "./governor.ts";
import { toolNamed } from "./permissions/tools.ts";
import type { TaskObject } from "./task.do.ts";

/** What Claude Code tells a hook (https://code.claude.com/docs/en/hooks); our own agent speaks the same. */
const hookInput = z.looseObject({
  hook_event_name: z.string(),
  tool_name: z.string().min(1).max(256).optional(),
  tool_input: z
    .unknown()
    .refine((given) => isShallow(given))
    .optional(),
  tool_use_id: z.string().max(256).optional(),
});

/** What it is told back: nothing, where nothing is to be said. */
export interface HookAnswer {
  readonly hookSpecificOutput?: {
    readonly hookEventName: "PreToolUse";
    readonly permissionDecision: "allow" | "deny";
    readonly permissionDecisionReason: string;
  };
}

/** So long one trip waits for a person's word. */
const WAIT_MS = 20_000;

/** The verdicts that agents ask for before they use a tool. */
export class Hook {
  readonly #objects: DurableObjectNamespace<TaskObject>;
  readonly #governors: Governors;

  constructor(objects: DurableObjectNamespace<TaskObject>, governors: Governors) {
    this.#objects = objects;
    this.#governors = governors;
  }

  /**
   * Answers a hook of a task's agent. One that asks for a call that waits for a person's word is answered with it, or at the task's end;
   * asked again for the same call, it is the same question.
   * @throws TollgateError `invalid_request`.
   */
  async answer({ task }: Caller & { readonly task: string }, body: unknown, { signal, request }: HookAsked): Promise<HookAnswer> {
    const read = hookInput.safeParse(body);
    if (!read.success) throw wrong(read.error.issues[0]?.path.join(".") ?? "");
    const { hook_event_name: event, tool_name: name, tool_input: given = {}, tool_use_id: id = "" } = read.data;
    if (event !== "PreToolUse") return {};
    if (name === undefined) throw wrong("tool_name");
    const input = JSON.stringify(given);
    const governor = await this.#governors.of(task);
    const { outcome, reason } = await governor.asked({ id, name, input }, request);
    if (outcome === "allowed") return told("allow", "the task's permissions allow it");
    if (outcome !== "ask") return told("deny", reason ?? outcome);
    if (input.length > SHOWN_CHARACTERS) {
      await this.#objects.getByName(task).incident({ event: "question_refused", reason: "unshowable" });
      return told("deny", "it waits for a person's word, and is too long to be shown");
    }
    const question = { id: await idOf([id, name, input]), tool: toolNamed(name), input: given };
    return this.#word(task, question, signal);
  }

  async #word(task: string, question: Question, signal: AbortSignal): Promise<HookAnswer> {
    const object = this.#objects.getByName(task);
    while (!signal.aborted) {
      const approval = await (object.ask(question, WAIT_MS) as Promise<Approval | Unasked>);
      if (approval === "ended") return told("deny", "the task has ended");
      if (approval === "full") {
        await object.incident({ event: "question_refused", reason: "unasked" });
        return told("deny", "too many calls of this task wait for a person's word");
      }
      if (approval.word === null) continue;
      const { decision, reason } = approval.word;
      if (decision === "approve") return told("allow", reason ?? "approved");
      return told("deny", reason === null ? "denied by the task's owner" : `denied by the task's owner: ${reason}`);
    }
    return told("deny", "nobody waits for the word any more");
  }
}

/** How a hook is asked. */
interface HookAsked {
  readonly signal: AbortSignal;
  /** The request's id. */
  readonly request: string;
}

/** What waits before a task's command begins. */
export async function questionOf(task: string, argv: readonly string[]): Promise<Question> {
  return { id: await idOf([task, ...argv]), tool: "Bash", input: { command: argv } };
}

function told(decision: "allow" | "deny", reason: string): HookAnswer {
  return { hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision: decision, permissionDecisionReason: reason } };
}

function wrong(param: string): TollgateError {
  return new TollgateError("invalid_request", `${param || "The body"} is not what a hook is told`, param === "" ? {} : { param });
}

/** Of the call's own id and all that it is: an agent's ids may come again, with another call. */
async function idOf(parts: readonly string[]): Promise<string> {
  return `apr_${(await sha256(JSON.stringify(parts))).slice(0, 24)}`;
}
