import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAsk } from "#wire";
import { redactAnswer, redactRequest, saidInAnswer, saidInRequest } from "../../../src/wire/texts.ts";
import { bytesOf } from "./said.ts";

const chat = (body: string) => readAsk("chat.completions", bytesOf(body));
const CARD = [{ text: "4111", with: "[card]" }];
const texts = (body: string) => saidInRequest(chat(body)).map(({ role, text }) => [role, text]);

describe("what a request says", () => {
  it("is every text of its prompt with the role that says it, and no fact about it", () => {
    const body = JSON.stringify({
      model: "m",
      messages: [
        { role: "system", content: "be brief" },
        { role: "user", name: "ann", content: [{ type: "text", text: "see ü" }, { type: "image_url", image_url: { url: "https://x.test/a", detail: "low" } }] },
        { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "pay", arguments: '{"to":"bo"}' } }] },
        { role: "tool", tool_call_id: "c1", content: "paid" },
      ],
      tools: [{ type: "function", function: { name: "pay", description: "no prompt" } }],
    }); // prettier-ignore
    expect(texts(body)).toEqual([
      ["system", "be brief"],
      ["user", "see ü"],
      ["user", "https://x.test/a"],
      ["assistant", '{"to":"bo"}'],
      ["tool", "paid"],
    ]);
  });

  it("threat 36: is both of two members of one name, whichever a provider takes", () => {
    const body = '{"model":"m","messages":[{"role":"user","content":"first 4111","content":"second"}]}';
    expect(texts(body).map(([, text]) => text)).toEqual(["first 4111", "second"]);
    expect(redactRequest(chat(body), CARD).body.text).toBe(body.replace("4111", "[card]"));
  });

  it("is what Anthropic's system, its tools' input and Responses' instructions hold, names within it too", () => {
    const messages = readAsk(
      "messages",
      bytesOf(
        '{"model":"m","max_tokens":1,"system":[{"type":"text","text":"sys"}],"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"name":"Ann"}}]}]}',
      ),
    );
    expect(saidInRequest(messages).map(({ text }) => text)).toEqual(["sys", "Ann"]);
    const responses = readAsk("responses", bytesOf('{"model":"m","instructions":"do","input":"this"}'));
    expect(saidInRequest(responses).map(({ text }) => text)).toEqual(["do", "this"]);
  });

  it("is no picture that stands inline", () => {
    const url = `data:image/png;base64,${"iVBORw0KGgo".repeat(40)}`;
    expect(texts(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"${url}"}}]}]}`)).toEqual([]);
  });
});

describe("a redacted body", () => {
  it("threat 36: is the client's own text but for the strings that changed", () => {
    const body = '{ "model":"m" , "seed":1.50,"messages":[ {"role":"user","content":"caf\\u00e9 4111"},{"content":"\\u0061", "x":1e2}] }';
    const after = redactRequest(chat(body), CARD);
    expect(after.body.text).toBe(body.replace('"caf\\u00e9 4111"', '"café [card]"'));
    expect(new TextDecoder().decode(after.body.bytes)).toBe(after.body.text);
    expect(after.body.value).toEqual(JSON.parse(after.body.text));
  });

  it("finds a text however its letters are escaped", () => {
    const after = redactRequest(chat('{"model":"m","messages":[{"content":"\\u0034\\u0031\\u0031\\u0031"}]}'), CARD);
    expect(after.body.text).toContain('"[card]"');
  });

  it("is the very same where nothing is found, and where a text stands outside the prompt", () => {
    const ask = chat('{"model":"m","user":"4111","messages":[{"role":"4111","content":"none"}]}');
    expect(redactRequest(ask, CARD)).toBe(ask);
    expect(redactRequest(ask, [])).toBe(ask);
  });

  it("holds none of the texts to be redacted, whatever they are and wherever they stand", () => {
    const part = fc.string({ minLength: 1, maxLength: 6, unit: "grapheme" });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.array(part, { maxLength: 8 }), (secrets, others) => {
        const said = others.flatMap((other, at) => [other, secrets[at % secrets.length]!]).join(" ");
        const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: said }] });
        const redactions = secrets.toSorted((a, b) => b.length - a.length).map((text) => ({ text, with: "" }));
        const { messages } = JSON.parse(redactRequest(chat(body), redactions).body.text);
        const longest = redactions[0]!.text;
        expect(messages[0].content.length).toBeLessThanOrEqual(said.length);
        expect(said.split(longest).length === 1 || messages[0].content !== said).toBe(true);
        expect(Object.keys(messages[0])).toEqual(["role", "content"]);
      }),
    );
  });
});

describe("what an answer says", () => {
  it("is every text of it, in each dialect, and it loses what is redacted along with its echo", () => {
    const answers = {
      chat: '{"choices":[{"message":{"role":"assistant","content":"see 4111"},"logprobs":{"content":[{"token":"4111"}]},"finish_reason":"stop"}],"usage":{"x":1}}',
      messages: '{"type":"message","role":"assistant","content":[{"type":"text","text":"see 4111"}],"stop_reason":"end_turn"}',
      responses:
        '{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"see 4111","logprobs":[{"token":"4111"}]}]}]}',
    };
    for (const answer of Object.values(answers)) {
      expect(saidInAnswer(answer)?.map(({ text }) => text)).toEqual(["see 4111"]);
      const after = redactAnswer(answer, CARD);
      expect(after).not.toContain("4111");
      expect(saidInAnswer(after)?.map(({ text }) => text)).toEqual(["see [card]"]);
    }
  });

  it("is nothing where it is no JSON object", () => {
    for (const answer of ["", "4111", "[4111]", '{"choices":[', "null"]) {
      expect(saidInAnswer(answer)).toBeNull();
      expect(redactAnswer(answer, CARD)).toBe(answer);
    }
  });
});
