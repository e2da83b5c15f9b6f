import { definePolicy } from "#plugin-sdk";

/** Refuses prompts that name what the company has not announced: it reads each text, and judges no answer. */
export default definePolicy({
  name: "project-names",
  version: "1.0.0",
  needs: ["messages"],
  config: {
    type: "object",
    properties: {
      names: { type: "array", items: { type: "string" }, default: ["bluebird", "tall-ship"], description: "What is not to be named." },
    },
  },
  evaluate({ messages, config }) {
    const named = config.names.find((name) => messages.some(({ text }) => text.toLowerCase().includes(name)));
    return named === undefined ? { allowed: true } : { allowed: false, reason: `The prompt names ${named}.` };
  },
  tests: [
    {
      name: "a name in a prompt",
      context: { messages: [{ role: "user", text: "When does Bluebird ship?" }] },
      expect: { allowed: false },
    },
    { name: "nothing of the kind", context: { messages: [{ role: "user", text: "When does it ship?" }] }, expect: { allowed: true } },
  ],
});
