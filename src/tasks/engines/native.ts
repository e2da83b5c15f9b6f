import { type Assignment as Told, ASSIGNMENT } from "#native-agent";
import { GATEWAY_INSIDE, NATIVE_INSIDE, NODE_INSIDE, WORKSPACE_INSIDE } from "#runner-protocol";
import { base64Of } from "./base64.ts";
import type { Adapter, Assignment, Said } from "./contract.ts";

/** How often the model is asked at most; what bounds a task in earnest is its money and its time. */
const TURNS_MAX = 100;
/** Node tells at length of files that it strips types from; nobody here is to be told. */
const NODE = [NODE_INSIDE, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--disable-warning=ExperimentalWarning"];

/** The agent of our own, `runner/native/`, which every runner has. */
export const native: Adapter = {
  launch: (assignment) => ({
    argv: [...NODE, `${NATIVE_INSIDE}/main.ts`, GATEWAY_INSIDE, WORKSPACE_INSIDE],
    env: {},
    files: [],
    home: [{ path: ASSIGNMENT, base64: base64Of(JSON.stringify(told(assignment))) }],
  }),
  read(stdout): Said {
    const lines = linesOf(stdout);
    const result = lines.findLast(({ type }) => type === "result");
    // One that was killed has said no result; what it said before that is still the truth.
    if (!result) return { text: textOf(lines.findLast(({ type }) => type === "text")?.["text"]) ?? "", structured: null };
    return { text: textOf(result["text"]) ?? "", structured: result["structured"] ?? null, failure: textOf(result["message"]) };
  },
};

function told({ prompt, model, outputSchema }: Assignment): Told {
  return { prompt, model: model ?? "", outputSchema, turnsMax: TURNS_MAX };
}

type Line = Readonly<Record<string, unknown>>;

/** The objects that it wrote, one to a line; what is no object is none of its lines. */
function linesOf(stdout: string): Line[] {
  return stdout.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isLine(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

function isLine(value: unknown): value is Line {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
