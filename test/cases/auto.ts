/** Requests and the models that the built-in table of the auto-router sends them to, where OpenAI and Anthropic can be called. */

/** One row: who asks for what, and which rule and model answer. */
export interface AutoCase {
  readonly what: string;
  readonly operation?: "chat.completions" | "responses" | "messages" | "count_tokens";
  readonly request: Readonly<Record<string, unknown>>;
  /** The key's allow list; everything where it has none. */
  readonly allow?: readonly string[];
  readonly rule: string | null;
  readonly model: string;
}

const HAIKU = "anthropic/claude-haiku-5-5";
const SONNET = "anthropic/claude-sonnet-5-5";
const OPUS = "anthropic/claude-opus-5-5";
const LUNA = "openai/gpt-6-luna";
const SOL = "openai/gpt-6.1-sol";
const OLDER_SOL = "openai/gpt-5.6-sol";
const ECHO = "tollgate/echo";
const OPENAI = ["openai/*"];
const BUILT_IN = ["tollgate/*"];

const user = (content: unknown) => ({ messages: [{ role: "user", content }] });
const words = (count: number) => "The harbour was quiet when the boats came in, and only the gulls cared. ".repeat(Math.ceil(count / 14));
const chatTool = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
const messagesTool = [{ name: "look", input_schema: { type: "object", properties: {} } }];
const responsesTool = [{ type: "function", name: "look", parameters: { type: "object", properties: {} } }];
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const chatImage = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
const messagesImage = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } };
const messagesFile = { type: "document", source: { type: "text", media_type: "text/plain", data: "A contract between two parties." } };
const schema = { type: "json_schema", json_schema: { name: "answer", schema: { type: "object", properties: {} } } };
const PYTHON = "def add(a, b):\n    return a + b\n\nfor each in range(3):\n    print(add(each, 1))\n";
const TYPESCRIPT = "export function add(a: number, b: number): number {\n  return a + b;\n}\n\nconst sum = add(1, 2);\nconsole.log(sum);\n";

export const CASES: readonly AutoCase[] = [
  { what: "a greeting", request: user("Hello there"), rule: "short", model: HAIKU },
  { what: "a question", request: user("What is the capital of France?"), rule: "short", model: HAIKU },
  { what: "a question, streamed", request: { ...user("What is the capital of France?"), stream: true }, rule: "short", model: HAIKU },
  { what: "a question with a system prompt", request: { messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Who wrote Faust?" }] }, rule: "short", model: HAIKU }, // prettier-ignore
  { what: "nothing said at all", request: { messages: [] }, rule: "short", model: HAIKU },
  { what: "German", request: user("Wie ist das Wetter heute, und was soll ich für den Weg mitnehmen?"), rule: "short", model: HAIKU },
  { what: "French", request: user("Quelle est la capitale de la France et pourquoi est-elle dans le nord ?"), rule: "short", model: HAIKU },
  { what: "Spanish", request: user("¿Cuál es la capital de España y por qué es la más grande?"), rule: "short", model: HAIKU },
  { what: "Japanese", request: user("フランスの首都はどこですか。"), rule: "other-scripts", model: SONNET },
  { what: "Chinese", request: user("法国的首都是哪里？请简短回答。"), rule: "other-scripts", model: SONNET },
  { what: "Korean", request: user("프랑스의 수도는 어디입니까?"), rule: "other-scripts", model: SONNET },
  { what: "Russian", request: user("Какой город столица Франции?"), rule: "other-scripts", model: SONNET },
  { what: "Arabic", request: user("ما هي عاصمة فرنسا؟"), rule: "other-scripts", model: SONNET },
  { what: "Greek", request: user("Ποια είναι η πρωτεύουσα της Γαλλίας;"), rule: "other-scripts", model: SONNET },
  { what: "Thai", request: user("เมืองหลวงของฝรั่งเศสคืออะไร"), rule: "other-scripts", model: SONNET },
  { what: "an English text with one Chinese word", request: user("What does the word 好 mean in the sentence that you see on this sign?"), rule: "short", model: HAIKU }, // prettier-ignore
  { what: "Python in a fence", request: user(`What does this print?\n\`\`\`python\n${PYTHON}\`\`\``), rule: "code", model: SONNET },
  { what: "TypeScript without a fence", request: user(TYPESCRIPT), rule: "code", model: SONNET },
  { what: "a wish for a program", request: user("Write me a Python program that counts words"), rule: "code", model: SONNET },
  { what: "a wish for SQL", request: user("Which SQL finds the second largest salary?"), rule: "code", model: SONNET },
  { what: "a stack trace", request: user("I get this stack trace when the page loads, why?"), rule: "code", model: SONNET },
  { what: "a recipe that is no code", request: user("Mix the flour;\nadd the eggs\nand return it to the oven for ten minutes."), rule: "short", model: HAIKU }, // prettier-ignore
  { what: "tools", request: { ...user("What is the weather in Paris?"), tools: chatTool }, rule: "tools", model: SONNET },
  { what: "an empty list of tools", request: { ...user("What is the weather in Paris?"), tools: [] }, rule: "short", model: HAIKU },
  {
    what: "tools and code",
    request: { ...user(`Mend this:\n\`\`\`\n${PYTHON}\`\`\``), tools: chatTool },
    rule: "coding-agent",
    model: OPUS,
  },
  { what: "reasoning by effort", request: { ...user("Prove that there are infinitely many primes."), reasoning_effort: "high" }, rule: "reasoning", model: OPUS }, // prettier-ignore
  { what: "no reasoning by effort", request: { ...user("Prove that there are infinitely many primes."), reasoning_effort: "none" }, rule: "short", model: HAIKU }, // prettier-ignore
  { what: "a picture", request: user([{ type: "text", text: "What is this?" }, chatImage]), rule: "images", model: SONNET },
  { what: "JSON wanted", request: { ...user("Name three rivers."), response_format: schema }, rule: "short", model: HAIKU },
  { what: "a page", request: user(words(1_200)), rule: "short", model: HAIKU },
  { what: "a chapter", request: user(words(5_000)), rule: null, model: SONNET },
  { what: "a book", request: user(words(60_000)), rule: "long", model: SONNET },
  { what: "a long conversation", request: { messages: Array.from({ length: 61 }, (_, at) => ({ role: at % 2 === 0 ? "user" : "assistant", content: words(120) })) }, rule: null, model: SONNET }, // prettier-ignore
  { what: "what only OpenAI can say: log probabilities", request: { ...user("Yes or no?"), logprobs: true }, rule: "short", model: LUNA },
  { what: "what only OpenAI can say: several answers", request: { ...user("Name a river."), n: 3 }, rule: "short", model: LUNA },
  { what: "a key for OpenAI only", request: user("Hello there"), allow: OPENAI, rule: "short", model: LUNA },
  { what: "tools with a key for OpenAI only", request: { ...user("Hello"), tools: chatTool }, allow: OPENAI, rule: "tools", model: SOL },
  { what: "reasoning with a key for OpenAI only", request: { ...user("Why?"), reasoning_effort: "high" }, allow: OPENAI, rule: "reasoning", model: OLDER_SOL }, // prettier-ignore
  { what: "a key for one model that is too strong", request: user("Hello there"), allow: [OPUS], rule: "short", model: OPUS },
  { what: "a key for the built-in provider only", request: user("Hello there"), allow: BUILT_IN, rule: "short", model: ECHO },
  {
    what: "a key for a model beside the table",
    request: user("Hello there"),
    allow: ["gpt-4o-mini"],
    rule: "short",
    model: "openai/gpt-4o-mini",
  },
  { what: "Messages", operation: "messages", request: { max_tokens: 64, ...user("Hello there") }, rule: "short", model: HAIKU },
  { what: "Messages with tools", operation: "messages", request: { max_tokens: 64, ...user("Hello"), tools: messagesTool }, rule: "tools", model: SONNET }, // prettier-ignore
  { what: "Messages with thinking", operation: "messages", request: { max_tokens: 4_096, thinking: { type: "enabled", budget_tokens: 2_048 }, ...user("Why?") }, rule: "reasoning", model: OPUS }, // prettier-ignore
  { what: "Messages with a picture", operation: "messages", request: { max_tokens: 64, ...user([messagesImage, { type: "text", text: "What is this?" }]) }, rule: "images", model: SONNET }, // prettier-ignore
  { what: "Messages with a document", operation: "messages", request: { max_tokens: 64, ...user([messagesFile, { type: "text", text: "Sum it up." }]) }, rule: "files", model: SONNET }, // prettier-ignore
  { what: "the tokens of a chapter", operation: "count_tokens", request: user(words(5_000)), rule: null, model: SONNET },
  { what: "Responses", operation: "responses", request: { input: "Hello there" }, rule: "short", model: HAIKU },
  { what: "Responses with tools and code", operation: "responses", request: { input: "Refactor this codebase", tools: responsesTool }, rule: "coding-agent", model: OPUS }, // prettier-ignore
  { what: "Responses with reasoning", operation: "responses", request: { input: "Why?", reasoning: { effort: "medium" } }, rule: "reasoning", model: OPUS }, // prettier-ignore
];
