import { type AnswerContext, type Decision, type StretchContext, WorkerEntrypoint } from "#plugin-sdk";

export default class Watch extends WorkerEntrypoint {
  readonly name = "watch";
  readonly version = "0.1.0";
  override readonly needs = ["response"] as const;

  async onResponse({ response }: AnswerContext<"response", unknown>): Promise<Decision> {
    await Promise.resolve();
    return { allowed: !response.texts.some(({ text }) => text.includes("forbidden")) };
  }

  onChunk({ response }: StretchContext<"response", unknown>): Decision {
    return { allowed: true, obligations: [{ type: "redact", text: response.text }] };
  }
}
