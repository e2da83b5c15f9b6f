import type { Call } from "./command.ts";
import { misuse } from "./failure.ts";
import { choice, count, type OptionTable, text } from "./option.ts";
import { parsedJson, readSource } from "./source.ts";

const OPERATIONS = [
  "chat.completions",
  "responses",
  "completions",
  "embeddings",
  "messages",
  "images.generations",
  "audio.speech",
  "moderations",
  "rerank",
] as const;
/** What answers in no tokens that could be capped. */
const UNCAPPED: ReadonlySet<string> = new Set(["embeddings", "images.generations", "audio.speech", "moderations"]);
type Operation = (typeof OPERATIONS)[number];

/** The options that tell of a request which is asked about and not made. */
export const DESCRIBING = {
  request: text("the body of the request, as JSON in a file; - reads standard input", undefined, "<file>"),
  operation: choice("what the request is, chat.completions if not told", OPERATIONS),
  model: text("in place of a request: the model", undefined, "<model>"),
  prompt: text("in place of a request: what it is asked"),
  "max-tokens": count("in place of a request: the longest answer", undefined, 1),
} satisfies OptionTable;

type Given = Call<typeof DESCRIBING>["given"];

/** The body that asks about a request. The text of a file goes as it stands: parsed and written again it might be another request. */
export async function described(given: Given): Promise<string> {
  const operation = given.operation ?? "chat.completions";
  const request = given.request === undefined ? requestOf(operation, given) : await readRequest(given.request, given);
  return `{"operation":${JSON.stringify(operation)},"request":${request}}`;
}

async function readRequest(file: string, given: Given): Promise<string> {
  const extra = (["model", "prompt", "max-tokens"] as const).find((name) => given[name] !== undefined);
  if (extra !== undefined) throw misuse(`--${extra} is part of the request in ${file}; give one or the other`, `--${extra}`);
  const content = await readSource(file, "--request");
  parsedJson(content, file, "--request");
  return content;
}

/** The smallest request of an operation that asks a model something. */
function requestOf(operation: Operation, { model, prompt, "max-tokens": most }: Given): string {
  if (model === undefined || prompt === undefined)
    throw misuse("Give --request, or --model and --prompt", model === undefined ? "--model" : "--prompt");
  if (operation === "rerank") throw misuse("A ranking needs its documents; give --request", "--request");
  const messages = [{ role: "user", content: prompt }];
  const requests = {
    "chat.completions": { model, messages, max_completion_tokens: most },
    responses: { model, input: prompt, max_output_tokens: most },
    completions: { model, prompt, max_tokens: most },
    embeddings: { model, input: prompt },
    messages: { model, messages, max_tokens: most },
    "images.generations": { model, prompt },
    "audio.speech": { model, input: prompt },
    moderations: { model, input: prompt },
  };
  if (operation === "messages" && most === undefined) throw misuse("A request of messages needs --max-tokens", "--max-tokens");
  if (UNCAPPED.has(operation) && most !== undefined)
    throw misuse(`A request of ${operation} answers no tokens to cap; leave --max-tokens out`, "--max-tokens");
  return JSON.stringify(requests[operation]);
}
