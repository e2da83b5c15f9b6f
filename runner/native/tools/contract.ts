import { ToolError } from "../tool-error.ts";
import type { Workspace } from "../workspace.ts";

/** A tool of the agent's. Names and inputs are Claude Code's, so that one profile governs both. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** The JSON schema of its input. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Changes nothing, so that calls of it may run beside each other. */
  readonly readsOnly: boolean;
  /** @throws ToolError */
  run(input: Input, workspace: Workspace): Promise<string>;
}

/** What a model gave a tool, read field by field. */
export class Input {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  /** @throws ToolError where it is not there or is no text. */
  text(name: string): string {
    const value = this.textOr(name, null);
    if (value === null) throw new ToolError(`${name}: must be a text`);
    return value;
  }

  textOr<Else extends string | null>(name: string, otherwise: Else): string | Else {
    const value = this.#fields[name] ?? otherwise;
    if (value !== otherwise && typeof value !== "string") throw new ToolError(`${name}: must be a text`);
    return value as string | Else;
  }

  /** A whole number within bounds. */
  count(name: string, { otherwise, max }: { readonly otherwise: number; readonly max: number }): number {
    const value = Number(this.#fields[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 0) throw new ToolError(`${name}: must be a whole number`);
    return Math.min(value, max);
  }

  flag(name: string): boolean {
    const value = this.#fields[name] ?? false;
    if (typeof value !== "boolean") throw new ToolError(`${name}: must be true or false`);
    return value;
  }
}

/** The schema of an input: its fields, those that are needed first. */
export function inputSchema(properties: Readonly<Record<string, object>>, required: readonly string[]): Tool["schema"] {
  return { type: "object", properties, required, additionalProperties: false };
}
