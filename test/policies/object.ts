import { definePolicy } from "#plugin-sdk";

export default definePolicy({
  name: "sundays-in-tokyo",
  version: "1.0.0",
  needs: ["time", "request", "counters:tries"],
  config: { type: "object", properties: { model: { type: "string", default: "gpt-5" }, most: { type: "integer" } } },
  evaluate(context) {
    const { time, request, counters, config } = context;
    // @ts-expect-error -- what was not declared is not there.
    void context.messages;
    // @ts-expect-error -- nor is another counter.
    void counters.others;
    // @ts-expect-error -- a setting without a default may be missing.
    const most: number = config.most;
    const model: string = config.model;
    if (time.weekday === 7 && request.model === model) return { allowed: false, reason: "Not on Sundays.", metadata: { most } };
    return { allowed: true, metadata: { tries: counters.tries.count }, obligations: [{ type: "tag", tags: ["weekday"] }] };
  },
  tests: [
    { context: { time: { weekday: 7 }, request: { model: "gpt-5" }, counters: { tries: { count: 1 } } }, expect: { allowed: false } },
  ],
});
