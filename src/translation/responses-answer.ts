import { fieldsOf, inputTokens, outputTokens } from "#core";
import { responsesUsage } from "#wire";
import { costIn, costOut, objectsOf, stringOf, wordOf } from "./answers.ts";
import type { Answer, Echo, Opening, Part, ReasoningPart, Seal, Stop, Told } from "./conversation.ts";
import type { Json } from "./fields.ts";
import { answerIdFor } from "./ids.ts";
import { pack } from "./seal.ts";

/** Reads an answer of Responses; null for what is none, or one that failed. */
export function readResponsesAnswer(value: Json): Answer | null {
  if (!Array.isArray(value["output"]) || value["status"] === "failed") return null;
  const parts = objectsOf(value["output"]).flatMap(partsOf);
  return {
    id: stringOf(value["id"]) ?? "",
    model: stringOf(value["model"]) ?? "",
    parts,
    stop: stopOf(value, new Set(parts.map(({ kind }) => kind))),
    sequence: null,
    told: toldIn(value),
    tier: wordOf(value["service_tier"]),
  };
}

/** A usage as this dialect tells it, in the whole response. */
export function toldIn(response: Json): Told {
  return { usage: responsesUsage(response), ...costIn(response["usage"]) };
}

function partsOf(item: Json): Part[] {
  switch (item["type"]) {
    case "reasoning":
      return [thoughtOf(item)];
    case "message":
      return objectsOf(item["content"]).flatMap((part): Part[] => {
        if (part["type"] === "refusal") return [{ kind: "refusal", text: stringOf(part["refusal"]) ?? "", at: "" }];
        return part["type"] === "output_text" ? [{ kind: "text", text: stringOf(part["text"]) ?? "", at: "" }] : [];
      });
    case "function_call":
      return [{ kind: "call", id: callIdOf(item), name: stringOf(item["name"]) ?? "", input: stringOf(item["arguments"]) ?? "", at: "" }];
    case "custom_tool_call":
      return [
        {
          kind: "call",
          id: callIdOf(item),
          name: stringOf(item["name"]) ?? "",
          input: stringOf(item["input"]) ?? "",
          custom: true,
          at: "",
        },
      ];
    default:
      return [];
  }
}

/** The id by which a call is answered. */
export function callIdOf(item: Json): string {
  return stringOf(item["call_id"]) ?? stringOf(item["id"]) ?? "";
}

function thoughtOf(item: Json): ReasoningPart {
  const texts = [...objectsOf(item["summary"]), ...objectsOf(item["content"])].map(({ text }) => stringOf(text) ?? "");
  return { kind: "reasoning", text: texts.join(BETWEEN), seal: sealOf(item), at: "" };
}

/** What stands between the parts of a summary. */
export const BETWEEN = "\n\n";

/** What closes a reasoning item; null where it is not told. */
export function sealOf(item: Json): Seal | null {
  const [data, id] = [wordOf(item["encrypted_content"]), wordOf(item["id"])];
  return data === null ? null : { maker: "openai", data, ...(id !== null && { id }) };
}

/** Why it stopped: what was made says more than the status, which is the same for most. */
export function stopOf(response: Json, made: ReadonlySet<Part["kind"]>): Stop {
  if (response["status"] === "incomplete")
    return fieldsOf(response["incomplete_details"])["reason"] === "content_filter" ? "refusal" : "length";
  if (made.has("call")) return "tools";
  return made.has("refusal") ? "refusal" : "end";
}

const INCOMPLETE: Partial<Record<Stop, string>> = { length: "max_output_tokens", context: "max_output_tokens", refusal: "content_filter" };

/** What a response is made of, beside its output. */
export type Head = Pick<Answer, "id" | "model" | "tier"> & { readonly created: number; readonly fields?: Echo["fields"] };

/** The response object while it is made, and when it is whole; `stop` is null while it goes on. */
export function responseOf({ id, model, tier, created, fields }: Head, output: readonly Json[], stop: Stop | null, told: Told): Json {
  const reason = stop === null ? undefined : INCOMPLETE[stop];
  return {
    id: answerIdFor("resp_", id),
    object: "response",
    created_at: created,
    status: stop === null ? "in_progress" : reason === undefined ? "completed" : "incomplete",
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: null,
    metadata: {},
    model,
    output,
    parallel_tool_calls: true,
    temperature: null,
    tool_choice: "auto",
    tools: [],
    top_p: null,
    ...fields,
    ...(tier !== null && { service_tier: tier }),
    usage: stop === null ? null : usageOf(told),
  };
}

/** Writes an answer of Responses. */
export function writeResponsesAnswer({ parts, stop, told, ...answer }: Answer, created: number, echo?: Echo): Json {
  const head = { ...answer, created, ...echo };
  const output: Json[] = [];
  for (const part of parts) {
    const item = itemOf(part, itemId(head.id, part, output.length));
    if (item) output.push(item);
  }
  return responseOf(head, output, stop, told);
}

const PREFIXES: Partial<Record<Part["kind"], string>> = { reasoning: "rs", call: "fc" };

/** An item's id: the same whenever the same answer is read. */
export function itemId(answer: string, part: Part | Opening, index: number): string {
  const prefix = part.kind === "call" && part.custom ? "ctc" : PREFIXES[part.kind];
  return `${prefix ?? "msg"}_${answer.replaceAll(/[^a-zA-Z0-9]/g, "").slice(-32)}_${index}`;
}

/** A part as a whole item of the output; null for a kind that no answer has. */
export function itemOf(part: Part, id: string): Json | null {
  const status = "completed";
  switch (part.kind) {
    case "text":
      return { id, type: "message", status, role: "assistant", content: [contentOf("text", part.text)] };
    case "refusal":
      return { id, type: "message", status, role: "assistant", content: [contentOf("refusal", part.text)] };
    case "reasoning":
      return reasoningOf(part, id);
    case "call": {
      const named = { call_id: part.id, name: part.name, ...(part.namespace !== undefined && { namespace: part.namespace }) };
      if (part.custom) return { id, type: "custom_tool_call", status, ...named, input: part.input };
      return { id, type: "function_call", status, ...named, arguments: part.input };
    }
    case "image":
    case "document":
    case "result":
      return null;
  }
}

/** Thoughts with what closes them: OpenAI's own content, or another maker's packed into it, text and all. */
function reasoningOf({ text, seal }: ReasoningPart, id: string): Json {
  const summary = text === "" ? [] : [{ type: "summary_text", text }];
  const closed = seal && (seal.maker === "openai" ? seal.data : pack({ text, seal }));
  return { id: seal?.id ?? id, type: "reasoning", summary, ...(closed !== null && { encrypted_content: closed }) };
}

/** A part of a message. */
export function contentOf(kind: "text" | "refusal", text: string): Json {
  return kind === "text" ? { type: "output_text", text, annotations: [], logprobs: [] } : { type: "refusal", refusal: text };
}

function usageOf(told: Told): Json | null {
  const { usage } = told;
  if (!usage) return null;
  const [input, output] = [inputTokens(usage), outputTokens(usage)];
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead, ...(written > 0 && { cache_write_tokens: written }) },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + output,
    ...costOut(told),
  };
}
