import { abridge } from "./abridge.ts";
import type { ToolResultBlock, ToolUseBlock } from "./messages.ts";
import type { Permission } from "./permission.ts";
import type { Report } from "./report.ts";
import { ToolError } from "./tool-error.ts";
import { Input } from "./tools/contract.ts";
import { toolNamed } from "./tools/tools.ts";
import type { Workspace } from "./workspace.ts";

const RESULT_CHARS_MAX = 30_000;

/** Runs the model's calls, each only once it is permitted: those that only read beside each other, the others one by one, in their order. */
export class Hands {
  readonly #workspace: Workspace;
  readonly #permission: Permission;
  readonly #report: Report;

  constructor(workspace: Workspace, permission: Permission, report: Report) {
    this.#workspace = workspace;
    this.#permission = permission;
    this.#report = report;
  }

  /** What each call came to, in the order of the calls; a failure is a result, told to the model. */
  async run(calls: readonly ToolUseBlock[], malformed: ReadonlySet<string>): Promise<ToolResultBlock[]> {
    const results: ToolResultBlock[] = [];
    for (const group of grouped(calls)) results.push(...(await Promise.all(group.map((call) => this.#result(call, malformed)))));
    return results;
  }

  async #result(call: ToolUseBlock, malformed: ReadonlySet<string>): Promise<ToolResultBlock> {
    this.#report.tell({ type: "tool_use", id: call.id, name: call.name, input: call.input });
    const { text, error } = malformed.has(call.id)
      ? { text: "The input is no whole JSON object: it was cut off. Make it shorter.", error: true }
      : await this.#attempt(call);
    const content = abridge(text, RESULT_CHARS_MAX);
    this.#report.tell({ type: "tool_result", id: call.id, error, text: content });
    return { type: "tool_result", tool_use_id: call.id, content, ...(error ? { is_error: true } : {}) };
  }

  async #attempt(call: ToolUseBlock): Promise<{ readonly text: string; readonly error: boolean }> {
    const tool = toolNamed(call.name);
    if (!tool) return { text: `There is no tool ${call.name}.`, error: true };
    const refusal = await this.#permission(call);
    if (refusal !== null) return { text: `Not permitted: ${refusal}`, error: true };
    try {
      return { text: await tool.run(new Input(call.input), this.#workspace), error: false };
    } catch (error) {
      if (error instanceof ToolError) return { text: error.message, error: true };
      // A tool that fails in a way nobody thought of is no reason to lose what the task has come to.
      return { text: `The tool failed: ${error instanceof Error ? error.message : "for no reason told"}`, error: true };
    }
  }
}

function* grouped(calls: readonly ToolUseBlock[]): Generator<readonly ToolUseBlock[]> {
  let reading: ToolUseBlock[] = [];
  for (const call of calls) {
    if (toolNamed(call.name)?.readsOnly) {
      reading.push(call);
      continue;
    }
    if (reading.length > 0) yield reading;
    reading = [];
    yield [call];
  }
  if (reading.length > 0) yield reading;
}
