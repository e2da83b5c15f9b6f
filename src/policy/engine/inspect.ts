import { type AnyNode, type Node, parse } from "acorn";
import { LIMITS } from "./limits.ts";

/** What can never work, and where it stands: lines from 1, columns from 1. */
export interface Complaint {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

const COMPLAINTS_MAX = 20;
/** A program of more nodes than this is read no further: none of the allowed size that a bundler writes has so many. */
const NODES_MAX = 500_000;

/**
 * Reads a bundle before any of its code runs, and says what can never work in it: an import (the SDK is bundled in), `eval` and its
 * kin, dynamic `import`, no default export, a size or a syntax that is refused. A courtesy to authors, not a wall: what it overlooks
 * fails in the machine. It runs in the Worker, when a bundle is uploaded; it reads text and runs nothing.
 */
export function complaintsOf(source: string, bytesMax: number = LIMITS.sourceBytes): readonly Complaint[] {
  const bytes = new TextEncoder().encode(source).byteLength;
  if (bytes > bytesMax) return [at(1, 1, `the bundle has ${bytes} bytes, and may have ${bytesMax}`)];
  try {
    const program = parse(source, { ecmaVersion: "latest", sourceType: "module", locations: true });
    const found = complaintsIn(program);
    if (!program.body.some(exportsDefault)) found.push(at(1, 1, "the module must have a policy as its default export"));
    return found.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, COMPLAINTS_MAX);
  } catch (error) {
    return [complaintOf(error)];
  }
}

function complaintsIn(program: Node): Complaint[] {
  const complaints: Complaint[] = [];
  // A list of what is still to be read, and no recursion: the depth is the author's.
  const open: AnyNode[] = [program as AnyNode];
  for (let read = 0; read < NODES_MAX; read++) {
    const node = open.pop();
    if (!node) break;
    const message = faultOf(node);
    if (message !== null) complaints.push(at(node.loc?.start.line ?? 1, (node.loc?.start.column ?? 0) + 1, message));
    for (const part of Object.values(node) as unknown[]) for (const each of [part].flat()) if (isNode(each)) open.push(each);
  }
  return complaints;
}

function faultOf(node: AnyNode): string | null {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
      return node.source ? `imports ${JSON.stringify(node.source.value)}: a bundle stands alone, with the SDK inside it` : null;
    case "ImportExpression":
      return "imports at run time: there is nothing to be loaded where policies run";
    case "CallExpression":
    case "NewExpression":
      return node.callee.type === "Identifier" ? faultOfCall(node.callee.name) : null;
    default:
      return null;
  }
}

function faultOfCall(name: string): string | null {
  return name === "eval" || name === "Function" ? `calls ${name}: code made of text is not run` : null;
}

function exportsDefault(node: AnyNode): boolean {
  if (node.type === "ExportDefaultDeclaration") return true;
  if (node.type !== "ExportNamedDeclaration") return false;
  return node.specifiers.some(({ exported }) => (exported.type === "Identifier" ? exported.name : exported.value) === "default");
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** The parser's own complaint. It throws one that names the place, or, where the nesting is too deep for it, one of the runtime's. */
function complaintOf(error: unknown): Complaint {
  if (error instanceof SyntaxError && "loc" in error) {
    const { line, column } = error.loc as { line: number; column: number };
    return at(line, column + 1, error.message.replace(/ \(\d+:\d+\)$/, ""));
  }
  if (error instanceof RangeError) return at(1, 1, "nests too deeply to be read");
  throw error;
}

function at(line: number, column: number, message: string): Complaint {
  return { line, column, message };
}
