import type { Amount, AutoTable, Condition, Features, Rule, Tier, Tried } from "./contract.ts";

/** Holds a table's rules against a request, in order, up to the first that matches. */
export function tryRules({ rules, otherwise }: AutoTable, features: Features): { readonly tried: Tried[]; readonly tier: string } {
  const tried: Tried[] = [];
  for (const rule of rules) {
    const fault = faultOf(rule.when, features);
    tried.push({ name: rule.name, matched: fault === null, reason: fault ?? holds(rule, features) });
    if (fault === null) return { tried, tier: rule.tier };
  }
  return { tried, tier: otherwise };
}

/** The tiers in the order in which they are asked: the one named, then the nearest, the stronger of two that are equally near. */
export function nearest(tiers: readonly Tier[], first: string): readonly Tier[] {
  const start = tiers.findIndex(({ name }) => name === first);
  return [...tiers.keys()].toSorted((a, b) => Math.abs(a - start) - Math.abs(b - start) || b - a).map((at) => tiers[at]!);
}

function holds({ when }: Rule, features: Features): string {
  const names = Object.keys(when) as (keyof Condition)[];
  return names.length === 0 ? "asks for nothing" : names.map((name) => said(name, features)).join(", ");
}

/** The first part of a condition that does not hold, in words; null where all of them do. */
function faultOf(when: Condition, features: Features): string | null {
  for (const [name, wanted] of Object.entries(when) as [keyof Condition, Condition[keyof Condition]][]) {
    if (wanted === undefined || meets(features[name], wanted)) continue;
    return `${said(name, features)}; wanted ${wish(wanted)}`;
  }
  return null;
}

function said(name: keyof Condition, features: Features): string {
  return `${name} is ${features[name] ?? "not known"}`;
}

function wish(wanted: Amount | readonly string[]): string {
  if (typeof wanted === "boolean") return String(wanted);
  if (isList(wanted)) return `one of ${wanted.join(", ")}`;
  const { min, max } = wanted;
  return [min === undefined ? [] : `at least ${min}`, max === undefined ? [] : `at most ${max}`].flat().join(" and ");
}

function meets(value: Features[keyof Features], wanted: Amount | readonly string[]): boolean {
  if (isList(wanted)) return typeof value === "string" && wanted.includes(value);
  if (typeof wanted === "boolean") return wanted === (typeof value === "number" ? value > 0 : value === true);
  if (typeof value !== "number") return false;
  return value >= (wanted.min ?? -Infinity) && value <= (wanted.max ?? Infinity);
}

function isList(wanted: Amount | readonly string[]): wanted is readonly string[] {
  return Array.isArray(wanted);
}
