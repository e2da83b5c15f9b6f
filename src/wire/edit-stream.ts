import type { Capability } from "#core";
import type { Reported, ShownCost } from "./contract.ts";
import { appended, type ObjectText, objectBelow, spliced } from "./json-text.ts";
import { StreamReader } from "./report.ts";
import { fieldsOf } from "./usage.ts";

const PENDING_MAX = 4 * 1024 * 1024;
const EVENT_END = /\r\n\r\n|\n\n|\r\r/g;
/** Maps every byte to one character, so that offsets in the text are offsets in the bytes. */
const bytewise = new TextDecoder("latin1");
const utf8 = new TextDecoder();
const encoder = new TextEncoder();

/** Decides on one whole event: its bytes as they are, others in their place, or null to cut it out. */
type Edit = (event: Uint8Array) => Uint8Array | null;

/**
 * A stream edited event by event. Bytes between the edits pass as they came. An event that grows over 4 MiB passes unedited: it is
 * none of the small ones that are edited.
 */
function editing(edit: Edit): TransformStream<Uint8Array, Uint8Array> {
  let pending = new Uint8Array();
  return new TransformStream({
    transform(chunk, controller) {
      const bytes = pending.byteLength === 0 ? chunk : joined(pending, chunk);
      const text = bytewise.decode(bytes);
      let from = 0;
      EVENT_END.lastIndex = 0;
      for (let found = EVENT_END.exec(text); found; found = EVENT_END.exec(text)) {
        const end = found.index + found[0].length;
        const kept = edit(bytes.subarray(from, end));
        if (kept) controller.enqueue(kept);
        from = end;
      }
      pending = bytes.slice(from);
      if (pending.byteLength > PENDING_MAX) {
        controller.enqueue(pending);
        pending = new Uint8Array();
      }
    },
    flush(controller) {
      if (pending.byteLength > 0) controller.enqueue(pending);
    },
  });
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}

const DATA_LINE = /(?:^|\n|\r)data: ?(\{[^\r\n]*\})/;

/** The event's one line of JSON data and where it stands; null for events that have none. */
function dataOf(event: string): { readonly json: string; readonly start: number } | null {
  const found = DATA_LINE.exec(event);
  if (!found) return null;
  const json = found[1]!;
  return { json, start: found.index + found[0].length - json.length };
}

function parsed(json: string): Readonly<Record<string, unknown>> | null {
  try {
    return fieldsOf(JSON.parse(json));
  } catch {
    return null;
  }
}

const NO_CHOICES = /"choices"\s*:\s*\[\s*\]/;

/** Cuts out the one chunk that asking for usage adds to a chat stream: no choices, and the usage. */
export function cutUsageChunk(): TransformStream<Uint8Array, Uint8Array> {
  return editing((event) => {
    const text = utf8.decode(event);
    if (!NO_CHOICES.test(text)) return event;
    const data = dataOf(text);
    const fields = data && parsed(data.json);
    return fields && typeof fields["usage"] === "object" && fields["usage"] !== null ? null : event;
  });
}

/** Where the final usage stands in an event's data, by capability. */
const USAGE_PATHS: Partial<Record<Capability, readonly string[]>> = {
  "chat.completions": ["usage"],
  completions: ["usage"],
  responses: ["response", "usage"],
  messages: ["usage"],
};

/** Puts the cost into the final usage of a stream, as `usage.cost` and `usage.cost_details`. */
export function addCostToStream(capability: Capability, price: (reported: Reported) => ShownCost): TransformStream<Uint8Array, Uint8Array> {
  const reader = new StreamReader(capability);
  const path = USAGE_PATHS[capability] ?? [];
  return editing((event) => {
    reader.push(event);
    const text = utf8.decode(event);
    const data = text.includes('"usage"') ? dataOf(text) : null;
    const usage = data && parsed(data.json) && path.length > 0 ? objectBelow(data.json, 0, path) : null;
    if (!data || !usage) return event;
    const edited = spliced(data.json, [costIn(usage, price(reader.reported()))]);
    return encoder.encode(text.slice(0, data.start) + edited + text.slice(data.start + data.json.length));
  });
}

/** Puts the cost into the usage of a whole JSON answer; one without usage stays as it is. */
export function spliceCost(text: string, cost: ShownCost): string {
  if (!parsed(text)) return text;
  const usage = objectBelow(text, 0, ["usage"]);
  return usage ? spliced(text, [costIn(usage, cost)]) : text;
}

function costIn(usage: ObjectText, { cost, details }: ShownCost) {
  return appended(usage, `"cost":${JSON.stringify(cost)},"cost_details":${JSON.stringify(details)}`);
}
