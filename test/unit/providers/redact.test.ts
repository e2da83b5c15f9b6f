import { expect, it } from "vitest";
import { redactSecrets } from "#providers";

it("removes credentials that a provider echoes", () => {
  const text = redactSecrets("bad key my/secret+1 and sk-proj-abcdef123 at /v1?key=AbC123&x=1, Bearer abcdefgh12", ["my/secret+1"]);
  expect(text).toBe("bad key [redacted] and [redacted] at /v1?key=[redacted]&x=1, Bearer [redacted]");
});
