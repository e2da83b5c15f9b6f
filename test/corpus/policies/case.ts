/** What a policy of the corpus must come to. `refused` is at registration; `complaint` before any of its code runs. */
export type Expected = "allowed" | "denied" | "fuel" | "memory" | "threw" | "invalid_decision" | "never_settled" | "refused" | "complaint";

/** A policy of the corpus: the body of its `evaluate`, and what stands before it in its module. */
export interface Case {
  readonly name: string;
  readonly body: string;
  readonly before?: string;
  readonly async?: true;
  readonly expect: Expected;
  /** What the chain makes of it, where that is something else: it reads obligations, which the engine hands on. */
  readonly inChain?: Expected;
}

/** The three shapes that a policy may have, as text that needs no bundler. */
export const SHAPES = {
  object: ({ before = "", body, async }: Case) =>
    `${before}\nexport default { name: "tried", version: "1.0.0", needs: ["request"], ${async ? "async " : ""}evaluate(context) {\n${body}\n} };`,
  instance: ({ before = "", body, async }: Case) =>
    `class PolicyPlugin {}\n${before}\nclass Tried extends PolicyPlugin { name = "tried"; version = "1.0.0"; needs = ["request"]; ${async ? "async " : ""}evaluate(context) {\n${body}\n} }\nexport default new Tried();`,
  entrypoint: ({ before = "", body, async }: Case) =>
    `class WorkerEntrypoint {}\n${before}\nexport default class extends WorkerEntrypoint { name = "tried"; version = "1.0.0"; needs = ["request"]; ${async ? "async " : ""}evaluate(context) {\n${body}\n} }`,
} as const satisfies Readonly<Record<string, (policy: Case) => string>>;

/** What every policy of the corpus is asked about. */
export const CONTEXT = JSON.stringify({
  request: {
    operation: "chat.completions",
    requested: "fast",
    provider: "openai",
    model: "gpt-5",
    stream: true,
    max_tokens: 256,
    tools: false,
  },
});
