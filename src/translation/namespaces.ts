import type { Answer, CallPart, Spaced, Step, Tool } from "./conversation.ts";

/**
 * Responses groups tools under namespaces, and its calls name both. The other dialects know a tool by one name, so they are told of one
 * that holds both, and a call of it is told back as what it is.
 */

/** Tools of namespaces by the one name that they are told under. */
export type Spaces = ReadonlyMap<string, Spaced>;

/** A tool's one name; tools of no namespace have it already. */
export function flatName({ namespace, name }: { readonly namespace: string | null; readonly name: string }): string {
  return namespace === null ? name : `${namespace}__${name}`;
}

/** The tools that are told under one name in place of two. */
export function spacesOf(tools: readonly Tool[]): Spaces {
  return new Map(tools.flatMap(({ name, spaced }) => (spaced ? [[name, spaced]] : [])));
}

/** A whole answer whose calls name their namespaces again. */
export function withNamespaces(answer: Answer, spaces: Spaces): Answer {
  return { ...answer, parts: answer.parts.map((part) => (part.kind === "call" ? respaced(part, spaces) : part)) };
}

/** A step of a stream, likewise. */
export function stepWithNamespace(step: Step, spaces: Spaces): Step {
  return step.kind === "opened" && step.part.kind === "call" ? { ...step, part: respaced(step.part, spaces) } : step;
}

function respaced<Call extends Pick<CallPart, "name" | "namespace">>(call: Call, spaces: Spaces): Call {
  const spaced = spaces.get(call.name);
  return spaced ? { ...call, ...spaced } : call;
}
