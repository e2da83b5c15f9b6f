import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { refusedChat, refusedMessages, refusedResponses } from "../support/upstream/validate.ts";

type Json = Readonly<Record<string, unknown>>;

/** A tool as the agent offers it, whatever the dialect. */
export interface Offered {
  readonly name: string;
  readonly schema: Json;
}

/** What the model does next: call a tool of those offered, or say something and be done. */
export type Step = ((offered: readonly Offered[]) => { readonly name: string; readonly input: unknown }) | string;

/** The steps of a model, or those of the one that a request speaks to: a sub-agent begins a conversation of its own. */
export type Script = readonly Step[] | ((asked: Json) => readonly Step[]);

/** The name of a tool, where it is offered. */
export function named(offered: readonly Offered[], name: string): string {
  if (offered.some((each) => each.name === name)) return name;
  throw new Error(`the agent offers no ${name}, but ${offered.map((each) => each.name).join(", ")}`);
}

/** A tool as the model called it. */
export interface Called {
  readonly name: string;
  readonly input: unknown;
}

/** A request as the upstream saw it. */
export interface Heard {
  readonly path: string;
  readonly body: Json;
  /** The names of the tools that it offers. */
  readonly tools: readonly string[];
  /** The results of tools that it carries, in their order. */
  readonly results: readonly string[];
}

/**
 * A model that plays a script: its nth answer follows from how many results of tools the conversation holds, so that a request sent
 * twice is answered alike. It refuses what its vendor would refuse.
 */
export class Scripted {
  readonly heard: Heard[] = [];
  /** The tools that it has called, in its order. */
  readonly called: Called[] = [];
  /** Requests that the vendor would have refused, in its words. */
  readonly refused: string[] = [];
  readonly #server: Server;
  readonly #script: Script;
  /** What each of its answers is said to have come to. */
  readonly #tokens: number;
  #stall: { readonly step: number; readonly reached: () => void } | null = null;

  private constructor(script: Script, tokens: number) {
    this.#script = script;
    this.#tokens = tokens;
    this.#server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part: string) => (text += part));
      request.on("end", () => this.#answer(request.url ?? "/", JSON.parse(text || "{}") as Json, response));
    });
  }

  static async start(script: Script, tokens = 10): Promise<Scripted> {
    const scripted = new Scripted(script, tokens);
    await new Promise<void>((resolve) => scripted.#server.listen(0, "127.0.0.1", resolve));
    return scripted;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks off the next answer that is this step of its script in its middle; resolves once that is what everybody waits for. */
  stall(step: number): Promise<void> {
    return new Promise((reached) => (this.#stall = { step, reached }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(url: string, body: Json, response: ServerResponse): void {
    const path = url.split("?")[0]!;
    const dialect = DIALECTS[path];
    if (!dialect) return void response.writeHead(404).end();
    const results = dialect.results(body);
    this.heard.push({ path, body, results, tools: dialect.offered(body).map(({ name }) => name) });
    const wrong = dialect.refused(body);
    if (wrong !== null) {
      this.refused.push(wrong);
      return void response.writeHead(400, { "content-type": "application/json" }).end(dialect.error(wrong));
    }
    const tokens = this.#tokens;
    const steps = typeof this.#script === "function" ? this.#script(body) : this.#script;
    const step = steps[results.length] ?? "Done.";
    const offered = dialect.offered(body);
    // An agent asks for titles and summaries too; without tools there is nothing to call.
    const said: Said =
      typeof step === "string" || offered.length === 0
        ? { tokens, text: typeof step === "string" ? step : "A title" }
        : { tokens, id: `call_${results.length}_scripted`, ...step(offered) };
    if ("name" in said) this.called.push({ name: said.name, input: said.input });
    response.writeHead(200, { "content-type": body["stream"] === true ? "text/event-stream" : "application/json" });
    const text = body["stream"] === true ? dialect.stream(said, body) : JSON.stringify(dialect.whole(said, body));
    if (this.#stall?.step !== results.length || offered.length === 0) return void response.end(text);
    const { reached } = this.#stall;
    this.#stall = null;
    response.write(text.slice(0, text.length / 2), () => reached());
  }
}

/** One answer of the model. */
type Said = { readonly tokens: number } & (
  | { readonly text: string }
  | { readonly id: string; readonly name: string; readonly input: unknown }
);

interface Dialect {
  readonly offered: (body: Json) => Offered[];
  readonly results: (body: Json) => string[];
  readonly refused: (body: Json) => string | null;
  readonly error: (message: string) => string;
  readonly whole: (said: Said, body: Json) => Json;
  readonly stream: (said: Said, body: Json) => string;
}

const objects = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const textOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : objects(value)
        .map((part) => (typeof part["text"] === "string" ? part["text"] : ""))
        .join("");
const events = (list: readonly Json[]) => list.map((each) => `event: ${String(each["type"])}\ndata: ${JSON.stringify(each)}\n\n`).join("");
const halves = (text: string) => [text.slice(0, text.length / 2), text.slice(text.length / 2)];

const messages: Dialect = {
  offered: ({ tools }) => objects(tools).map(({ name, input_schema: schema }) => ({ name: String(name), schema: (schema ?? {}) as Json })),
  results: (body) =>
    objects(body["messages"]).flatMap(({ content }) =>
      objects(content)
        .filter(({ type }) => type === "tool_result")
        .map((block) => textOf(block["content"])),
    ),
  refused: (body) => refusedMessages(body, { thinking: "", signature: "" }),
  error: (message) => JSON.stringify({ type: "error", error: { type: "invalid_request_error", message } }),
  whole: (said, { model }) => ({
    ...messageHead(model),
    content: [blockOf(said)],
    ...endOf(said),
    usage: { input_tokens: 100, output_tokens: said.tokens },
  }),
  stream(said, { model }) {
    const delta =
      "text" in said
        ? halves(said.text).map((text) => ({ type: "text_delta", text }))
        : halves(JSON.stringify(said.input)).map((partial_json) => ({ type: "input_json_delta", partial_json }));
    const start = "text" in said ? { type: "text", text: "" } : { ...blockOf(said), input: {} };
    return events([
      {
        type: "message_start",
        message: {
          ...messageHead(model),
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 100, output_tokens: 1 },
        },
      },
      { type: "content_block_start", index: 0, content_block: start },
      ...delta.map((each) => ({ type: "content_block_delta", index: 0, delta: each })),
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: endOf(said), usage: { output_tokens: said.tokens } },
      { type: "message_stop" },
    ]);
  },
};
const messageHead = (model: unknown) => ({ id: "msg_scripted", type: "message", role: "assistant", model });
const blockOf = (said: Said) =>
  "text" in said ? { type: "text", text: said.text } : { type: "tool_use", id: said.id, name: said.name, input: said.input };
const endOf = (said: Said) => ({ stop_reason: "text" in said ? "end_turn" : "tool_use", stop_sequence: null });

const chat: Dialect = {
  offered: ({ tools }) =>
    objects(tools).map(({ function: made }) => ({
      name: String((made as Json)["name"]),
      schema: ((made as Json)["parameters"] ?? {}) as Json,
    })),
  results: (body) =>
    objects(body["messages"])
      .filter(({ role }) => role === "tool")
      .map(({ content }) => textOf(content)),
  refused: refusedChat,
  error: (message) => JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null } }),
  whole: (said, { model }) => ({
    ...chatHead(model),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", refusal: null, ...deltaOf(said) },
        logprobs: null,
        finish_reason: "text" in said ? "stop" : "tool_calls",
      },
    ],
    usage: chatUsage(said),
  }),
  stream(said, { model, stream_options: options }) {
    const chunk = (facts: Json) =>
      `data: ${JSON.stringify({ ...chatHead(model), object: "chat.completion.chunk", usage: null, ...facts })}\n\n`;
    const of = (delta: Json, finish: string | null = null) =>
      chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
    const parts =
      "text" in said
        ? halves(said.text).map((content) => of({ content }))
        : [
            of({ tool_calls: [{ index: 0, id: said.id, type: "function", function: { name: said.name, arguments: "" } }] }),
            ...halves(JSON.stringify(said.input)).map((text) => of({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
          ];
    const usage = (options as Json | undefined)?.["include_usage"] === true ? chunk({ choices: [], usage: chatUsage(said) }) : "";
    return `${of({ role: "assistant", content: "" })}${parts.join("")}${of({}, "text" in said ? "stop" : "tool_calls")}${usage}data: [DONE]\n\n`;
  },
};
const chatUsage = ({ tokens }: Said) => ({ prompt_tokens: 100, completion_tokens: tokens, total_tokens: 100 + tokens });
const chatHead = (model: unknown) => ({ id: "chatcmpl-scripted", created: 1_790_000_000, model });
const deltaOf = (said: Said): Json =>
  "text" in said
    ? { content: said.text }
    : {
        content: null,
        tool_calls: [{ id: said.id, type: "function", function: { name: said.name, arguments: JSON.stringify(said.input) } }],
      };

const responses: Dialect = {
  offered: ({ tools }) =>
    objects(tools)
      .filter(({ type }) => type === "function")
      .map(({ name, parameters }) => ({ name: String(name), schema: (parameters ?? {}) as Json })),
  results: (body) =>
    objects(body["input"])
      .filter(({ type }) => String(type).endsWith("_call_output"))
      .map(({ output }) => textOf(output)),
  refused: (body) => refusedResponses(body, {}, ""),
  error: chat.error,
  whole: (said, { model }) => responseOf(said, model, "completed"),
  stream(said, { model }) {
    const item = itemOf(said);
    const at = { item_id: item["id"], output_index: 0 };
    const parts =
      "text" in said
        ? [
            {
              type: "response.content_part.added",
              ...at,
              content_index: 0,
              part: { type: "output_text", text: "", annotations: [], logprobs: [] },
            },
            ...halves(said.text).map((delta) => ({ type: "response.output_text.delta", ...at, content_index: 0, delta, logprobs: [] })),
            { type: "response.output_text.done", ...at, content_index: 0, text: said.text, logprobs: [] },
            { type: "response.content_part.done", ...at, content_index: 0, part: objects(item["content"])[0] },
          ]
        : [
            ...halves(JSON.stringify(said.input)).map((delta) => ({ type: "response.function_call_arguments.delta", ...at, delta })),
            { type: "response.function_call_arguments.done", ...at, arguments: JSON.stringify(said.input) },
          ];
    const list = [
      { type: "response.created", response: { ...responseOf(said, model, "in_progress"), output: [], usage: null } },
      {
        type: "response.output_item.added",
        output_index: 0,
        item: { ...item, status: "in_progress", ...("text" in said ? { content: [] } : { arguments: "" }) },
      },
      ...parts,
      { type: "response.output_item.done", output_index: 0, item },
      { type: "response.completed", response: responseOf(said, model, "completed") },
    ];
    return events(list.map((each, sequence_number) => ({ ...each, sequence_number })));
  },
};
const itemOf = (said: Said): Json =>
  "text" in said
    ? {
        type: "message",
        id: "msg_scripted",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: said.text, annotations: [], logprobs: [] }],
      }
    : {
        type: "function_call",
        id: `fc_${said.id}`,
        call_id: said.id,
        name: said.name,
        arguments: JSON.stringify(said.input),
        status: "completed",
      };
const responseOf = (said: Said, model: unknown, status: string): Json => ({
  id: "resp_scripted",
  object: "response",
  created_at: 1_790_000_000,
  status,
  model,
  output: [itemOf(said)],
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  usage: {
    input_tokens: 100,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: said.tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 100 + said.tokens,
  },
});

const DIALECTS: Readonly<Record<string, Dialect>> = { "/v1/messages": messages, "/v1/chat/completions": chat, "/v1/responses": responses };
