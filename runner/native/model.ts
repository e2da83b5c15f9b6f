import { CallFailure, type Gateway } from "./gateway.ts";
import { hear } from "./hear.ts";
import type { Message, Reply, ToolOffer } from "./messages.ts";

/** What stands at the head of every call, the same bytes each time: providers keep it warm. */
export interface Head {
  readonly model: string;
  readonly system: string;
  readonly tools: readonly ToolOffer[];
}

const TOKENS_MAX = 8_192;
const CACHED = { cache_control: { type: "ephemeral" } } as const;

/** The model behind the gateway, asked in Messages: the dialect that keeps thinking, failed results and parallel calls whole in translation. */
export class Model {
  readonly #gateway: Gateway;
  readonly #head: Head;
  readonly #session: string;
  readonly #notice: (text: string) => void;
  #asked = 0;

  constructor(gateway: Gateway, head: Head, { session, notice }: { readonly session: string; readonly notice: (text: string) => void }) {
    this.#gateway = gateway;
    this.#head = head;
    this.#session = session;
    this.#notice = notice;
  }

  /**
   * The answer to a conversation. A call that broke off may have been paid for: it is sent again once, under the same idempotency key,
   * and its cost record says in `retry_of` which call it repeats. @throws CallFailure
   */
  async answer(messages: readonly Message[]): Promise<Reply> {
    const { model, system, tools } = this.#head;
    const body = {
      model,
      max_tokens: TOKENS_MAX,
      stream: true,
      system: [{ type: "text", text: system, ...CACHED }],
      tools,
      messages: withBreakpoint(messages),
    };
    const headers = { "anthropic-version": "2023-06-01", "idempotency-key": `${this.#session}-${++this.#asked}` };
    try {
      return await this.#once(body, headers);
    } catch (error) {
      if (!(error instanceof CallFailure) || error.kind !== "interrupted" || isVerdict(error)) throw error;
      this.#notice(`${error.message}; the call is sent again`);
      return this.#once(body, { ...headers, "x-tollgate-metadata": JSON.stringify({ retry_of: error.request ?? "unknown" }) });
    }
  }

  async #once(body: object, headers: Readonly<Record<string, string>>): Promise<Reply> {
    const answer = await this.#gateway.post("/v1/messages", body, headers);
    return hear(answer, String(answer.headers["x-request-id"] ?? "") || null);
  }
}

/** What a stream ends by where the gateway itself ended it: asking again would be told the same. */
const VERDICTS = new Set(["budget_exceeded", "policy_denied", "permission_denied"]);

function isVerdict({ code }: CallFailure): boolean {
  return code !== null && VERDICTS.has(code);
}

/** Marks the end of what was said so far, up to which a provider may keep it: a hint that others drop. */
function withBreakpoint(messages: readonly Message[]): unknown[] {
  const last = messages.at(-1)!;
  const content = last.content.map((block, at) => (at === last.content.length - 1 ? { ...block, ...CACHED } : block));
  return [...messages.slice(0, -1), { ...last, content }];
}
