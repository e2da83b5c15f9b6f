import { wrong } from "#wire";
import type { Conversation, Message, Part, ResultPart } from "./conversation.ts";

/** What each turn may hold. Every vendor says so; a writer may rely on it. */
const FITS: Readonly<Record<Message["role"], readonly Part["kind"][]>> = {
  system: ["text"],
  developer: ["text"],
  user: ["text", "image", "document", "result"],
  assistant: ["text", "refusal", "call", "reasoning"],
};

/** @throws TollgateError `invalid_request` naming the part that stands in a turn where it cannot. */
export function requireFitting({ messages }: Conversation): void {
  for (const { role, parts } of messages) {
    const odd = parts.find(({ kind }) => !FITS[role].includes(kind));
    if (odd) throw wrong(odd.at, `cannot stand in a ${role} message`);
  }
}

/** What a tool may give back. @throws TollgateError `invalid_request` naming what it cannot. */
export function given(parts: readonly Part[]): ResultPart["parts"] {
  return parts.map((part) => {
    if (part.kind === "text" || part.kind === "image" || part.kind === "document") return part;
    throw wrong(part.at, "cannot stand in a tool's result");
  });
}

/** The words for a tool's failure, where no field says it. */
export const FAILED = "The tool failed.";

/** What a tool gave back, as a dialect tells it that has no field for its failure. */
export function givenInWords({ parts, failed, at }: ResultPart): ResultPart["parts"] {
  return failed ? [{ kind: "text", text: FAILED, at }, ...parts] : parts;
}
