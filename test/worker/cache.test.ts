import { describe, expect, test } from "vitest";
import { admin, ask, newKey } from "../support/front.ts";

const chat = (content: string, more: Record<string, unknown> = {}) => ({
  model: "tollgate/echo",
  max_tokens: 20,
  messages: [{ role: "user", content }],
  ...more,
});
const post = (secret: string, body: unknown, headers: Record<string, string> = {}, path = "/v1/chat/completions") =>
  ask("POST", path, { as: secret, body, headers });
const outcome = (answer: Response) => answer.headers.get("x-tollgate-cache");

describe("A6: the exact cache", () => {
  test.each([false, true])("answers again what it answered before, byte for byte (stream: %s)", async (stream) => {
    const { secret } = await newKey({ cache: "key" });
    const first = await post(secret, chat("remember me", { stream }));
    const again = await post(secret, chat("remember me", { stream }));
    expect([first.status, outcome(first), again.status, outcome(again)]).toEqual([200, "miss", 200, "hit"]);
    expect(await again.text()).toBe(await first.text());
    expect(again.headers.get("x-tollgate-attempts")).toBe("0");
    expect(Number(again.headers.get("x-tollgate-cost-saved"))).toBeGreaterThan(0);
    if (!stream) expect(again.headers.get("x-tollgate-cost")).toBe("0");
  });

  test("a key without a cache neither keeps nor is given anything", async () => {
    const { secret } = await newKey();
    for (let at = 0; at < 2; at++) expect(outcome(await post(secret, chat("hi")))).toBe("bypass");
  });

  test("DELETE /admin/v1/cache", async () => {
    const { id, secret } = await newKey({ cache: "key" });
    await post(secret, chat("drop me"));
    expect(await admin("GET", `/cache?key=${id}`)).toMatchObject({ scope: { kind: "key", id }, answers: 1 });
    expect(await admin("DELETE", `/cache?key=${id}`)).toMatchObject({ answers: 1 });
    expect(outcome(await post(secret, chat("drop me")))).toBe("miss");
  });
});
