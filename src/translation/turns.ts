import type { Json } from "./fields.ts";

/** A turn of Messages. */
interface Turn {
  readonly role: "user" | "assistant" | "system";
  readonly content: Json[];
}

/**
 * A conversation as Messages takes it: between two answers one turn of the user's, and behind it one of instructions; what the model
 * said in a row is one turn, and one with nothing left in it is none.
 */
export class Turns {
  readonly #turns: Turn[] = [];

  get all(): readonly Turn[] {
    return this.#turns;
  }

  /** Adds what was said next. */
  add(role: Turn["role"], content: readonly Json[]): void {
    const at = this.#placeFor(role);
    const before = this.#turns[at - 1];
    if (before?.role === role) before.content.push(...content);
    else if (role !== "assistant" || content.length > 0) this.#turns.splice(at, 0, { role, content: [...content] });
  }

  /** What the user says goes before the instructions that wait behind the user's turn. */
  #placeFor(role: Turn["role"]): number {
    const end = this.#turns.length;
    return role === "user" && this.#turns.at(-1)?.role === "system" ? end - 1 : end;
  }
}
