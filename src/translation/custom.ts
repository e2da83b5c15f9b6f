import type { Answer, Step, Tool } from "./conversation.ts";
import type { Json } from "./fields.ts";
import type { Losses } from "./losses.ts";

/**
 * Custom tools take a text where functions take an object. A dialect without them is told of a function with one argument, and what it is
 * called with there is the text here.
 */

const ARGUMENT = "input";

/** The one argument of such a function. */
export const ONE_TEXT: Json = {
  type: "object",
  properties: { [ARGUMENT]: { type: "string" } },
  required: [ARGUMENT],
  additionalProperties: false,
};

/** A tool's description where it is told as a function: a grammar that nothing enforces there is told in words. */
export function describedTo({ description, custom, at }: Tool, losses: Losses): string | null {
  if (!custom?.grammar) return description;
  const field = losses.from === "openai-chat" ? "custom.format" : "format";
  losses.lose(`tools[].${field}`, `${at}.${field}`);
  const { syntax, definition } = custom.grammar;
  return [description, `\`${ARGUMENT}\` must match this ${syntax} grammar:\n${definition}`].filter((each) => each !== null).join("\n\n");
}

/** Whether the tool of that name is a custom one. */
export function isCustom(tools: readonly Tool[], name: string): boolean {
  return tools.some((tool) => tool.name === name && tool.custom !== undefined);
}

/** A custom tool's text as a function's arguments. */
export function argumentsOf(text: string): Json {
  return { [ARGUMENT]: text };
}

/** The text that a function's arguments hold; the arguments themselves where they hold none, as a model may have written anything. */
function textIn(json: string): string {
  try {
    const value = (JSON.parse(json) as Json | null)?.[ARGUMENT];
    return typeof value === "string" ? value : json;
  } catch {
    return json;
  }
}

/** A whole answer whose calls of custom tools, named, are such again. */
export function withCustomCalls(answer: Answer, names: ReadonlySet<string>): Answer {
  const parts = answer.parts.map((part) =>
    part.kind === "call" && names.has(part.name) ? { ...part, custom: true as const, input: textIn(part.input) } : part,
  );
  return { ...answer, parts };
}

const BEGINNING = new RegExp(String.raw`^\s*\{\s*"${ARGUMENT}"\s*:\s*"`);
const BEGINNING_MAX = 256;

/** Draws the text out of a function's arguments as they come, in pieces split anywhere. */
class ArgumentText {
  #json = "";
  /** How much of the arguments has been read, once they are seen to begin with the text. */
  #at: number | null = null;
  #told = "";

  /** What of the text is new. */
  grow(piece: string): string {
    this.#json += piece;
    if (this.#at === null) {
      const begun = BEGINNING.exec(this.#json.slice(0, BEGINNING_MAX));
      if (!begun) return "";
      this.#at = begun[0].length;
    }
    const end = this.#endOfPlain(this.#at);
    const text = JSON.parse(`"${this.#json.slice(this.#at, end)}"`) as string;
    this.#at = end;
    this.#told += text;
    return text;
  }

  /** What is still to be told when the arguments have ended. */
  end(): string {
    const whole = textIn(this.#json);
    return whole.startsWith(this.#told) ? whole.slice(this.#told.length) : "";
  }

  /** How far the string goes on without a half escape, its closing quote, or what no string may hold. */
  #endOfPlain(from: number): number {
    // oxlint-disable-next-line no-control-regex -- JSON has none in its strings.
    const whole = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
    whole.lastIndex = from;
    return from + (whole.exec(this.#json)?.[0].length ?? 0);
  }
}

/** Makes steps of a stream tell calls of custom tools, named, as what they are. */
export class CustomCalls {
  readonly #names: ReadonlySet<string>;
  #open: ArgumentText | null = null;

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  /** The steps that stand for one. */
  of(step: Step): Step[] {
    if (step.kind === "opened" && step.part.kind === "call" && this.#names.has(step.part.name)) {
      this.#open = new ArgumentText();
      return [{ kind: "opened", part: { ...step.part, custom: true } }];
    }
    if (!this.#open) return [step];
    if (step.kind === "grew") return grown(this.#open.grow(step.text));
    if (step.kind !== "closed") return [step];
    const rest = this.#open.end();
    this.#open = null;
    return [...grown(rest), step];
  }
}

function grown(text: string): Step[] {
  return text === "" ? [] : [{ kind: "grew", text }];
}
