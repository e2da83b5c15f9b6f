import { describe, expect, it } from "vitest";
import { type Tongue, translateAnswer, translateRequest } from "#translation";

/** What stands in one dialect, and what exactly is sent in the other. */

const DRESS = { maxTokens: 4_096, openai: true };
type Json = Record<string, unknown>;

function said(from: Tongue, to: Tongue, body: Json, model = "m") {
  return translateRequest({ model: "x", ...body }, { from, to }, model, DRESS);
}
const chat = (body: Json, model?: string) => said("openai-chat", "anthropic", { messages: [], ...body }, model);
const claude = (body: Json) => said("anthropic", "openai-chat", { max_tokens: 9, messages: [], ...body });
const user = (content: unknown = "Hi") => ({ role: "user", content });

describe("Chat Completions in Messages", () => {
  it("puts what stands before the conversation into the system prompt, and leaves the rest where it is", () => {
    const { body } = chat({
      messages: [{ role: "system", content: "A" }, { role: "developer", content: "B" }, user(), { role: "developer", content: "C" }],
    });
    expect(body["system"]).toEqual([
      { type: "text", text: "A" },
      { type: "text", text: "B" },
    ]);
    expect(body["messages"]).toEqual([
      { role: "user", content: [{ type: "text", text: "Hi" }] },
      { role: "system", content: [{ type: "text", text: "C" }] },
    ]);
  });

  it("puts later instructions where the model takes them: behind the user's turn, or before the conversation", () => {
    const messages = [
      { role: "system", content: "A" },
      user("1"),
      { role: "assistant", content: "2" },
      { role: "system", content: "B" },
      user("3"),
    ];
    const text = (words: string) => [{ type: "text", text: words }];
    const later = chat({ messages }, "claude-opus-5");
    expect(later.body["system"]).toEqual(text("A"));
    expect(later.body["messages"]).toEqual([
      { role: "user", content: text("1") },
      { role: "assistant", content: text("2") },
      { role: "user", content: text("3") },
      { role: "system", content: text("B") },
    ]);
    expect(later.dropped).toEqual([]);
    for (const model of ["claude-sonnet-4-6", "claude-haiku-4-5", "claude-3-haiku-20240307", "claude-opus-4-20250514"]) {
      const early = chat({ messages }, model);
      expect(early.body["system"]).toEqual([...text("A"), ...text("B")]);
      expect((early.body["messages"] as Json[]).map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
      expect(early.dropped).toEqual(["messages[].role"]);
    }
  });

  it("keeps cache_control on parts, calls and tools, and takes OpenAI's own mark for one", () => {
    const control = { cache_control: { type: "ephemeral", ttl: "1h" } };
    const tool = { type: "function", function: { name: "f", parameters: { type: "object" } }, ...control };
    const { body, dropped } = chat({
      messages: [
        { role: "system", content: [{ type: "text", text: "S", ...control }] },
        user([
          { type: "text", text: "A", cache_control: { type: "ephemeral" } },
          { type: "text", text: "B", prompt_cache_breakpoint: { mode: "explicit" } },
        ]),
      ],
      tools: [tool],
    });
    expect(body["system"]).toEqual([{ type: "text", text: "S", ...control }]);
    expect(body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "A", cache_control: { type: "ephemeral" } },
          { type: "text", text: "B", cache_control: { type: "ephemeral" } },
        ],
      },
    ]);
    expect(body["tools"]).toEqual([{ name: "f", input_schema: { type: "object" }, ...control }]);
    expect(dropped).toEqual([]);
  });

  it("joins tool messages and the user's next words into one turn, results first", () => {
    const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: '{"a":1}' } });
    const { body } = chat({
      messages: [
        user(),
        { role: "assistant", content: null, tool_calls: [call("call_1"), call("functions.f:1")] },
        { role: "tool", tool_call_id: "call_1", content: "1" },
        { role: "tool", tool_call_id: "functions.f:1", content: [{ type: "text", text: "2" }] },
        user("Go on"),
      ],
    });
    const [, made, given] = body["messages"] as { content: Json[] }[];
    expect(made?.content.map(({ id, input }) => [id, input])).toEqual([
      ["call_1", { a: 1 }],
      [expect.stringMatching(/^tgid_[\w-]+$/), { a: 1 }],
    ]);
    expect(given?.content).toEqual([
      { type: "tool_result", tool_use_id: "call_1", content: "1" },
      { type: "tool_result", tool_use_id: made?.content[1]?.["id"], content: "2" },
      { type: "text", text: "Go on" },
    ]);
  });

  it("asks as the model can be asked to think: by effort, or by a budget under its cap", () => {
    expect(chat({ reasoning_effort: "minimal" }, "claude-opus-5").body).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "low" },
    });
    for (const model of ["claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-1", "claude-3-7-sonnet-latest"])
      expect(chat({ reasoning_effort: "medium", max_tokens: 9_000 }, model).body["thinking"]).toEqual({
        type: "enabled",
        budget_tokens: 8_192,
      });
    for (const model of ["claude-sonnet-4-6", "claude-opus-4-7", "claude-sonnet-5"])
      expect(chat({ reasoning_effort: "medium" }, model).body["thinking"]).toEqual({ type: "adaptive" });
    const tight = chat({ reasoning_effort: "high", max_tokens: 500 }, "claude-sonnet-4-5");
    expect([tight.body["thinking"], tight.dropped]).toEqual([undefined, ["reasoning_effort"]]);
  });

  it("gives a tool's picture back as one, though OpenAI itself takes text only", () => {
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
    const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
    const { body } = chat({
      messages: [user(), { role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "c", content: [image] }],
    });
    expect((body["messages"] as { content: Json[] }[])[2]?.content).toEqual([
      {
        type: "tool_result",
        tool_use_id: "c",
        content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }],
      },
    ]);
  });

  it("does not begin to think in a turn whose calls came back without their thoughts", () => {
    const messages = [
      user(),
      { role: "assistant", tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "call_1", content: "1" },
    ];
    const { body, dropped } = chat({ messages, reasoning_effort: "high", max_tokens: 30_000 }, "claude-sonnet-4-5");
    expect([body["thinking"], dropped]).toEqual([undefined, ["reasoning_effort"]]);
  });

  it("asks for a schema in Anthropic's own way, and for JSON without one in words", () => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false };
    const { body } = chat({ response_format: { type: "json_schema", json_schema: { name: "answer", schema, strict: true } } });
    expect(body["output_config"]).toEqual({ format: { type: "json_schema", schema } });
    const loose = chat({ response_format: { type: "json_object" } });
    expect([loose.body["system"], loose.dropped]).toEqual([
      [{ type: "text", text: "Answer with one JSON object and nothing else." }],
      ["response_format.json_object"],
    ]);
  });

  it.each([
    [{ n: 2 }, "n"],
    [{ logprobs: true }, "logprobs"],
    [{ top_logprobs: 3 }, "top_logprobs"],
    [{ frequency_penalty: 0.5 }, "frequency_penalty"],
    [{ logit_bias: { 50256: -100 } }, "logit_bias"],
    [{ temperature: 1.5 }, "temperature"],
    [{ service_tier: "flex" }, "service_tier"],
    [{ modalities: ["text", "audio"] }, "modalities"],
    [{ functions: [{ name: "f" }] }, "functions"],
    [{ tools: [{ type: "web_search" }] }, "tools.0.type"],
    [{ messages: [user([{ type: "input_audio", input_audio: { data: "", format: "wav" } }])] }, "messages.0.content.0.type"],
    [{ messages: [user([{ type: "file", file: { file_id: "file-1" } }])] }, "messages.0.content.0.file.file_id"],
    [{ messages: [user([{ type: "file", file: { file_data: "data:image/x-icon;base64,AAAA" } }])] }, "messages.0.content.0.file.file_data"],
    [{ messages: [user([{ type: "image_url", image_url: { url: "file:///etc/passwd" } }])] }, "messages.0.content.0.image_url.url"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages.0.tool_call_id"],
    [{ messages: [{ role: "robot", content: "x" }] }, "messages.0.role"],
    [{ messages: ["Hi"] }, "messages.0"],
    [{ messages: [user(), { role: "assistant", content: "The answer is" }] }, "messages.1"],
    [{ messages: [{ role: "system", content: [{ type: "image_url", image_url: { url: "https://x.test/a" } }] }] }, "messages.0.content.0"],
    [{ messages: [user([{ type: "refusal", refusal: "no" }])] }, "messages.0.content.0"],
    [{ messages: [{ role: "tool", tool_call_id: "c", content: [{ type: "refusal", refusal: "no" }] }] }, "messages.0.content.0"],
    [
      { messages: [user([{ type: "image_url", image_url: { url: "https://x.test/a", crop: true } }])] },
      "messages.0.content.0.image_url.crop",
    ],
    [{ tools: [{ type: "function", function: { name: "f" }, cost: 1 }] }, "tools.0.cost"],
    [{ tool_choice: "maybe" }, "tool_choice"],
    [{ reasoning_effort: "wild" }, "reasoning_effort"],
    [{ stop: ["a", 1] }, "stop.1"],
  ])("refuses %j by name", (body, param) => {
    expect(() => chat(body)).toThrow(
      expect.objectContaining({ code: "invalid_request", facts: expect.objectContaining({ param }) }) as never,
    );
  });

  it("passes over what asks for nothing", () => {
    const idle = {
      n: 1,
      logprobs: false,
      logit_bias: {},
      presence_penalty: 0,
      store: false,
      modalities: ["text"],
      function_call: "auto",
      audio: null,
    };
    expect(chat(idle).dropped).toEqual([]);
  });
});

describe("a turn in which nothing is left", () => {
  const thought = { role: "assistant", content: [{ type: "thinking", thinking: "hm", signature: "anthropics" }] };

  it("is left out, and what stands around it is one turn where turns must alternate", () => {
    const there = claude({ messages: [user("A"), thought, user("B")] });
    expect([there.body["messages"], there.dropped]).toEqual([[user("A"), user("B")], ["messages[].content[].thinking"]]);
    const detail = { type: "reasoning.text", text: "hm" };
    const back = chat({ messages: [user("A"), { role: "assistant", content: null, reasoning_details: [detail] }, user("B")] });
    expect(back.body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "A" },
          { type: "text", text: "B" },
        ],
      },
    ]);
    expect(back.dropped).toEqual(["messages[].reasoning_details"]);
  });
});

describe("why an answer stopped", () => {
  const message = (stop_reason: string) => ({ id: "msg_1", content: [{ type: "text", text: "x" }], stop_reason, stop_sequence: null });
  const completion = (finish_reason: string, tool_calls?: object[]) => ({
    id: "chatcmpl-1",
    choices: [{ index: 0, message: { content: "x", tool_calls }, finish_reason }],
  });
  const told = (answer: object, from: Tongue, to: Tongue) =>
    JSON.parse(translateAnswer(JSON.stringify(answer), { from, to }, { created: 1 })!) as Json;

  it.each([
    ["end_turn", "stop", "completed"],
    ["max_tokens", "length", "incomplete"],
    ["stop_sequence", "stop", "completed"],
    ["tool_use", "tool_calls", "completed"],
    ["refusal", "content_filter", "incomplete"],
    ["pause_turn", "stop", "completed"],
    ["model_context_window_exceeded", "length", "incomplete"],
  ])("%s is %s in Chat Completions, and %s in Responses", (reason, finish, status) => {
    expect(told(message(reason), "openai-chat", "anthropic")["choices"]).toMatchObject([{ finish_reason: finish }]);
    expect(told(message(reason), "openai-responses", "anthropic")["status"]).toBe(status);
  });

  it.each([
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["tool_calls", "tool_use"],
    ["content_filter", "refusal"],
  ])("%s is %s in Messages", (finish, reason) => {
    expect(told(completion(finish), "anthropic", "openai-chat")["stop_reason"]).toBe(reason);
  });

  it("a call that was forced is a call, though the provider says that it simply stopped", () => {
    const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
    expect(told(completion("stop", [call]), "anthropic", "openai-chat")["stop_reason"]).toBe("tool_use");
  });

  it("a call without an id is given one, the same whenever it is read", () => {
    const call = { type: "function", function: { name: "f", arguments: "{}" } };
    const ids = [1, 2].map(() =>
      (told(completion("tool_calls", [call, call]), "anthropic", "openai-chat")["content"] as Json[]).map(({ id }) => id),
    );
    expect(ids[0]).toEqual([undefined, "call_chatcmpl1_0", "call_chatcmpl1_1"]);
    expect(ids[1]).toEqual(ids[0]);
  });

  it("usage is told in each dialect's classes, whatever is kept where", () => {
    const usage = {
      input_tokens: 10,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 7,
      cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
      output_tokens: 9,
      output_tokens_details: { thinking_tokens: 5 },
    };
    expect(told({ ...message("end_turn"), usage }, "openai-chat", "anthropic")["usage"]).toEqual({
      prompt_tokens: 37,
      completion_tokens: 9,
      total_tokens: 46,
      prompt_tokens_details: { cached_tokens: 20, audio_tokens: 0, cache_write_tokens: 7 },
      completion_tokens_details: { reasoning_tokens: 5, audio_tokens: 0 },
    });
    expect(told({ ...message("end_turn"), usage }, "openai-responses", "anthropic")["usage"]).toEqual({
      input_tokens: 37,
      input_tokens_details: { cached_tokens: 20, cache_write_tokens: 7 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 5 },
      total_tokens: 46,
    });
    const prompt = { prompt_tokens: 37, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 7 } };
    expect(told({ ...completion("stop"), usage: prompt }, "anthropic", "openai-chat")["usage"]).toMatchObject({
      input_tokens: 10,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 7,
      output_tokens: 9,
    });
  });
});

describe("Messages in Chat Completions", () => {
  it("tells pictures and documents by their content", () => {
    const { body } = claude({
      messages: [
        user([
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
          { type: "image", source: { type: "url", url: "https://pictures.test/a.png" } },
          { type: "document", title: "a.pdf", source: { type: "base64", media_type: "application/pdf", data: "BBBB" } },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "héllo" } },
        ]),
      ],
    });
    expect(body["messages"]).toEqual([
      user([
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
        { type: "image_url", image_url: { url: "https://pictures.test/a.png" } },
        { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" } },
        { type: "text", text: "héllo" },
      ]),
    ]);
  });

  it.each([
    [{ tool_choice: { type: "any" } }, { tool_choice: "required" }],
    [{ tool_choice: { type: "none" } }, { tool_choice: "none" }],
    [{ tool_choice: { type: "tool", name: "f" } }, { tool_choice: { type: "function", function: { name: "f" } } }],
    [{ tool_choice: { type: "auto", disable_parallel_tool_use: true } }, { tool_choice: "auto", parallel_tool_calls: false }],
    [{ stop_sequences: ["END"] }, { stop: ["END"] }],
    [{ metadata: { user_id: "u1" } }, { user: "u1" }],
    [{ thinking: { type: "enabled", budget_tokens: 2_048 } }, { reasoning_effort: "low" }],
    [{ thinking: { type: "adaptive" }, output_config: { effort: "max" } }, { reasoning_effort: "max" }],
    [{ output_config: { effort: "low" } }, { reasoning_effort: "low" }],
    [{ service_tier: "standard_only" }, { service_tier: "default" }],
    [{ stream: true }, { stream: true, stream_options: { include_usage: true } }],
  ])("says %j as %j", (asked, expected) => {
    const tools = [{ name: "f", input_schema: { type: "object" } }];
    expect(claude({ tools, ...asked }).body).toMatchObject(expected);
  });

  it("asks for no thinking where the caller asks for none, or leaves it to the model", () => {
    for (const type of ["disabled", "adaptive"]) {
      const { body, dropped } = claude({ thinking: { type } });
      expect([Object.keys(body), dropped]).toEqual([["model", "messages", "max_completion_tokens"], []]);
    }
  });

  it("lists what it drops", () => {
    const control = { cache_control: { type: "ephemeral" } };
    const { dropped } = claude({
      system: [{ type: "text", text: "S", ...control }],
      messages: [
        user([{ type: "text", text: "A", ...control }]),
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "anthropics" },
            { type: "tool_use", id: "toolu_1", name: "f", input: {} },
          ],
        },
        user([{ type: "tool_result", tool_use_id: "toolu_1", content: "no", is_error: true }]),
      ],
      tools: [{ name: "f", input_schema: { type: "object" }, ...control }],
      context_management: { edits: [] },
      metadata: { user_id: `user_${"0".repeat(64)}_account__session_1` },
    });
    expect(dropped.toSorted()).toEqual([
      "context_management",
      "messages[].content[].cache_control",
      "messages[].content[].thinking",
      "metadata.user_id",
      "system[].cache_control",
      "tools[].cache_control",
    ]);
  });

  it.each([
    [{ messages: [user(), { role: "assistant", content: "The answer is" }] }, "messages.1"],
    [{ messages: [user([{ type: "tool_use", id: "t", name: "f", input: {} }])] }, "messages.0.content.0"],
    [{ messages: [user([{ type: "thinking", thinking: "hm", signature: "s" }])] }, "messages.0.content.0"],
    [
      { messages: [{ role: "assistant", content: [{ type: "image", source: { type: "url", url: "https://x.test/a" } }] }, user()] },
      "messages.0.content.0",
    ],
    [{ metadata: { user_id: "u", team: "t" } }, "metadata.team"],
    [{ thinking: { type: "adaptive", depth: 3 } }, "thinking.depth"],
    [{ thinking: { type: "between_tools" } }, "thinking.type"],
    [{ top_k: 5 }, "top_k"],
    [{ stop_sequences: ["a", "b", "c", "d", "e"] }, "stop_sequences"],
    [{ mcp_servers: [{ url: "https://x.test" }] }, "mcp_servers"],
    [{ inference_geo: "eu" }, "inference_geo"],
    [{ speed: "fast" }, "speed"],
    [{ tools: [{ type: "bash_20250124", name: "bash" }] }, "tools.0.type"],
    [{ messages: [user([{ type: "search_result", title: "x" }])] }, "messages.0.content.0.type"],
    [{ messages: [user([{ type: "image", source: { type: "file", file_id: "f" } }])] }, "messages.0.content.0.source.type"],
    [
      { messages: [user([{ type: "document", citations: { enabled: true }, source: { type: "text", data: "x" } }])] },
      "messages.0.content.0.citations",
    ],
    [{ messages: [user([{ type: "document", source: { type: "url", url: "https://x.test/a.pdf" } }])] }, "messages.0.content.0.source"],
    [
      {
        messages: [
          user([{ type: "tool_result", tool_use_id: "t", content: [{ type: "image", source: { type: "url", url: "https://x.test/a" } }] }]),
        ],
      },
      "messages.0.content.0.content.0",
    ],
  ])("refuses %j by name", (body, param) => {
    expect(() => claude(body)).toThrow(
      expect.objectContaining({ code: "invalid_request", facts: expect.objectContaining({ param }) }) as never,
    );
  });
});

describe("Responses", () => {
  it("leaves nothing with a provider that was not asked to keep it, and enforces no schema that was not meant so", () => {
    const tool = { type: "function", function: { name: "f", parameters: { type: "object" } } };
    const { body } = said("openai-chat", "openai-responses", { messages: [user()], tools: [tool], metadata: { a: "b" }, verbosity: "low" });
    expect(body).toMatchObject({
      store: false,
      tools: [{ type: "function", name: "f", strict: false }],
      metadata: { a: "b" },
      text: { verbosity: "low" },
    });
    expect(said("openai-chat", "openai-responses", { messages: [user()], store: true }).body["store"]).toBe(true);
  });

  it("is said in Chat Completions with its shared fields as they are", () => {
    const { body, dropped } = said("openai-responses", "openai-chat", {
      instructions: "Be kind.",
      input: "Hi",
      max_output_tokens: 9,
      service_tier: "flex",
      prompt_cache_key: "k",
      text: { format: { type: "json_object" }, verbosity: "low" },
      store: true,
    });
    expect(body).toEqual({
      model: "m",
      messages: [{ role: "system", content: "Be kind." }, user()],
      max_completion_tokens: 9,
      response_format: { type: "json_object" },
      verbosity: "low",
      service_tier: "flex",
      prompt_cache_key: "k",
    });
    expect(dropped).toEqual([]);
  });
});
