import { fieldsOf, inputTokens, outputTokens } from "#core";
import { chatUsage } from "#wire";
import { costIn, costOut, objectsOf, stringOf, wordOf } from "./answers.ts";
import type { Answer, Part, ReasoningPart, Stop, Told } from "./conversation.ts";
import type { Json } from "./fields.ts";
import { answerIdFor } from "./ids.ts";
import { pack } from "./seal.ts";

const AT = "";

/** Reads an answer of Chat Completions; null for what is none. */
export function readChatAnswer(value: Json): Answer | null {
  const [choice] = objectsOf(value["choices"]);
  if (!choice) return null;
  const id = stringOf(value["id"]) ?? "";
  const message = fieldsOf(choice["message"]);
  const parts = [...thoughtsOf(message), ...saidIn(message), ...callsOf(message, id)];
  return {
    id,
    model: stringOf(value["model"]) ?? "",
    parts,
    stop: stopOf(
      choice["finish_reason"],
      parts.some(({ kind }) => kind === "call"),
    ),
    sequence: null,
    told: toldIn(value["usage"]),
    tier: wordOf(value["service_tier"]),
  };
}

/** A usage as this dialect tells it. */
export function toldIn(usage: unknown): Told {
  return { usage: chatUsage(usage), ...costIn(usage) };
}

/** A provider that shows its thoughts closes them with nothing. */
export const OPEN_SEAL = { maker: "chat", data: "" } as const;

function thoughtsOf(message: Json): Part[] {
  const text = wordOf(message["reasoning_content"]) ?? wordOf(message["reasoning"]);
  return text === null ? [] : [{ kind: "reasoning", text, seal: OPEN_SEAL, at: AT }];
}

function saidIn(message: Json): Part[] {
  const { content } = message;
  const texts = typeof content === "string" ? [content] : objectsOf(content).map(({ text }) => stringOf(text) ?? "");
  const refusal = wordOf(message["refusal"]);
  const text = texts.join("");
  return [
    ...(text === "" ? [] : [{ kind: "text", text, at: AT } as const]),
    ...(refusal === null ? [] : [{ kind: "refusal", text: refusal, at: AT } as const]),
  ];
}

function callsOf(message: Json, answer: string): Part[] {
  return objectsOf(message["tool_calls"]).map((call, index) => {
    const id = wordOf(call["id"]) ?? missingId(answer, index);
    const own = fieldsOf(call["custom"]);
    if (call["type"] === "custom")
      return { kind: "call", id, name: stringOf(own["name"]) ?? "", input: stringOf(own["input"]) ?? "", custom: true, at: AT };
    const made = fieldsOf(call["function"]);
    return { kind: "call", id, name: stringOf(made["name"]) ?? "", input: stringOf(made["arguments"]) ?? "", at: AT };
  });
}

/** The id of a call whose provider gives it none: the same whenever the same answer is read. */
export function missingId(answer: string, index: number): string {
  return `call_${answer.replaceAll(/[^a-zA-Z0-9]/g, "").slice(-24)}_${index}`;
}

const STOPS: Readonly<Record<string, Stop>> = {
  stop: "end",
  length: "length",
  tool_calls: "tools",
  function_call: "tools",
  content_filter: "refusal",
};

/** Why it stopped. A call that was forced ends with `stop` in this dialect; what matters to others is that there is one. */
export function stopOf(reason: unknown, called: boolean): Stop {
  const stop = STOPS[String(reason)] ?? "end";
  return stop === "end" && called ? "tools" : stop;
}

const REASONS: Readonly<Record<Stop, string>> = {
  end: "stop",
  length: "length",
  sequence: "stop",
  tools: "tool_calls",
  refusal: "content_filter",
  pause: "stop",
  context: "length",
};

/** The same in this dialect's words. */
export function finishReason(stop: Stop): string {
  return REASONS[stop];
}

/** Writes an answer of Chat Completions. */
export function writeChatAnswer(answer: Answer, created: number): Json {
  const { id, model, parts, stop, told, tier } = answer;
  const usage = writeChatUsage(told);
  return {
    id: answerIdFor("chatcmpl-", id),
    object: "chat.completion",
    created,
    model,
    choices: [{ index: 0, message: messageOf(parts), logprobs: null, finish_reason: finishReason(stop) }],
    ...(usage && { usage }),
    ...(tier !== null && { service_tier: tier }),
  };
}

function messageOf(parts: readonly Part[]): Json {
  const textsOf = (kind: "text" | "refusal" | "reasoning") => parts.flatMap((part) => (part.kind === kind ? [part.text] : [])).join("");
  const thoughts = parts.filter((part) => part.kind === "reasoning");
  const calls = parts.filter((part) => part.kind === "call");
  const reasoning = textsOf("reasoning");
  const details = thoughts.flatMap((part, index) => detailOf(part, index));
  return {
    role: "assistant",
    content: textsOf("text") || null,
    refusal: textsOf("refusal") || null,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(details.length > 0 && { reasoning_details: details }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, input, custom }) =>
        custom ? { id, type: "custom", custom: { name, input } } : { id, type: "function", function: { name, arguments: input } },
      ),
    }),
  };
}

/** Closed thoughts, in the shape in which several gateways tell them; whoever sends them back lets the model go on with them. */
export function detailOf({ text, seal }: Pick<ReasoningPart, "text" | "seal">, index: number): Json[] {
  if (!seal || seal.maker === "chat") return [];
  if (seal.hidden) return [{ type: "reasoning.encrypted", index, data: seal.data }];
  return [{ type: "reasoning.text", index, text, signature: seal.maker === "anthropic" ? seal.data : pack({ text: "", seal }) }];
}

/** A usage in this dialect's words; null where none was told. */
export function writeChatUsage(told: Told): Json | null {
  const { usage } = told;
  if (!usage) return null;
  const [prompt, completion] = [inputTokens(usage), outputTokens(usage)];
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      audio_tokens: usage.audioInput,
      ...(written > 0 && { cache_write_tokens: written }),
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: usage.audioOutput },
    ...costOut(told),
  };
}
