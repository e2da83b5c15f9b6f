import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Readonly<Record<string, unknown>>;

/** A call that the model is told to make. */
export interface Pull {
  readonly name: string;
  readonly input: unknown;
}

/**
 * A model on loopback that makes the calls which the last thing said to it lists as JSON, in any of the three dialects, whole or in
 * pieces of a few characters.
 */
export class Puppet {
  /** The bodies that it was sent. */
  readonly heard: Json[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (part: string) => (text += part));
      request.on("end", () => {
        const body = JSON.parse(text) as Json;
        this.heard.push(body);
        const dialect = DIALECTS[new URL(request.url ?? "/", "http://puppet").pathname]!;
        const pulls = JSON.parse(lastSaid(body)) as Pull[];
        const streams = body["stream"] === true;
        response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json" });
        response.end(streams ? dialect.stream(pulls) : JSON.stringify(dialect.whole(pulls)));
      });
    });
  }

  static async start(): Promise<Puppet> {
    const puppet = new Puppet();
    await new Promise<void>((resolve) => puppet.#server.listen(0, "127.0.0.1", resolve));
    return puppet;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function lastSaid({ messages, input }: Json): string {
  const last = ((messages ?? input) as Json[]).at(-1)!["content"];
  return typeof last === "string" ? last : String((last as Json[]).at(-1)!["text"]);
}

interface Dialect {
  readonly whole: (pulls: readonly Pull[]) => Json;
  readonly stream: (pulls: readonly Pull[]) => string;
}

const pieces = (text: string): string[] => text.match(/[\s\S]{1,7}/g) ?? [];
const named = (events: readonly Json[]) =>
  events.map((each) => `event: ${String(each["type"])}\ndata: ${JSON.stringify(each)}\n\n`).join("");
const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };

const message = { id: "msg_puppet", type: "message", role: "assistant", model: "puppet" };
const block = ({ name, input }: Pull, at: number) => ({ type: "tool_use", id: `toolu_${at}`, name, input });
const messages: Dialect = {
  whole: (pulls) => ({ ...message, content: pulls.map(block), stop_reason: "tool_use", stop_sequence: null, usage }),
  stream: (pulls) =>
    named([
      { type: "message_start", message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage } },
      ...pulls.flatMap((pull, index) => [
        { type: "content_block_start", index, content_block: { ...block(pull, index), input: {} } },
        ...pieces(JSON.stringify(pull.input)).map((text) => ({
          type: "content_block_delta",
          index,
          delta: { type: "input_json_delta", partial_json: text },
        })),
        { type: "content_block_stop", index },
      ]),
      { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 5 } },
      { type: "message_stop" },
    ]),
};

const chatUsage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const call = ({ name, input }: Pull, at: number) => ({
  id: `call_${at}`,
  type: "function",
  function: { name, arguments: JSON.stringify(input) },
});
const chat: Dialect = {
  whole: (pulls) => ({
    id: "chatcmpl-puppet",
    object: "chat.completion",
    created: 1,
    model: "puppet",
    choices: [{ index: 0, message: { role: "assistant", content: null, tool_calls: pulls.map(call) }, finish_reason: "tool_calls" }],
    usage: chatUsage,
  }),
  stream(pulls) {
    const chunk = (choices: readonly Json[], facts: Json = {}) =>
      `data: ${JSON.stringify({ id: "chatcmpl-puppet", object: "chat.completion.chunk", created: 1, model: "puppet", choices, ...facts })}\n\n`;
    const delta = (told: Json, over: string | null = null) => chunk([{ index: 0, delta: told, finish_reason: over }]);
    const parts = pulls.flatMap((pull, index) => [
      delta({ tool_calls: [{ index, ...call({ ...pull, input: undefined }, index), function: { name: pull.name, arguments: "" } }] }),
      ...pieces(JSON.stringify(pull.input)).map((text) => delta({ tool_calls: [{ index, function: { arguments: text } }] })),
    ]);
    return `${delta({ role: "assistant", content: null })}${parts.join("")}${delta({}, "tool_calls")}${chunk([], { usage: chatUsage })}data: [DONE]\n\n`;
  },
};

const item = ({ name, input }: Pull, at: number) => ({
  type: "function_call",
  id: `fc_${at}`,
  call_id: `call_${at}`,
  name,
  arguments: JSON.stringify(input),
  status: "completed",
});
const response = { id: "resp_puppet", object: "response", created_at: 1, model: "puppet", error: null, incomplete_details: null };
const responses: Dialect = {
  whole: (pulls) => ({ ...response, status: "completed", output: pulls.map(item), usage }),
  stream: (pulls) =>
    named([
      { type: "response.created", response: { ...response, status: "in_progress", output: [], usage: null } },
      ...pulls.flatMap((pull, output_index) => [
        { type: "response.output_item.added", output_index, item: { ...item(pull, output_index), arguments: "", status: "in_progress" } },
        ...pieces(JSON.stringify(pull.input)).map((delta) => ({
          type: "response.function_call_arguments.delta",
          output_index,
          item_id: `fc_${output_index}`,
          delta,
        })),
        { type: "response.output_item.done", output_index, item: item(pull, output_index) },
      ]),
      { type: "response.completed", response: { ...response, status: "completed", output: pulls.map(item), usage } },
    ]),
};

const DIALECTS: Readonly<Record<string, Dialect>> = { "/v1/messages": messages, "/v1/chat/completions": chat, "/v1/responses": responses };
