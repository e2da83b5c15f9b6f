import type { Seal } from "./conversation.ts";
import { base64Of, textOf } from "./media.ts";

/**
 * Reasoning that crosses a dialect which has no field for its maker's closing: the seal travels packed in the field that the dialect
 * does have (`signature`, `encrypted_content`), opaque to the client and unpacked when it comes back. Nothing is trusted in it: its
 * maker judges what is inside.
 */

const PREFIX = "tollgate.1.";

/** A seal and the text that it closes. */
export interface Sealed {
  readonly text: string;
  readonly seal: Seal;
}

/** Both as one opaque word. */
export function pack({ text, seal }: Sealed): string {
  const { maker, data, id, hidden } = seal;
  return PREFIX + base64Of(JSON.stringify({ text, maker, data, id, hidden }));
}

/** Whether it is a word that was packed here. */
export function isPacked(word: unknown): boolean {
  return typeof word === "string" && word.startsWith(PREFIX);
}

const MAKERS = ["anthropic", "openai", "chat"] as const;

/** What was packed; null for anything that was not packed here. */
export function unpack(word: string): Sealed | null {
  if (!word.startsWith(PREFIX)) return null;
  const json = textOf(word.slice(PREFIX.length));
  if (json === null) return null;
  try {
    const { text, maker, data, id, hidden } = JSON.parse(json) as Record<string, unknown>;
    const made = MAKERS.find((each) => each === maker);
    if (made === undefined || typeof text !== "string" || typeof data !== "string") return null;
    return { text, seal: { maker: made, data, ...(typeof id === "string" && { id }), ...(hidden === true && { hidden }) } };
  } catch {
    return null;
  }
}
