import { describe, expect, it } from "vitest";
import { refusedChat, refusedField, refusedMessages, refusedResponses } from "../../support/upstream/validate.ts";

/**
 * The upstreams that tests play refuse what the vendors refuse. Each row is an error that somebody met and published, or that the
 * vendor documents, with a request that causes it.
 */

const own = { thinking: "I think.", signature: "signed" };
const use = (id = "toolu_1") => ({ type: "tool_use", id, name: "f", input: {} });
const result = (id = "toolu_1") => ({ type: "tool_result", tool_use_id: id, content: "x" });
const thought = { type: "thinking", ...own };
const user = (content: unknown = "Hi") => ({ role: "user", content });
const made = (...content: unknown[]) => ({ role: "assistant", content });
const messages = (list: unknown[], more: object = {}) => refusedMessages({ max_tokens: 9_000, messages: list, ...more }, own);
const thinking = { thinking: { type: "enabled", budget_tokens: 2_048 } };
const call = (id = "call_1") => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
const tool = (id = "call_1") => ({ role: "tool", tool_call_id: id, content: "x" });
const responses = (input: unknown[]) => refusedResponses({ input }, {}, "closed");

const CASES: readonly (readonly [string, string | null, RegExp])[] = [
  // https://github.com/anthropics/claude-code/issues/12894
  [
    "tools without thoughts",
    messages([user(), made(use()), user([result()])], thinking),
    /^messages\.1\.content\.0\.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`\. When `thinking` is enabled, a final `assistant` message must start with a thinking block/,
  ],
  // https://github.com/pydantic/pydantic-ai/issues/2040
  [
    "text before thoughts",
    messages([user(), made({ type: "text", text: "x" }, thought, use()), user([result()])], thinking),
    /Expected `thinking` or `redacted_thinking`, but found `text`/,
  ],
  // https://github.com/anthropics/claude-code/issues/59812
  ["empty text", messages([user([{ type: "text", text: "" }])]), /^messages: text content blocks must be non-empty$/],
  [
    "a result without its call",
    messages([user([result("toolu_2")])]),
    /^messages\.0\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_2\. Each `tool_result` block must have a corresponding `tool_use` block in the previous message\.$/,
  ],
  [
    "a call without its result",
    messages([user(), made(use()), user()]),
    /^messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1\./,
  ],
  ["a result behind other words", messages([user(), made(use()), user([{ type: "text", text: "x" }, result()])]), /tool_result/],
  [
    "one of two results",
    messages([user(), made(use(), use("toolu_2")), user([result()])]),
    /without `tool_result` blocks immediately after: toolu_2/,
  ],
  [
    "a forged signature",
    messages([user(), made({ ...thought, signature: "forged" }), user()]),
    /^messages\.1\.content\.0: Invalid `signature` in `thinking` block$/,
  ],
  ["changed thoughts", messages([user(), made({ ...thought, thinking: "I thought." }), user()]), /Invalid `signature`/],
  [
    "an id in other letters",
    messages([user(), made(use("functions.f:0")), user([result("functions.f:0")])]),
    /^messages\.1\.content\.0\.tool_use\.id: String should match pattern '\^\[a-zA-Z0-9_-\]\+\$'$/,
  ],
  ["an id twice", messages([user(), made(use(), use()), user([result()])]), /^messages: `tool_use` ids must be unique$/],
  [
    "arguments as text",
    messages([user(), made({ ...use(), input: "{}" }), user([result()])]),
    /tool_use\.input: Input should be a valid dictionary$/,
  ],
  ["a call of the user's", messages([user([use()])]), /can only be in `assistant` messages/],
  [
    "another kind of picture",
    messages([user([{ type: "image", source: { type: "base64", media_type: "image/tiff", data: "" } }])]),
    /image\.source\.base64\.media_type: Input should be 'image\/jpeg'/,
  ],
  ["no cap", refusedMessages({ messages: [] }, own), /^max_tokens: Field required$/],
  ["a warm temperature", messages([], { temperature: 1.5 }), /^temperature: Input should be less than or equal to 1$/],
  [
    "a small budget",
    messages([], { thinking: { type: "enabled", budget_tokens: 512 } }),
    /^thinking\.enabled\.budget_tokens: Input should be greater than or equal to 1024$/,
  ],
  [
    "a budget over the cap",
    messages([], { ...thinking, max_tokens: 2_048 }),
    /^`max_tokens` must be greater than `thinking\.budget_tokens`/,
  ],
  [
    "thoughts at another temperature",
    messages([], { ...thinking, temperature: 0.5 }),
    /^`temperature` may only be set to 1 when thinking is enabled/,
  ],
  [
    "thoughts and a forced tool",
    messages([], { ...thinking, tool_choice: { type: "any" } }),
    /^Thinking may not be enabled when tool_choice forces tool use/,
  ],
  [
    "two tools of a name",
    messages([], { tools: [1, 2].map(() => ({ name: "f", input_schema: { type: "object" } })) }),
    /^tools: Tool names must be unique/,
  ],
  [
    "a schema without a type",
    messages([], { tools: [{ name: "f", input_schema: {} }] }),
    /^tools\.0\.custom\.input_schema\.type: Field required$/,
  ],
  ["a field of another vendor", refusedField("messages", { n: 1 }), /^n: Extra inputs are not permitted$/],
  // https://github.com/vercel/ai/issues/5171
  [
    "a long id",
    refusedChat({ messages: [user(), { role: "assistant", tool_calls: [call("c".repeat(43))] }] }),
    /^Invalid 'messages\[1\]\.tool_calls\[0\]\.id': string too long\. Expected a string with maximum length 40, but got a string with length 43 instead\.$/,
  ],
  [
    "a tool message without its call",
    refusedChat({ messages: [user(), tool()] }),
    /^Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'/,
  ],
  [
    "a call that nobody answered",
    refusedChat({ messages: [{ role: "assistant", tool_calls: [call()] }, user()] }),
    /^An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'/,
  ],
  [
    "a role of another vendor",
    refusedChat({ messages: [{ role: "model", content: "x" }] }),
    /^Invalid value: 'model'\. Supported values are:/,
  ],
  ["no content", refusedChat({ messages: [user(null)] }), /^Invalid value for 'content': expected a string, got null\.$/],
  [
    "content of another vendor",
    refusedChat({ messages: [user([{ type: "document" }])] }),
    /^Invalid value: 'document'\. Supported values are: 'text', 'image_url'/,
  ],
  [
    // https://developers.openai.com/api/docs/guides/file-inputs: PDF only
    "a document that is no PDF",
    refusedChat({ messages: [user([{ type: "file", file: { file_data: "data:text/plain;base64,AAAA" } }])] }),
    /^Invalid file data/,
  ],
  [
    "JSON that nobody mentions",
    refusedChat({ messages: [user()], response_format: { type: "json_object" } }),
    /^'messages' must contain the word 'json' in some form/,
  ],
  [
    "a tool's name with spaces",
    refusedChat({ messages: [], tools: [{ function: { name: "a b" } }] }),
    /^Invalid 'tools\[0\]\.function\.name': string does not match pattern/,
  ],
  ["five stops", refusedChat({ messages: [], stop: ["a", "b", "c", "d", "e"] }), /^Invalid 'stop': array too long/],
  ["a field of nobody's", refusedField("chat", { top_k: 1 }), /^Unrecognized request argument supplied: top_k$/],
  [
    "an output without its call",
    responses([{ type: "function_call_output", call_id: "call_1", output: "x" }]),
    /^No tool call found for function call output with call_id call_1\.$/,
  ],
  [
    "a call without its output",
    responses([{ type: "function_call", call_id: "call_1" }]),
    /^No tool output found for function call call_1\.$/,
  ],
  // https://github.com/OpenHands/software-agent-sdk/issues/1242
  [
    "reasoning of another's",
    responses([{ type: "reasoning", id: "rs_1", encrypted_content: "other" }]),
    /^The encrypted content for item rs_1 could not be verified\.$/,
  ],
  [
    "the model's words as input",
    responses([{ role: "assistant", content: [{ type: "input_text" }] }]),
    /^Invalid value: 'input_text'\. Supported values are: 'output_text', 'refusal'/,
  ],
];

describe("A2: the vendors that tests play", () => {
  it.each(CASES)("refuse %s in the vendor's words", (_, refusal, words) => {
    expect(refusal).toMatch(words);
  });

  it("take what is right", () => {
    const turns = [user(), made(thought, use(), use("toolu_2")), user([result(), result("toolu_2"), { type: "text", text: "x" }])];
    expect(messages(turns, { ...thinking, tools: [{ name: "f", input_schema: { type: "object" } }] })).toBeNull();
    expect(refusedChat({ messages: [user(), { role: "assistant", tool_calls: [call()] }, tool(), user()] })).toBeNull();
    expect(
      responses([
        { type: "reasoning", encrypted_content: "closed" },
        { type: "function_call", call_id: "a" },
        { type: "function_call_output", call_id: "a" },
      ]),
    ).toBeNull();
  });
});
