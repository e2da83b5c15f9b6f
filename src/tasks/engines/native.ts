import { type Assignment as Told, ASSIGNMENT } from "#native-agent";
import { GATEWAY_INSIDE, NATIVE_INSIDE, NODE_INSIDE, WORKSPACE_INSIDE } from "#runner-protocol";
import { base64Of } from "./base64.ts";
import type { Adapter, Assignment, Launch, Said } from "./contract.ts";
import { linesOf } from "./lines.ts";

/** How often the model is asked at most, where nobody says. */
const TURNS = 100;
/** Node tells at length of files that it strips types from; nobody here is to be told. */
const NODE = [NODE_INSIDE, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--disable-warning=ExperimentalWarning"];

/** The agent of our own, `runner/native/`, which every runner has. */
export const native = {
  launch: (assignment: Assignment): Launch => ({
    argv: [...NODE, `${NATIVE_INSIDE}/main.ts`, GATEWAY_INSIDE, WORKSPACE_INSIDE],
    env: {},
    files: [],
    home: [{ path: ASSIGNMENT, base64: base64Of(JSON.stringify(told(assignment))) }],
  }),
  read(stdout: string): Said {
    const lines = linesOf(stdout);
    const result = lines.findLast(({ type }) => type === "result");
    // One that was killed has said no result; what it said before that is still the truth.
    if (!result) return { text: textOf(lines.findLast(({ type }) => type === "text")?.["text"]) ?? "", structured: null };
    return { text: textOf(result["text"]) ?? "", structured: result["structured"] ?? null, failure: textOf(result["message"]) };
  },
} satisfies Adapter;

function told({ prompt, model, outputSchema, turnsMax }: Assignment): Told {
  return { prompt, model: model ?? "", outputSchema, turnsMax: turnsMax ?? TURNS };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
