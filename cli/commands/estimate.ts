import { type Command, command } from "../command.ts";
import { DESCRIBING, described } from "../described.ts";
import type { Exit } from "../failure.ts";

const estimated = command({
  name: "estimate",
  summary: "What would this request cost, and would the budget allow it? Nothing is sent to the provider.",
  more: "Asks for the key in TOLLGATE_KEY. Ends with 4 where one of its budgets would refuse the request.",
  operands: [],
  options: DESCRIBING,
  examples: [
    ["estimate --model gpt-4o-mini --prompt 'Why is the sky blue?' --max-tokens 500", "a question"],
    ["estimate --request body.json --operation messages", "a request as it would be sent"],
    ["estimate --operation audio.speech --model openai/tts-1 --prompt 'Good morning'", "a text to be spoken"],
    ["estimate --request body.json --field expected_usd", "the likely price, for a script"],
  ],
  async run({ given, gateway, output }): Promise<Exit> {
    const body = await described(given);
    const answer = (await gateway.write("POST", "/v1/estimate", { body, as: "key" })) ?? {};
    await output.object(answer);
    return answer["allowed"] === false ? "no" : "ok";
  },
});

/** `estimate`: a request's price before it is sent. */
export const estimate: readonly Command[] = [estimated];
