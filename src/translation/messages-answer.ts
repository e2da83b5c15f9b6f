import { fieldsOf, outputTokens, type Usage } from "#core";
import { anthropicTier, anthropicUsage } from "#wire";
import { costIn, costOut, objectsOf, stringOf, wordOf } from "./answers.ts";
import type { Answer, Part, ReasoningPart, Seal, Stop, Told } from "./conversation.ts";
import { argumentsOf } from "./custom.ts";
import type { Json } from "./fields.ts";
import { answerIdFor } from "./ids.ts";
import { pack, unpack } from "./seal.ts";

/** Reads an answer of Messages; null for what is none. */
export function readMessagesAnswer(value: Json): Answer | null {
  if (!Array.isArray(value["content"])) return null;
  return {
    id: stringOf(value["id"]) ?? "",
    model: stringOf(value["model"]) ?? "",
    parts: objectsOf(value["content"]).flatMap(partOf),
    stop: stopOf(value["stop_reason"]),
    sequence: stringOf(value["stop_sequence"]),
    told: toldIn(value["usage"], null),
    tier: anthropicTier(fieldsOf(value["usage"])),
  };
}

/** A usage as this dialect tells it, over what it told before. */
export function toldIn(usage: unknown, before: Usage | null): Told {
  return { usage: anthropicUsage(usage, before), ...costIn(usage) };
}

function partOf(block: Json): Part[] {
  switch (block["type"]) {
    case "text":
      return [{ kind: "text", text: stringOf(block["text"]) ?? "", at: "" }];
    case "thinking":
      return [{ kind: "reasoning", text: stringOf(block["thinking"]) ?? "", seal: sealOf(stringOf(block["signature"]) ?? ""), at: "" }];
    case "redacted_thinking":
      return [{ kind: "reasoning", text: "", seal: { maker: "anthropic", data: stringOf(block["data"]) ?? "", hidden: true }, at: "" }];
    case "tool_use":
      return [
        {
          kind: "call",
          id: stringOf(block["id"]) ?? "",
          name: stringOf(block["name"]) ?? "",
          input: JSON.stringify(block["input"] ?? {}),
          at: "",
        },
      ];
    default:
      return [];
  }
}

/** What a signature closes with; null where it is empty. */
export function sealOf(signature: string): Seal | null {
  return signature === "" ? null : (unpack(signature)?.seal ?? { maker: "anthropic", data: signature });
}

const STOPS: Readonly<Record<string, Stop>> = {
  end_turn: "end",
  max_tokens: "length",
  stop_sequence: "sequence",
  tool_use: "tools",
  refusal: "refusal",
  pause_turn: "pause",
  model_context_window_exceeded: "context",
};
const REASONS = Object.fromEntries(Object.entries(STOPS).map(([reason, stop]) => [stop, reason])) as Record<Stop, string>;

/** Why it stopped. */
export function stopOf(reason: unknown): Stop {
  return STOPS[String(reason)] ?? "end";
}

/** The same in this dialect's words. */
export function stopReason(stop: Stop): string {
  return REASONS[stop];
}

/** Writes an answer of Messages. */
export function writeMessagesAnswer({ id, model, parts, stop, sequence, told, tier }: Answer): Json {
  return {
    id: answerIdFor("msg_", id),
    type: "message",
    role: "assistant",
    model,
    content: parts.flatMap(blockOf),
    stop_reason: stopReason(stop),
    stop_sequence: sequence,
    usage: writeMessagesUsage(told, tier),
  };
}

function blockOf(part: Part): Json[] {
  switch (part.kind) {
    case "text":
    case "refusal":
      return [{ type: "text", text: part.text, citations: null }];
    case "reasoning":
      return [thinkingOf(part)];
    case "call":
      return [{ type: "tool_use", id: part.id, name: part.name, input: part.custom ? argumentsOf(part.input) : inputOf(part.input) }];
    case "image":
    case "document":
    case "result":
      return [];
  }
}

function thinkingOf({ text, seal }: ReasoningPart): Json {
  return seal?.hidden ? { type: "redacted_thinking", data: seal.data } : { type: "thinking", thinking: text, signature: signatureOf(seal) };
}

/** What closes thoughts in this dialect: Anthropic's own signature, or another maker's packed into one. */
export function signatureOf(seal: Seal | null): string {
  if (!seal) return "";
  return seal.maker === "anthropic" ? seal.data : pack({ text: "", seal });
}

/** Arguments as an object. A model that was cut off in the middle of them has none that could be read. */
export function inputOf(text: string): Json {
  try {
    return fieldsOf(JSON.parse(text || "{}"));
  } catch {
    return {};
  }
}

/** A usage in this dialect's words. It must have one; a provider that told nothing is shown as nought. */
export function writeMessagesUsage(told: Told, tier: string | null): Json {
  const { usage } = told;
  return {
    input_tokens: usage ? usage.input + usage.audioInput : 0,
    cache_creation_input_tokens: usage ? usage.cacheWrite5m + usage.cacheWrite1h : 0,
    cache_read_input_tokens: usage?.cacheRead ?? 0,
    cache_creation: { ephemeral_5m_input_tokens: usage?.cacheWrite5m ?? 0, ephemeral_1h_input_tokens: usage?.cacheWrite1h ?? 0 },
    output_tokens: usage ? outputTokens(usage) : 0,
    output_tokens_details: { thinking_tokens: usage?.reasoning ?? 0 },
    service_tier: tierOf(tier),
    ...costOut(told),
  };
}

function tierOf(tier: string | null): string | null {
  return wordOf(tier) === "priority" ? "priority" : tier === null ? null : "standard";
}
