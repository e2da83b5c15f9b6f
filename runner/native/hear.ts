import type { Readable } from "node:stream";
import { brokenOff, CallFailure, errorIn } from "./gateway.ts";
import type { AssistantBlock, Reply } from "./messages.ts";

/** A block while it comes: as it began, and the pieces of its longer fields. */
interface Growing {
  readonly start: Readonly<Record<string, unknown>>;
  readonly pieces: Record<string, string>;
}

type Event = Readonly<Record<string, unknown>>;

/** Which field of a block each kind of delta adds to. */
const DELTAS: Readonly<Record<string, readonly [delta: string, field: string]>> = {
  text_delta: ["text", "text"],
  input_json_delta: ["partial_json", "input"],
  thinking_delta: ["thinking", "thinking"],
  signature_delta: ["signature", "signature"],
};

/** Hears a streamed answer of Messages to its end. @throws CallFailure where it breaks off, or says that it failed. */
export async function hear(answer: Readable, request: string | null): Promise<Reply> {
  const blocks: Growing[] = [];
  let stopReason: string | null = null;
  let whole = false;
  for await (const event of eventsOf(answer, request)) {
    switch (event["type"]) {
      case "content_block_start":
        blocks[event["index"] as number] = { start: event["content_block"] as Event, pieces: {} };
        break;
      case "content_block_delta":
        grow(blocks[event["index"] as number], event["delta"] as Event);
        break;
      case "message_delta":
        stopReason = ((event["delta"] as Event)["stop_reason"] as string | null) ?? stopReason;
        break;
      case "message_stop":
        whole = true;
        break;
      case "error": {
        const { message, code } = errorIn(JSON.stringify(event));
        throw new CallFailure("interrupted", message ?? "the answer failed", { code, request });
      }
    }
  }
  if (!whole) throw brokenOff(new Error("it has no end"), request);
  return replyOf(blocks, stopReason ?? "end_turn");
}

async function* eventsOf(answer: Readable, request: string | null): AsyncGenerator<Event> {
  let rest = "";
  try {
    for await (const part of answer.setEncoding("utf8")) {
      const lines = (rest + String(part)).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("data:")) yield JSON.parse(line.slice(5)) as Event;
    }
  } catch (error) {
    throw error instanceof CallFailure ? error : brokenOff(error, request);
  }
}

function grow(block: Growing | undefined, delta: Event): void {
  const [from, field] = DELTAS[String(delta["type"])] ?? [];
  if (!block || from === undefined || field === undefined) return;
  block.pieces[field] = (block.pieces[field] ?? "") + String(delta[from]);
}

function replyOf(blocks: readonly Growing[], stopReason: string): Reply {
  const malformed = new Set<string>();
  const content = blocks.flatMap(({ start, pieces }): AssistantBlock[] => {
    if (start["type"] !== "tool_use") {
      const grown = Object.entries(pieces).map(([field, text]) => [field, textIn(start[field]) + text]);
      const block = { ...start, ...Object.fromEntries(grown) } as AssistantBlock;
      // Providers refuse to be given back a text that is empty.
      return block.type === "text" && block.text === "" ? [] : [block];
    }
    const input = pieces["input"] ? objectIn(pieces["input"]) : (start["input"] ?? {});
    if (input === null) malformed.add(String(start["id"]));
    return [{ ...start, input: input ?? {} } as AssistantBlock];
  });
  return { content, malformed, stopReason };
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function objectIn(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
