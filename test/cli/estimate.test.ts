import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { emptyFolder, rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
const question = ["--model", "tollgate/echo", "--prompt", "what does this cost?", "--max-tokens", "100"];
const asKey = async (fields: Record<string, unknown> = {}) => ({
  TOLLGATE_KEY: (await admin().key({ name: "cli-estimate", ...fields })).secret,
});

describe("tollgate estimate", () => {
  it.each(["chat.completions", "responses", "completions", "messages"])(
    "a question of %s costs what the API says of the same request",
    async (operation) => {
      const env = await asKey();
      const { code, out, err } = await tollgate(["estimate", ...question, "--operation", operation, "--json"], { env });
      expect([code, err]).toEqual([0, ""]);
      const answer = JSON.parse(out) as Record<string, unknown>;
      expect(answer).toMatchObject({
        model: "tollgate/echo",
        max_output_tokens: 100,
        price_state: "priced",
        allowed: true,
        blocked_by: null,
      });
      expect(Number(answer["reserve_usd"])).toBeGreaterThan(0);
      const shown = await tollgate(["estimate", ...question, "--operation", operation], { env });
      expect(shown.out).toMatch(new RegExp(`^reserve_usd +${String(answer["reserve_usd"]).replace(".", "\\.")}$`, "m"));
      expect(shown.out).toMatch(/^lines\nclass +quantity +rate +per +usd$/m);
    },
  );

  it("a text to be spoken costs its characters, and a picture what is reserved for it", async () => {
    const env = await asKey();
    const words = (operation: string, model: string, ...more: string[]) =>
      ["estimate", "--operation", operation, "--model", model, "--prompt", "Good morning", "--json"].concat(more);
    const spoken = await tollgate(words("audio.speech", "openai/tts-1"), { env });
    // 12 characters × 15 USD per million.
    expect(JSON.parse(spoken.out)).toMatchObject({ reserve_usd: "0.00018", expected_usd: "0.00018", lines: [{ class: "character" }] });
    const drawn = JSON.parse((await tollgate(words("images.generations", "openai/gpt-image-2"), { env })).out) as Record<string, unknown>;
    expect([drawn["price_state"], drawn["expected_usd"]]).toEqual(["priced", drawn["reserve_usd"]]);
    expect((await tollgate(words("audio.speech", "openai/tts-1", "--max-tokens", "5"), { env })).code).toBe(2);
    expect((await tollgate(words("rerank", "cohere/rerank-v4.0-pro"), { env })).err).toContain("--request");
  });

  it("a request in a file, or on standard input, goes as it stands", async () => {
    const env = await asKey();
    const folder = emptyFolder();
    const request = '{ "model": "tollgate/echo",\n "max_tokens": 7, "messages": [{"role":"user","content":"hi"}] }';
    writeFileSync(join(folder, "body.json"), request);
    const sent = await fetch(`${inject("origin")}/v1/estimate`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.TOLLGATE_KEY}`, "content-type": "application/json" },
      body: `{"operation":"messages","request":${request}}`,
    });
    const expected: unknown = await sent.json();
    for (const file of ["body.json", "-"]) {
      const words = ["estimate", "--request", file, "--operation", "messages"];
      expect(await rows(words, { env, folder, stdin: request })).toEqual([expected]);
    }
  });

  it("ends with 4 where a budget would refuse it, and says which", async () => {
    const env = await asKey({ budgets: [{ window: "day", limit_usd: "0.000000001" }] });
    const { code, out } = await tollgate(["estimate", ...question, "--json"], { env });
    expect(code).toBe(4);
    expect(JSON.parse(out)).toMatchObject({ allowed: false, blocked_by: { code: "budget_exceeded", details: { limit: "0.000000001" } } });
    const shown = await tollgate(["estimate", ...question], { env });
    expect([shown.code, shown.out]).toEqual([4, expect.stringMatching(/^blocked_by\.details\.window +day$/m)]);
  });

  it("what the gateway refuses is a failure: a model that is not there, a key that may not", async () => {
    const env = await asKey({ models: { allow: ["nothing/*"], deny: [] } });
    expect((await tollgate(["estimate", ...question], { env })).code).toBe(1);
    const unknown = await tollgate(["estimate", "--model", "no/such", "--prompt", "hi"], { env });
    expect([unknown.code, unknown.out, unknown.err]).toEqual([1, "", expect.stringContaining("model_not_found (404)")]);
  });
});
