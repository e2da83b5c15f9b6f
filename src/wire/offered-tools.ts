import { type Fields, fieldsOf, TollgateError } from "#core";
import { readAsk } from "./ask.ts";
import { governed } from "./body.ts";
import type { Ask } from "./contract.ts";
import { endOfValue, objectAt, type ObjectText, skipSpace } from "./json-text.ts";

/** A request without the tools that its caller may not use, and the names of those. */
export interface Offered {
  readonly ask: Ask;
  readonly withheld: readonly string[];
}

/** Whether a tool may be offered: a function's name, the type of one of the vendor's own, `mcp__server__*` for a server of tools. */
type MayOffer = (tool: string) => boolean;

/** Members that switch on a search at the provider's. */
const SEARCHES = ["web_search_options", "search_parameters", "plugins"];
const LISTS = ["tools", "functions", "mcp_servers"];
const CHOICES = ["tool_choice", "function_call"];
/** What means nothing, and is refused by vendors, where no tool is left. */
const WITH_TOOLS = [...CHOICES, "parallel_tool_calls"];
const READ = [...LISTS, ...SEARCHES, ...WITH_TOOLS];
const DIALECTS: ReadonlySet<string> = new Set(["openai-chat", "openai-responses", "anthropic"]);

/**
 * Takes the tools out of a request that may not be offered, whatever the dialect: functions, tools of the vendor's own, servers of tools.
 * What is left stays as it was written.
 * @throws TollgateError `permission_denied` where the request insists on one of them, `invalid_request` where a list stands twice.
 */
export function offeringOnly(ask: Ask, mayOffer: MayOffer): Offered {
  const { text, value, form } = ask.body;
  if (form || !DIALECTS.has(ask.dialect) || !READ.some((name) => Object.hasOwn(value, name))) return { ask, withheld: [] };
  governed(text, 0, new Set(READ));
  const root = objectAt(text, 0);
  const { changes, withheld } = sieved(text, root, mayOffer);
  refuseChoice(value, mayOffer);
  if (changes.size === 0) return { ask, withheld };
  if (!leavesTools(value, changes)) {
    if (demands(value)) throw denied("tool_choice", withheld[0] ?? "", "demands a tool, and none of those that are offered is allowed");
    for (const name of WITH_TOOLS) changes.set(name, null);
  }
  const bytes = new TextEncoder().encode(rewritten(text, root, changes));
  return { ask: { ...readAsk(ask.capability, bytes), ...(ask.resumed && { resumed: ask.resumed }) }, withheld };
}

/** What the members of a request become, null where one goes, and what is withheld by that. */
function sieved(text: string, { members }: ObjectText, mayOffer: MayOffer) {
  const withheld: string[] = [];
  const changes = new Map<string, string | null>();
  for (const { key, valueStart, valueEnd } of members) {
    const before = text.slice(valueStart, valueEnd);
    if (LISTS.includes(key)) {
      const after = listed(before, { mayOffer: key === "mcp_servers" ? serversOnly(mayOffer) : mayOffer, withheld });
      if (after !== before) changes.set(key, after);
    } else if (SEARCHES.includes(key) && before !== "null" && !mayOffer("web_search")) {
      withheld.push("web_search");
      changes.set(key, null);
    }
  }
  return { changes, withheld };
}

function serversOnly(mayOffer: MayOffer): MayOffer {
  return (name) => mayOffer(`mcp__${name}__*`);
}

interface Sieve {
  readonly mayOffer: MayOffer;
  readonly withheld: string[];
}

/** A list's text with those that may be offered; null where none is left. A namespace is as much as is left of it. */
function listed(list: string, sieve: Sieve): string | null {
  if (!list.startsWith("[")) return list;
  const kept: string[] = [];
  let same = true;
  for (const element of elementsOf(list)) {
    const after = sifted(element, sieve);
    if (after !== null) kept.push(after);
    same &&= after === element;
  }
  if (same) return list;
  return kept.length === 0 ? null : `[${kept.join(",")}]`;
}

function sifted(element: string, sieve: Sieve): string | null {
  const tool = fieldsOf(JSON.parse(element));
  if (tool["type"] === "namespace" && Array.isArray(tool["tools"])) {
    const root = objectAt(element, 0);
    const inner = root.members.findLast(({ key }) => key === "tools")!;
    const before = element.slice(inner.valueStart, inner.valueEnd);
    const after = listed(before, sieve);
    if (after === null) return null;
    return after === before ? element : rewritten(element, root, new Map([["tools", after]]));
  }
  const name = nameOf(tool);
  if (sieve.mayOffer(name)) return element;
  sieve.withheld.push(name);
  return null;
}

/** Types of tools that have names of their own. */
const NAMED: ReadonlySet<unknown> = new Set([undefined, null, "function", "custom", "tool", "url"]);

/** What a tool is known by, in any of the dialects. */
function nameOf(tool: Fields): string {
  const { type, server_label: label, mcp_server_name: server } = tool;
  if (type === "mcp" || type === "mcp_toolset") return `mcp__${textOf(label ?? server) ?? ""}__*`;
  if (!NAMED.has(type)) return textOf(type) ?? "";
  return textOf(fieldsOf(tool["function"] ?? tool["custom"] ?? tool)["name"]) ?? "";
}

/** The tools that a choice names. */
function chosenBy(choice: unknown): string[] {
  const chosen = fieldsOf(choice);
  const list = chosen["tools"] ?? fieldsOf(chosen["allowed_tools"])["tools"];
  if (Array.isArray(list)) return list.map((each) => nameOf(fieldsOf(each)));
  if (typeof chosen["name"] === "string" || chosen["function"] !== undefined || chosen["custom"] !== undefined) return [nameOf(chosen)];
  return ["auto", "any", "none", undefined].includes(textOf(chosen["type"]) ?? undefined) ? [] : [nameOf(chosen)];
}

function refuseChoice(value: Fields, mayOffer: MayOffer): void {
  for (const field of CHOICES) {
    const beyond = chosenBy(value[field]).find((name) => !mayOffer(name));
    if (beyond !== undefined) throw denied(field, beyond, `names the tool ${JSON.stringify(beyond.slice(0, 120))}, which is not allowed`);
  }
}

function demands(value: Fields): boolean {
  const { tool_choice: choice } = value;
  const { type, mode, allowed_tools: allowed } = fieldsOf(choice);
  return choice === "required" || type === "any" || (mode ?? fieldsOf(allowed)["mode"]) === "required";
}

function leavesTools(value: Fields, changes: ReadonlyMap<string, string | null>): boolean {
  return LISTS.some((name) => Array.isArray(value[name]) && value[name].length > 0 && changes.get(name) !== null);
}

function denied(field: string, name: string, what: string): TollgateError {
  return new TollgateError("permission_denied", `${field} ${what} to this task`, {
    param: field,
    details: { violations: [{ kind: "tool", name, field, reason: "not among the tools that this task may use" }] },
  });
}

/** The texts of a list's elements. */
function elementsOf(list: string): string[] {
  const elements: string[] = [];
  for (let at = skipSpace(list, 1); list[at] !== "]"; at = skipSpace(list, at)) {
    const end = endOfValue(list, at);
    elements.push(list.slice(at, end));
    at = skipSpace(list, end);
    if (list[at] === ",") at++;
  }
  return elements;
}

/** An object's text with other values for some members, and without those whose value is null. What stands between others stays. */
function rewritten(text: string, { members }: ObjectText, changes: ReadonlyMap<string, string | null>): string {
  const [first, last] = [members[0]!, members.at(-1)!];
  let result = text.slice(0, first.keyStart);
  let kept = false;
  for (const [at, { key, keyStart, valueStart, valueEnd }] of members.entries()) {
    const value = changes.get(key);
    if (value === null) continue;
    if (kept) result += text.slice(members[at - 1]!.valueEnd, keyStart);
    result += text.slice(keyStart, valueStart) + (value ?? text.slice(valueStart, valueEnd));
    kept = true;
  }
  return result + text.slice(last.valueEnd);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
