import { type Described, STAGES, type Stage } from "./contract.ts";
import { FIXED } from "./limits.ts";
import { withTime } from "./own-time.ts";
import { faultOf, isRecord, parsed } from "./read.ts";

/** A policy's own test, as it was read: a context, and what of the decision must be so. */
export interface PolicyTest {
  readonly name: string;
  readonly stage: Stage;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  readonly expect: Readonly<Record<string, unknown>>;
}

/** What a module says of itself, before its tests have run. */
export type Said = Omit<Described, "loadFuel" | "tests"> & { readonly tests: readonly PolicyTest[] };

/** What a policy may ask to be told. */
export const NEEDS = ["time", "clock", "key", "budget", "estimate", "request", "messages", "metadata", "response"] as const;
const NEED = /^counters:[a-z][a-z0-9_-]{0,31}$/;
const NEEDS_MAX = 16;
const COUNTERS = "counters";
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
/** A version: three numbers below 100,000. */
export const VERSION = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})$/;
const PRIORITY_DEFAULT = 100;
/** The last number that a policy may have in the order of a chain; the first is 0. */
export const PRIORITY_MAX = 1_000_000;

type Fields = Readonly<Record<string, unknown>>;
const isText = (value: unknown): value is string => typeof value === "string";

/** What each member must be, in the order in which it is asked. */
const RULES: readonly (readonly [field: string, rule: string, holds: (value: unknown) => boolean])[] = [
  ["name", "must be 1 to 63 small letters, digits and hyphens, a letter first", (value) => isText(value) && NAME.test(value)],
  ["version", "must be three numbers such as 1.0.0", (value) => isText(value) && VERSION.test(value)],
  ["priority", `must be a whole number from 0 to ${PRIORITY_MAX}`, isPriority],
  ["compose", "must be all or any", (value) => value === "all" || value === "any"],
  ["needs", `must be a list of at most ${NEEDS_MAX} of ${NEEDS.join(", ")}, counters:<name>`, areNeeds],
  ["config", "must be a JSON Schema of an object", (value) => isRecord(value) && value["type"] === "object"],
  ["stages", `must be at least one: no member of ${STAGES.join(", ")} is a function`, (value) => Array.isArray(value) && value.length > 0],
  ["tests", `must be a list of at most ${FIXED.tests}`, (value) => Array.isArray(value) && value.length <= FIXED.tests],
];

/** Reads what a module says of itself. @returns a sentence naming the member where one is not as it must be. */
export function readSaid(body: string): Said | string {
  const given = parsed(body);
  if (!isRecord(given)) return "the module must have a policy as its default export";
  const fault = faultOf({ config: given["config"], tests: given["tests"] });
  if (fault !== null) return `config, tests: ${fault}`;
  const config = { type: "object", properties: {} };
  const fields: Fields = { priority: PRIORITY_DEFAULT, compose: "all", needs: [], config, tests: [], ...given };
  for (const [field, rule, holds] of RULES) if (!holds(fields[field])) return `${field}: ${rule}`;
  const tests: PolicyTest[] = [];
  for (const [nth, each] of (fields["tests"] as unknown[]).entries()) {
    const test = readTest(each, nth, fields as unknown as Said);
    if (isText(test)) return `tests.${nth}: ${test}`;
    tests.push(test);
  }
  const { name, version, priority, compose, needs, stages } = fields as unknown as Said;
  return { name, version, priority, compose, needs, stages, config: fields["config"] as Said["config"], tests };
}

function readTest(given: unknown, nth: number, { stages, needs, config }: Pick<Said, "stages" | "needs" | "config">): PolicyTest | string {
  if (!isRecord(given)) return "must be an object with context and expect";
  const { name = `test ${nth + 1}`, stage = stages[0], config: settings = {}, expect } = given;
  if (!isText(name)) return "name: must be text";
  if (!stages.some((each) => each === stage)) return `stage: must be one of ${stages.join(", ")}`;
  if (!isRecord(settings)) return "config: must be an object";
  const context = contextOfTest(given["context"] ?? {}, settings, { needs, config });
  if (isText(context)) return `context: ${context}`;
  if (!isRecord(expect) || Object.keys(expect).length === 0) return "expect: must name at least one member of the decision";
  return { name, stage: stage as Stage, settings, context, expect };
}

/** A test whose context has what traffic would not give the policy would prove nothing. */
function contextOfTest(context: unknown, settings: Fields, { needs, config }: Pick<Said, "needs" | "config">): Fields | string {
  if (!isRecord(context)) return "must be an object";
  const { [COUNTERS]: counters, ...facts } = context;
  const counted = isRecord(counters) ? Object.keys(counters).map((name) => `${COUNTERS}:${name}`) : [];
  const strange = [...Object.keys(facts), ...counted].find((fact) => !needs.includes(fact));
  if (strange !== undefined) return `${strange} is not among the policy's needs, so it would never be given it`;
  return withTime(context, settings, config);
}

function isPriority(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= PRIORITY_MAX;
}

function areNeeds(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > NEEDS_MAX || new Set(value).size < value.length) return false;
  return value.every((need) => isText(need) && (NEEDS.some((each) => each === need) || NEED.test(need)));
}

/** Whether a value is what a test expects: every member that is named, and nothing said of those that are not. */
export function meets(value: unknown, expected: unknown): boolean {
  if (Array.isArray(expected))
    return Array.isArray(value) && value.length === expected.length && expected.every((each, nth) => meets(value[nth], each));
  if (isRecord(expected)) return isRecord(value) && Object.entries(expected).every(([name, each]) => meets(value[name], each));
  return Object.is(value, expected);
}
