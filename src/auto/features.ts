import { type Fields, fieldsOf } from "#core";
import type { Ask } from "#wire";
import type { Features } from "./contract.ts";
import { holdsCode } from "./code.ts";
import { languageOf } from "./language.ts";

/** What is known of a request beside its body. */
export interface Known {
  readonly inputTokens: number;
  readonly budgetLeftPercent: number | null;
}

/** Kinds of content that are counted, by how the dialects name them. */
const KINDS: ReadonlyMap<unknown, "images" | "files" | "audio"> = new Map([
  ["image", "images"],
  ["image_url", "images"],
  ["input_image", "images"],
  ["document", "files"],
  ["file", "files"],
  ["input_file", "files"],
  ["input_audio", "audio"],
]);
const PROMPTS = ["system", "instructions", "messages", "input", "prompt"] as const;
/** How many of the latest messages are looked at for code, and characters of each. */
const RECENT = 3;
const TEXT_MAX = 16_384;
const JSON_FORMATS = new Set<unknown>(["json_object", "json_schema"]);
/** Efforts that ask for no reasoning to speak of. */
const IDLE = new Set<unknown>(["none", "minimal"]);

/** Reads what rules may ask of a request. Costs one walk over its parsed body, and a look at the text of its last messages. */
export function readFeatures(ask: Ask, { inputTokens, budgetLeftPercent }: Known): Features {
  const { value } = ask.body;
  const list = value["messages"] ?? value["input"] ?? value["prompt"];
  const said = Array.isArray(list) ? list : [list];
  const recent = said.slice(-RECENT).map(textOf);
  return {
    operation: ask.capability,
    input_tokens: inputTokens,
    max_output_tokens: ask.outputCaps.length === 0 ? null : Math.max(...ask.outputCaps.map(({ tokens }) => tokens)),
    messages: said.length,
    tools: listLength(value["tools"]) + listLength(value["functions"]),
    ...contentOf(value),
    code: recent.some(holdsCode),
    language: languageOf(textOf(said.findLast(isUsers))),
    reasoning: asksForReasoning(value),
    structured: asksForJson(value),
    stream: ask.stream,
    budget_left_percent: budgetLeftPercent,
  };
}

/** Pictures, files and sounds anywhere in a prompt. Iterative, whatever its depth. */
function contentOf(value: Fields): Pick<Features, "images" | "files" | "audio"> {
  const counts = { images: 0, files: 0, audio: 0 };
  const stack: unknown[] = PROMPTS.map((name) => value[name]);
  while (stack.length > 0) {
    const next = stack.pop();
    if (typeof next !== "object" || next === null) continue;
    const kind = KINDS.get(fieldsOf(next)["type"]);
    if (kind) counts[kind]++;
    for (const inner of Array.isArray(next) ? next : Object.values(next)) if (typeof inner === "object") stack.push(inner);
  }
  return counts;
}

/** A message that a user wrote, and no result of a tool that stands in its name. */
function isUsers(message: unknown): boolean {
  if (typeof message === "string") return true;
  const { role, content } = fieldsOf(message);
  if (role !== "user") return false;
  return !Array.isArray(content) || content.some((part) => fieldsOf(part)["type"] !== "tool_result");
}

/** The beginning of a message's text, whatever the dialect. */
function textOf(message: unknown): string {
  if (typeof message === "string") return message.slice(0, TEXT_MAX);
  const { content } = fieldsOf(message);
  if (!Array.isArray(content)) return typeof content === "string" ? content.slice(0, TEXT_MAX) : "";
  let text = "";
  for (const part of content) {
    const said = fieldsOf(part)["text"];
    if (typeof said === "string" && text.length < TEXT_MAX) text += `${said.slice(0, TEXT_MAX)}\n`;
  }
  return text.slice(0, TEXT_MAX);
}

function asksForReasoning(value: Fields): boolean {
  const efforts = [value["reasoning_effort"], fieldsOf(value["reasoning"])["effort"]];
  if (efforts.some((effort) => typeof effort === "string" && !IDLE.has(effort))) return true;
  const { type } = fieldsOf(value["thinking"]);
  return type === "enabled" || type === "adaptive";
}

function asksForJson(value: Fields): boolean {
  const config = fieldsOf(value["output_config"]);
  const formats = [value["response_format"], fieldsOf(value["text"])["format"], config["format"], value["output_format"]];
  return formats.some((format) => JSON_FORMATS.has(fieldsOf(format)["type"]));
}

function listLength(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}
