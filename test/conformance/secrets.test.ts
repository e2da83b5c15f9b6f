import { describe, expect, inject, it } from "vitest";
import { CANARIES, holding } from "../support/canaries.ts";
import { stage } from "./stage.ts";

const set = stage("secrets");
const { prompt: PROMPT, header: HEADER, url: URL_TEXT } = CANARIES;

const post = (body: unknown, headers: Record<string, string> = {}, query = "") =>
  fetch(`${set.origin}/v1/chat/completions${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("threats 2, 25, 26 and 28: canaries", () => {
  it("no key, provider key, prompt, header or URL text is found in a log line, a database row, a queue body or an error", async () => {
    const model = `${set.openai}/gpt-4o-mini`;
    const messages = [{ role: "user", content: PROMPT }];
    const headers = { "x-private": HEADER };
    const errors: string[] = [];
    const asked = [
      post({ model, messages }, headers, `?q=${URL_TEXT}`),
      post({ model, messages, stream: true }, headers),
      post({ model, messages, stream: true }, { ...headers, "x-scenario": "cut-after-3" }),
      ...["error-400", "error-500", "hang-up", "redirect", "leaky"].map((scenario) =>
        post({ model, messages }, { ...headers, "x-scenario": scenario }),
      ),
      post({ model: "nobody/here", messages }, headers, `?q=${URL_TEXT}`),
      post({ model: 7, messages }, headers),
      post({ model, messages, max_tokens: PROMPT }, headers),
    ];
    for (const answer of await Promise.all(asked)) if (!answer.ok) errors.push(await answer.text());
    await set.admin.key({ name: "canary" });
    await expect
      .poll(async () => (await set.admin.call<{ data: unknown[] }>("GET", `/requests?key=${set.keyId}`)).data.length, { timeout: 10_000 })
      .toBeGreaterThan(8);
    const secret = set.key.split("-")[3]!;
    for (const canary of [PROMPT, HEADER, URL_TEXT, secret, set.key, `${CANARIES.upstream}${set.openai}`]) {
      expect([canary, holding(inject("state"), canary)]).toEqual([canary, []]);
      for (const error of errors) expect(error).not.toContain(canary);
    }
    expect(holding(inject("state"), set.keyId).length).toBeGreaterThan(0);
  });

  it("threat 28: a prompt that a key has logged in full is shown to who may read it, and found in no file", async () => {
    const { secret } = await set.admin.key({ content_logging: "full" });
    const body = { model: `${set.openai}/gpt-4o-mini`, messages: [{ role: "user", content: PROMPT }] };
    const answer = await post(body, { authorization: `Bearer ${secret}` });
    await answer.text();
    const path = `/requests/${answer.headers.get("x-request-id") ?? ""}/content`;
    const kept = () => set.admin.call<{ answered: unknown }>("GET", path).catch(() => null);
    await expect.poll(async () => (await kept())?.answered ?? null, { timeout: 10_000 }).not.toBeNull();
    expect(JSON.stringify(await kept())).toContain(PROMPT);
    expect(holding(inject("state"), PROMPT)).toEqual([]);
  });

  it("threat 27: a provider's error that repeats the credential reaches the client with it masked, as text and in a URL", async () => {
    const answer = await post({ model: `${set.openai}/gpt-4o-mini`, messages: [] }, { "x-scenario": "leaky" });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toBe(
      '{"error":{"message":"Incorrect API key provided: Bearer [redacted]. See /v1?key=[redacted]","type":"invalid_request_error"}}',
    );
  });

  it("threat 29: no answer of the admin plane repeats a secret", async () => {
    const made = await set.admin.key({ name: "shown once" });
    const keys = JSON.stringify(await set.admin.call("GET", "/keys?limit=1000"));
    const providers = JSON.stringify(await set.admin.call("GET", "/providers?limit=1000"));
    const audit = JSON.stringify(await set.admin.call("GET", "/audit?limit=1000"));
    for (const text of [keys, providers, audit]) {
      expect(text).not.toContain(made.secret);
      expect(text).not.toContain("sk-upstream-secret-of");
    }
    expect(keys).toContain(`"last4":"${made.secret.slice(-4)}"`);
  });
});
