import { describe, expect, it } from "vitest";
import { masked } from "../../../src/core/mask.ts";

describe("what is masked", () => {
  it.each([
    ["a card", "4111 1111 1111 1111", "[card]"],
    ["a card without spaces", "4111111111111111", "[card]"],
    ["an address of mail", "ann.lee+x@mail.example.com", "[email]"],
    ["an account", "DE89 3704 0044 0532 0130 00", "[iban]"],
    ["a social security number", "078-05-1120", "[ssn]"],
    ["a provider's key", "sk-proj-0123456789abcdef", "[secret]"],
    ["a key of ours", `sk-tg-aaaaaaaaaaaa-${"B".repeat(43)}`, "[secret]"],
    ["a key of Google's", `AIza${"x".repeat(35)}`, "[secret]"],
    ["a key of AWS", "AKIAIOSFODNN7EXAMPLE", "[secret]"],
    ["a token of GitHub's", `ghp_${"a1".repeat(18)}`, "[secret]"],
    ["a signed token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-1", "[secret]"],
    ["a private key", "-----BEGIN PRIVATE KEY-----\nMIIE\nvQ==\n-----END PRIVATE KEY-----", "[secret]"],
    ["a private key that is cut off", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[secret]"],
  ])("%s, wherever it stands in a sentence", (_, text, mask) => {
    expect(masked(text)).toBe(mask);
    expect(masked(`before ${text}`)).toBe(`before ${mask}`);
    if (!text.startsWith("-----BEGIN RSA")) expect(masked(`See "${text}", twice: ${text}.`)).toBe(`See "${mask}", twice: ${mask}.`);
  });

  it("a bearer's token, and not the word before it", () => {
    expect(masked("Authorization: Bearer abcdef0123456789")).toBe("Authorization: Bearer [secret]");
  });

  it.each(["Call 555-0100 at 10:30 on 2026-11-21.", "It costs 1,234,567.89 USD.", "version 1.2.3-beta.4", "user@localhost", "a sk- b"])(
    "not: %s",
    (text) => {
      expect(masked(text)).toBe(text);
    },
  );
});
