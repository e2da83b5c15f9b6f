import type { Fields } from "#core";
import type { Ask } from "#wire";
import { Features } from "./features.ts";
import { type Picture, sizeOf } from "./picture.ts";

/** What a request says to a model, counted: the input of every model's arithmetic. */
export interface Prompt {
  readonly text: Features;
  readonly messages: number;
  /** Functions that are offered. */
  readonly tools: number;
  readonly pictures: readonly Picture[];
  /** Tokens sent as numbers in place of text. */
  readonly ids: number;
}

/** Characters of one prompt that are looked at; the rest is taken to be like them, so that no prompt costs more than a few milliseconds. */
const READ_MAX = 524_288;
const SPOKEN = ["system", "instructions", "messages", "input", "prompt", "suffix"] as const;
/** Sent to the model as text, structure and all. */
const RENDERED = ["tools", "functions", "response_format", "text"] as const;
/** Fields of a message that tell where things are or how to treat them, and no words for the model. */
const UNSPOKEN: ReadonlySet<string> = new Set(
  (
    "type role id call_id tool_call_id tool_use_id status cache_control signature encrypted_content " +
    "data url image_url file_id file_url file_data media_type detail format"
  ).split(" "),
);
/** Arguments of a call, which the model sees as JSON. */
const ARGUMENTS = "input";

/** Reads a request's prompt. Iterative, whatever its depth. */
export function readPrompt({ body: { value }, capability }: Pick<Ask, "body" | "capability">): Prompt {
  const reader = new PromptReader();
  for (const name of SPOKEN) reader.read(value[name]);
  for (const name of RENDERED) reader.render(value[name]);
  const list = value["messages"] ?? value["input"];
  const said = Array.isArray(list) && capability !== "embeddings" ? list.length : 1;
  const [tools, functions] = [value["tools"], value["functions"]];
  return {
    text: reader.text(),
    messages: said + Number((value["system"] ?? value["instructions"] ?? null) !== null),
    tools: (Array.isArray(tools) ? tools.length : 0) + (Array.isArray(functions) ? functions.length : 0),
    pictures: reader.pictures,
    ids: reader.ids,
  };
}

class PromptReader {
  readonly pictures: Picture[] = [];
  ids = 0;
  readonly #features = new Features();
  #left = READ_MAX;
  #skipped = 0;

  /** What was read, and what was not as if it were the same. */
  text(): Features {
    return this.#skipped === 0 ? this.#features : this.#features.times(1 + this.#skipped / (READ_MAX - this.#left));
  }

  read(root: unknown): void {
    const stack = [root];
    while (stack.length > 0) {
      const next = stack.pop();
      if (typeof next === "string") this.#say(next);
      else if (typeof next === "number") this.ids++;
      else if (Array.isArray(next)) for (const item of next) stack.push(item);
      else if (typeof next === "object" && next !== null && !this.#picture(next as Fields)) this.#open(next as Fields, stack);
    }
  }

  /** What the model sees as the JSON it is, or as something of its length. */
  render(value: unknown): void {
    if (typeof value === "object" && value !== null) this.#say(JSON.stringify(value));
  }

  #open(fields: Fields, stack: unknown[]): void {
    for (const [name, value] of Object.entries(fields)) {
      if (name === ARGUMENTS) this.render(value);
      else if (typeof value === "object" ? name !== "cache_control" : typeof value === "string" && !UNSPOKEN.has(name)) stack.push(value);
    }
  }

  #say(text: string): void {
    const read = text.length > this.#left ? text.slice(0, this.#left) : text;
    this.#left -= read.length;
    this.#skipped += text.length - read.length;
    this.#features.add(read);
  }

  #picture(part: Fields): boolean {
    const found = pictureOf(part);
    if (found) this.pictures.push(found);
    return found !== null;
  }
}

/** A picture in any dialect's form; null for any other part. */
function pictureOf(part: Fields): Picture | null {
  const { type } = part;
  if (type !== "image" && type !== "image_url" && type !== "input_image") return null;
  const inner = type === "image" ? part["source"] : part["image_url"];
  const held = typeof inner === "object" && inner !== null ? (inner as Fields) : part;
  const address = held["data"] ?? held["url"] ?? inner;
  const detail = held["detail"] ?? part["detail"];
  return { size: typeof address === "string" ? sizeOf(address) : null, detail: typeof detail === "string" ? detail : null };
}
