/** As much of Anthropic's Messages as the agent speaks: https://docs.claude.com/en/api/messages. */

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
}

export interface ToolUseBlock {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface ToolResultBlock {
  readonly type: "tool_result";
  readonly tool_use_id: string;
  readonly content: string;
  readonly is_error?: boolean;
}

/** What the model makes beside words and calls, thinking above all: given back as it came. */
interface OtherBlock {
  readonly type: "thinking" | "redacted_thinking";
}

export type AssistantBlock = TextBlock | ToolUseBlock | OtherBlock;

export type Message =
  | { readonly role: "user"; readonly content: readonly (TextBlock | ToolResultBlock)[] }
  | { readonly role: "assistant"; readonly content: readonly AssistantBlock[] };

/** A tool as the model is told of it. */
export interface ToolOffer {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

/** What the model answered. */
export interface Reply {
  readonly content: readonly AssistantBlock[];
  /** Calls whose input came to be no JSON object, by id: cut off, as a rule. */
  readonly malformed: ReadonlySet<string>;
  readonly stopReason: string;
}
