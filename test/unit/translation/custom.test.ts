import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamTranslator, translateAnswer, translateRequest } from "#translation";

type Json = Record<string, unknown>;

const COMPATIBLE = { maxTokens: 4_096, openai: false };
const OPENAI = { maxTokens: 4_096, openai: true };
const TELLING = { requestId: "req_1", created: 1, includeUsage: false };
const custom = new Set(["patch"]);
const grammar = { syntax: "lark", definition: 'start: "x"' };
const format = { type: "grammar", ...grammar };
const patch = '*** Begin\n+"quoted" \\ é 😀\tend';
const asked = {
  model: "m",
  tools: [
    { type: "custom", name: "patch", description: "Patches.", format },
    { type: "function", name: "plain", parameters: { type: "object", properties: {} }, strict: false },
  ],
  tool_choice: { type: "custom", name: "patch" },
  input: [
    { role: "user", content: "Go." },
    { type: "custom_tool_call", call_id: "call_1", name: "patch", input: patch },
    { type: "custom_tool_call_output", call_id: "call_1", output: "done" },
  ],
};
const inChat = {
  model: "m",
  tools: [
    { type: "custom", custom: { name: "patch", description: "Patches.", format: { type: "grammar", grammar } } },
    { type: "function", function: { name: "plain", parameters: { type: "object", properties: {} }, strict: false } },
  ],
  tool_choice: { type: "custom", custom: { name: "patch" } },
  messages: [
    { role: "user", content: "Go." },
    { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "custom", custom: { name: "patch", input: patch } }] },
    { role: "tool", tool_call_id: "call_1", content: "done" },
  ],
};

describe("A2: custom tools", () => {
  it("are functions of one text in Messages, with their grammar in words, there and in the next turn", () => {
    for (const [body, from, field] of [
      [asked, "openai-responses", "tools[].format"],
      [inChat, "openai-chat", "tools[].custom.format"],
    ] as const) {
      const said = translateRequest(body, { from, to: "anthropic" }, "m", COMPATIBLE);
      const [tool] = said.body["tools"] as Json[];
      expect(tool).toMatchObject({ name: "patch", input_schema: { properties: { input: { type: "string" } }, required: ["input"] } });
      expect(tool!["description"]).toBe(`Patches.\n\n\`input\` must match this lark grammar:\n${grammar.definition}`);
      expect(said.body["tool_choice"]).toEqual({ type: "tool", name: "patch" });
      const [, made] = said.body["messages"] as { content: Json[] }[];
      expect(made!.content).toEqual([{ type: "tool_use", id: "call_1", name: "patch", input: { input: patch } }]);
      expect([said.dropped, said.custom]).toEqual([[field], custom]);
    }
  });

  it("are OpenAI's own in its other dialect, and functions at a provider that is only compatible", () => {
    const chat = translateRequest(asked, { from: "openai-responses", to: "openai-chat" }, "m", OPENAI);
    expect(chat.body).toMatchObject(inChat);
    const responses = translateRequest(inChat, { from: "openai-chat", to: "openai-responses" }, "m", OPENAI);
    expect(responses.body).toMatchObject({ ...asked, input: [{ role: "user" }, ...asked.input.slice(1)] });
    expect([chat.custom.size, responses.custom.size, chat.dropped, responses.dropped]).toEqual([0, 0, [], []]);
    const compatible = translateRequest(asked, { from: "openai-responses", to: "openai-chat" }, "m", COMPATIBLE);
    const [tool, plain] = compatible.body["tools"] as { type: string; function: Json }[];
    expect([tool!.type, tool!.function["name"], plain!.function["name"], compatible.custom]).toEqual([
      "function",
      "patch",
      "plain",
      custom,
    ]);
    expect(compatible.body["tool_choice"]).toEqual({ type: "function", function: { name: "patch" } });
    expect(compatible.body["messages"]).toMatchObject([
      {},
      { tool_calls: [{ function: { arguments: JSON.stringify({ input: patch }) } }] },
      {},
    ]);
  });

  it.each([
    [{ tools: [{ type: "custom", name: "f", format: { type: "grammar", syntax: "lark" } }] }, "tools.0.format.definition"],
    [{ tools: [{ type: "custom", name: "f", format: { type: "yaml" } }] }, "tools.0.format.type"],
    [{ tools: [{ type: "custom" }] }, "tools.0.name"],
    [{ tools: [{ type: "custom", name: "f", defer_loading: true }] }, "tools.0.defer_loading"],
    [{ tools: [{ type: "web_search" }] }, "tools.0.type"],
  ])("%o is refused by its name", (fields, param) => {
    const refused = () =>
      translateRequest({ model: "m", input: "Hi", ...fields }, { from: "openai-responses", to: "anthropic" }, "m", COMPATIBLE);
    expect(refused).toThrow(expect.objectContaining({ facts: expect.objectContaining({ param }) as unknown }));
  });

  it("are told as such in an answer, whole", () => {
    const answer = (input: unknown) =>
      JSON.stringify({ id: "msg_1", model: "m", content: [{ type: "tool_use", id: "c", name: "patch", input }], stop_reason: "tool_use" });
    const told = (input: unknown) =>
      JSON.parse(translateAnswer(answer(input), { from: "openai-responses", to: "anthropic" }, { created: 1, custom })!) as {
        output: Json[];
      };
    expect(told({ input: patch }).output).toEqual([
      { id: "ctc_msg1_0", type: "custom_tool_call", status: "completed", call_id: "c", name: "patch", input: patch },
    ]);
    // A model may write anything; what it wrote is told.
    expect(told({ other: 1 }).output[0]!["input"]).toBe('{"other":1}');
    const chat = JSON.parse(
      translateAnswer(answer({ input: patch }), { from: "openai-chat", to: "anthropic" }, { created: 1, custom })!,
    ) as {
      choices: { message: { tool_calls: Json[] } }[];
    };
    expect(chat.choices[0]!.message.tool_calls).toEqual([{ id: "c", type: "custom", custom: { name: "patch", input: patch } }]);
  });

  it("cross OpenAI's two dialects in answers and in streams as they are", () => {
    const response = {
      id: "resp_1",
      model: "m",
      status: "completed",
      output: [{ type: "custom_tool_call", call_id: "c", name: "patch", input: patch }],
    };
    const chat = JSON.parse(
      translateAnswer(JSON.stringify(response), { from: "openai-chat", to: "openai-responses" }, { created: 1 })!,
    ) as {
      choices: { message: { tool_calls: Json[] } }[];
    };
    const call = { id: "c", type: "custom", custom: { name: "patch", input: patch } };
    expect(chat.choices[0]!.message.tool_calls).toEqual([call]);
    const chunk = (delta: object, finish: string | null) => ({
      id: "chatcmpl-1",
      model: "m",
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
    const opening = { index: 0, id: "c", type: "custom", custom: { name: "patch", input: "" } };
    const chunks = [
      chunk({ tool_calls: [opening] }, null),
      ...patch.match(/./gsu)!.map((input) => chunk({ tool_calls: [{ index: 0, custom: { input } }] }, null)),
      chunk({}, "tool_calls"),
    ];
    const events = heard(
      { from: "openai-responses", to: "openai-chat" },
      [...chunks.map((each) => `data: ${JSON.stringify(each)}\n\n`), "data: [DONE]\n\n"].join(""),
      17,
    );
    expect(callIn(events)).toMatchObject({ type: "custom_tool_call", call_id: "c", name: "patch", input: patch });
    const back = heard(
      { from: "openai-chat", to: "openai-responses" },
      events.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""),
      23,
    );
    const deltas = back.flatMap(
      (each) => (each["choices"] as { delta: { tool_calls?: { custom?: { input?: string } }[] } }[])[0]!.delta.tool_calls ?? [],
    );
    expect(deltas.map(({ custom: made }) => made?.input ?? "").join("")).toBe(patch);
  });

  it("say the same in a stream as whole, wherever its bytes and its arguments are split, and whatever the model wrote", () => {
    const text = fc.string({ unit: "binary" });
    const written = fc.oneof(
      text.map((input) => JSON.stringify({ input })),
      text.map((input) => ` {\n "input" : ${JSON.stringify(input)} }`),
      fc.tuple(text, text).map(([input, more]) => JSON.stringify({ input, more })),
      fc.tuple(text, text).map(([more, input]) => JSON.stringify({ more, input })),
      fc.json(),
      text.map((input) => JSON.stringify({ input }).slice(0, -3)),
    );
    fc.assert(
      fc.property(written, fc.array(fc.nat(40), { maxLength: 8 }), fc.integer({ min: 1, max: 60 }), (json, cuts, size) => {
        const places = [...new Set(cuts.map((cut) => Math.min(cut, json.length)))].toSorted((a, b) => a - b);
        const pieces = [0, ...places].map((from, at) => json.slice(from, places[at] ?? json.length));
        const events = heard({ from: "openai-responses", to: "anthropic" }, messageOf(pieces), size);
        const done = callIn(events);
        const deltas = events.flatMap(({ type, delta }) => (type === "response.custom_tool_call_input.delta" ? [delta as string] : []));
        expect(deltas.join("")).toBe(done["input"]);
        const whole = wholeOf(json);
        if (whole !== null) expect(done["input"]).toBe(whole);
      }),
      { numRuns: 500 },
    );
  });

  it("come piece by piece: the first words of a text are told before the last are there", () => {
    const translator = new StreamTranslator({ from: "openai-responses", to: "anthropic" }, { ...TELLING, custom });
    const out = translator.push(
      new TextEncoder().encode(
        messageOf(['{"input":"first', " words", ' last"}'])
          .split("event: content_block_stop")[0]!
          .replace(/event: content_block_delta\ndata: [^\n]* last[^\n]*\n\n/, ""),
      ),
    );
    expect(out).toContain('"delta":"first"');
    expect(out).toContain('"delta":" words"');
  });
});

/** What a stream says in the caller's dialect, from pieces of so many bytes. */
function heard(
  pair: { from: "openai-responses" | "openai-chat"; to: "anthropic" | "openai-chat" | "openai-responses" },
  text: string,
  size: number,
): Json[] {
  const translator = new StreamTranslator(pair, { ...TELLING, ...(pair.to === "anthropic" && { custom }) });
  const bytes = new TextEncoder().encode(text);
  let out = "";
  for (let at = 0; at < bytes.length; at += size) out += translator.push(bytes.slice(at, at + size));
  out += translator.end();
  return out.split("\n").flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6)) as Json] : []));
}

/** The call that a stream of Responses ends with. */
function callIn(events: readonly Json[]): Json {
  const { response } = events.find(({ type }) => type === "response.completed") as { response: { output: Json[] } };
  return response.output.find(({ type }) => type === "custom_tool_call")!;
}

function messageOf(pieces: readonly string[]): string {
  const event = (type: string, facts: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`;
  return [
    event("message_start", { message: { id: "msg_1", model: "m", content: [] } }),
    event("content_block_start", { index: 0, content_block: { type: "tool_use", id: "c", name: "patch", input: {} } }),
    ...pieces.map((partial_json) => event("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json } })),
    event("content_block_stop", { index: 0 }),
    event("message_delta", { delta: { stop_reason: "tool_use" } }),
    event("message_stop", {}),
  ].join("");
}

/** What a model wrote, as a whole answer tells it; null for what is no JSON. */
function wholeOf(json: string): string | null {
  try {
    const value = JSON.parse(json) as { input?: unknown } | null;
    return typeof value?.input === "string" ? value.input : json;
  } catch {
    return null;
  }
}
