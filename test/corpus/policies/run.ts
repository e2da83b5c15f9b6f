import type { Evaluation } from "../../../src/policy/engine/contract.ts";
import type { Engine } from "../../../src/policy/engine/engine.ts";
import { complaintsOf } from "../../../src/policy/engine/inspect.ts";
import { type Case, CONTEXT, type Expected, SHAPES } from "./case.ts";

/** What a policy came to, and what it burnt: at its registration where it was refused there. */
export interface Outcome {
  readonly came: Expected;
  readonly fuel: number;
  readonly said: string;
}

/** Takes a policy all the way that an operator's goes: it is read, registered and asked. */
export function attempt(engine: Engine, policy: Case, shape: keyof typeof SHAPES): Outcome {
  const source = SHAPES[shape](policy);
  const hash = `${shape}: ${policy.name}`;
  const [complaint] = complaintsOf(source);
  if (complaint) return { came: "complaint", fuel: 0, said: complaint.message };
  const registration = engine.register({ hash, source });
  if (registration.kind === "refused") return { came: "refused", fuel: 0, said: registration.message };
  const evaluation = engine.evaluate({ hash, stage: "evaluate", settings: {}, context: CONTEXT });
  return { ...cameOf(evaluation), fuel: evaluation.fuel };
}

function cameOf({ result }: Evaluation): Omit<Outcome, "fuel"> {
  if (result.kind === "failed") return { came: result.failure as Expected, said: result.message };
  return { came: result.value.allowed ? "allowed" : "denied", said: result.value.reason };
}

/** A policy that means no harm and lives beside the others: what it came to before them, and what it comes to now. */
export function neighbourOf(engine: Engine) {
  const source = SHAPES.object({ name: "neighbour", before: "let seen = 0;", body: NEIGHBOUR, expect: "allowed" });
  engine.keep({ hash: "neighbour", source });
  const ask = () => engine.evaluate({ hash: "neighbour", stage: "evaluate", settings: {}, context: CONTEXT });
  return { ask, before: ask() };
}

const NEIGHBOUR = `seen++;
const names = Object.getOwnPropertyNames(globalThis).length + Object.getOwnPropertyNames(Array.prototype).length;
return { allowed: true, metadata: { seen, names, model: context.request.model, sorted: [3, 1, 2].sort().join() } };`;
