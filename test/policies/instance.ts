import { type Context, type Decision, PolicyPlugin } from "#plugin-sdk";

class Quiet extends PolicyPlugin {
  readonly name = "quiet";
  readonly version = "2.0.0";
  override readonly needs = ["messages"] as const;
  #most = 0;

  onLoad(): void {
    this.#most = 20;
  }

  evaluate({ messages }: Context<"messages", unknown>): Decision {
    return { allowed: messages.every(({ text }) => text.length <= this.#most) };
  }
}

export default new Quiet();
