import { type Call, type Command, command } from "../command.ts";
import { type Exit, misuse } from "../failure.ts";
import { choice, count, type OptionTable, text } from "../option.ts";
import { parsedJson, readSource } from "../source.ts";

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

const options = {
  request: text("the body of the request, as JSON in a file; - reads standard input", undefined, "<file>"),
  operation: choice("what the request is, chat.completions if not told", OPERATIONS),
  model: text("in place of a request: the model", undefined, "<model>"),
  prompt: text("in place of a request: what it is asked"),
  "max-tokens": count("in place of a request: the longest answer", undefined, 1),
} satisfies OptionTable;

const estimated = command({
  name: "estimate",
  summary: "What would this request cost, and would the budget allow it? Nothing is sent to the provider.",
  more: "Asks for the key in TOLLGATE_KEY. Ends with 4 where one of its budgets would refuse the request.",
  operands: [],
  options,
  examples: [
    ["estimate --model gpt-4o-mini --prompt 'Why is the sky blue?' --max-tokens 500", "a question"],
    ["estimate --request body.json --operation messages", "a request as it would be sent"],
    ["estimate --operation audio.speech --model openai/tts-1 --prompt 'Good morning'", "a text to be spoken"],
    ["estimate --request body.json --field expected_usd", "the likely price, for a script"],
  ],
  async run({ given, gateway, output }): Promise<Exit> {
    const operation = given.operation ?? "chat.completions";
    const request = given.request === undefined ? requestOf(operation, given) : await readRequest(given.request, given);
    // The text of a file goes as it stands: parsed and written again it might be another request.
    const body = `{"operation":${JSON.stringify(operation)},"request":${request}}`;
    const answer = (await gateway.write("POST", "/v1/estimate", { body, as: "key" })) ?? {};
    await output.object(answer);
    return answer["allowed"] === false ? "no" : "ok";
  },
});

/** `estimate`: a request's price before it is sent. */
export const estimate: readonly Command[] = [estimated];

type Given = Call<typeof options>["given"];

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
