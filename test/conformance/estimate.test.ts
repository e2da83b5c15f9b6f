import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("estimate");
const words = "The harbour was quiet when the first boats came in, and only the gulls cared. ".repeat(30);
const request = { model: "tollgate/echo", max_tokens: 5, messages: [{ role: "user", content: words }] };

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${set.key}`, "content-type": "application/json" };
  const answer = await fetch(`${set.origin}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Answer;
}

describe("D1: estimates and what providers report", () => {
  it("the close count of a model moves to what its answers report; the strict and the tight stay", async () => {
    interface Quoted {
      readonly input_tokens: { readonly strict: number; readonly tight: number; readonly close: number };
    }
    const estimate = async () => (await post<Quoted>("/v1/estimate", { operation: "chat.completions", request })).input_tokens;
    const before = await estimate();
    let reported = 0;
    for (let time = 0; time < 8; time++) {
      const { usage } = await post<{ usage: { prompt_tokens: number } }>("/v1/chat/completions", request);
      reported = usage.prompt_tokens;
    }
    const after = await estimate();
    expect([after.strict, after.tight]).toEqual([before.strict, before.tight]);
    expect(Math.abs(after.close - reported)).toBeLessThan(Math.abs(before.close - reported) / 2);
  });
});
