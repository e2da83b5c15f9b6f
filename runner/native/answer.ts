import type { ToolOffer, ToolUseBlock } from "./messages.ts";

/** The tool that a model gives its answer by where the task asks for a form: Claude Code's own has the same name. */
const NAME = "StructuredOutput";

/** What an answer came to: what fits, or why it does not. */
export type Checked = { readonly value: unknown } | { readonly misfit: string };

/** The form that a task's answer must have. */
export class AnswerForm {
  readonly offer: ToolOffer;
  readonly #check: (value: unknown) => string | null;
  readonly #wrapped: boolean;

  private constructor(schema: Readonly<Record<string, unknown>>, check: (value: unknown) => string | null) {
    // A call's input is an object: any other answer stands in one.
    this.#wrapped = schema["type"] !== "object";
    this.#check = check;
    this.offer = {
      name: NAME,
      description: "Gives the answer of the task, and ends it. Call it once, when all else is done.",
      input_schema: this.#wrapped ? { type: "object", properties: { answer: schema }, required: ["answer"] } : schema,
    };
  }

  /** @throws Error where the schema is none that can be checked. */
  static async of(schema: Readonly<Record<string, unknown>>): Promise<AnswerForm> {
    const { fromJSONSchema } = await import("zod");
    const form = fromJSONSchema(schema);
    return new AnswerForm(schema, (value) => {
      const { error } = form.safeParse(value);
      return error ? error.issues.map(({ path, message }) => `${path.join(".") || "the answer"}: ${message}`).join("; ") : null;
    });
  }

  /** What the model is told of it. */
  get words(): string {
    return `When you are done, give your answer by calling ${NAME}. Where there is no such tool, let your last message be the answer alone, as JSON that fits this schema:\n${JSON.stringify(this.offer.input_schema)}`;
  }

  /** The answer among a turn's calls; null where there is none. */
  called(calls: readonly ToolUseBlock[]): ToolUseBlock | null {
    return calls.find(({ name }) => name === NAME) ?? null;
  }

  /** Whether an input fits. */
  checked(input: unknown): Checked {
    const value = this.#wrapped && isObject(input) && "answer" in input ? input["answer"] : input;
    const misfit = this.#check(value);
    return misfit === null ? { value } : { misfit };
  }

  /** Whether words are the answer as JSON, by themselves or in a fence of their own. */
  read(text: string): Checked {
    const [, fenced] = /^\s*```(?:json)?\n([\s\S]*)\n```\s*$/.exec(text) ?? [];
    try {
      return this.checked(JSON.parse(fenced ?? text));
    } catch {
      return { misfit: `the last message is no JSON, and ${NAME} was not called` };
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
