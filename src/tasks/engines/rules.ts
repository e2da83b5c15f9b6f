import type { Fields } from "#core";
import type { OutputSchema } from "./contract.ts";

const RULES_MAX = 10_000;

/**
 * How much a schema says once its references are written out: no more is looked at for each place of an answer. Infinity where that has
 * no bound: an expression may take for ever on a text, as may references that come back to themselves.
 */
export function rulesIn(schema: OutputSchema): number {
  const waiting: unknown[] = [schema];
  let rules = 0;
  for (; waiting.length > 0 && rules <= RULES_MAX; rules++) {
    const rule = waiting.pop();
    if (typeof rule !== "object" || rule === null) continue;
    if ("patternProperties" in rule || ("pattern" in rule && typeof rule.pattern === "string")) return Infinity;
    waiting.push(...Object.values(rule));
    if ("$ref" in rule && typeof rule.$ref === "string") waiting.push(referred(schema, rule.$ref));
  }
  return rules > RULES_MAX ? Infinity : rules;
}

/** What a reference leads to, by as lax a reading as any: `#//$defs/a/b` is `#/$defs/a`, and a list has names too. */
function referred(schema: OutputSchema, reference: string): unknown {
  const [among, name = ""] = reference.replace(/^#/, "").split("/").filter(Boolean);
  if (among === undefined) return schema;
  const definitions = schema[among] as Fields | null | undefined;
  return definitions?.[name.replaceAll("~1", "/").replaceAll("~0", "~")];
}
