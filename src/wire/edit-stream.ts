import { type Capability, type Fields, isObject } from "#core";
import { joined } from "./bytes.ts";
import type { Reported, ShownCost } from "./contract.ts";
import { editing } from "./event-frames.ts";
import { appended, type ObjectText, objectBelow, type Splice, spliced } from "./json-text.ts";
import type { Pass } from "./pass.ts";
import { StreamReader } from "./report.ts";

/**
 * Maps every byte to one character, so that offsets in the text are offsets in the bytes. What JSON is made of is ASCII, and no
 * other byte becomes ASCII, so the text parses where the bytes do.
 */
const bytewise = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** The JSON that an event carries, and where it stands: null where it spans several lines. */
interface EventData {
  readonly json: string;
  readonly start: number | null;
}

/** A byte order mark may open the stream; it is no part of the first line. */
const DATA_LINES = /(?:^(?:\u00ef\u00bb\u00bf)?|[\r\n])data: ?([^\r\n]*)/g;

/** The data of an event that speaks of usage; null for all others, which need no closer look. */
function dataOf(event: Uint8Array): EventData | null {
  const text = bytewise.decode(event);
  if (!text.includes('"usage"')) return null;
  const lines = [...text.matchAll(DATA_LINES)];
  const [first] = lines;
  if (!first) return null;
  const json = lines.map((line) => line[1]).join("\n");
  return { json, start: lines.length > 1 ? null : first.index + first[0].length - json.length };
}

/** The fields of a JSON object; null for any other text. */
function parsed(json: string): Fields | null {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Cuts out the one chunk that asking for usage adds to a chat stream: no choices, and the usage. */
export function cutUsageChunk(): Pass {
  return editing((event) => {
    const data = dataOf(event);
    const { choices, usage } = (data && parsed(data.json)) ?? {};
    const only = Array.isArray(choices) && choices.length === 0 && typeof usage === "object" && usage !== null;
    return only ? null : event;
  });
}

/** Where the final usage stands in an event's data, by capability. */
const USAGE_PATHS: Partial<Record<Capability, readonly string[]>> = {
  "chat.completions": ["usage"],
  completions: ["usage"],
  responses: ["response", "usage"],
  messages: ["usage"],
};

/**
 * Puts the cost into the usage of a stream, as `usage.cost` and `usage.cost_details`: into the one event that has it, and where a
 * provider repeats a growing usage with every chunk, into each. A usage that spans several data lines stays as it is.
 */
export function addCostToStream(capability: Capability, price: (reported: Reported) => ShownCost): Pass {
  const reader = new StreamReader(capability);
  const path = USAGE_PATHS[capability];
  return editing((event) => {
    reader.push(event);
    const data = path ? dataOf(event) : null;
    if (!path || !data || data.start === null || !parsed(data.json)) return event;
    const usage = objectBelow(data.json, 0, path);
    return usage ? splicedBytes(event, data.start, costIn(usage, price(reader.reported()))) : event;
  });
}

/** Applies splices of the text that stands at `offset` to the bytes themselves: what is not spliced stays, be it valid UTF-8 or not. */
function splicedBytes(bytes: Uint8Array, offset: number, splices: readonly Splice[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, text } of splices.toSorted((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(from, offset + start), encoder.encode(text));
    from = offset + end;
  }
  parts.push(bytes.subarray(from));
  return joined(parts);
}

/** Puts the cost into the usage of a whole JSON answer; one without usage stays as it is. */
export function spliceCost(text: string, cost: ShownCost): string {
  if (!parsed(text)) return text;
  const usage = objectBelow(text, 0, ["usage"]);
  return usage ? spliced(text, costIn(usage, cost)) : text;
}

/** What a provider, or a gateway behind this one, has said of the cost is replaced: a second `cost` would be read by some and not by others. */
function costIn(usage: ObjectText, { cost, details }: ShownCost): Splice[] {
  const splices: Splice[] = [];
  const added: string[] = [];
  for (const [name, value] of Object.entries({ cost, cost_details: details })) {
    const standing = usage.members.filter((member) => member.key === name);
    const text = JSON.stringify(value);
    if (standing.length === 0) added.push(`"${name}":${text}`);
    splices.push(...standing.map(({ valueStart, valueEnd }) => ({ start: valueStart, end: valueEnd, text })));
  }
  return added.length > 0 ? [...splices, appended(usage, added.join(","))] : splices;
}
