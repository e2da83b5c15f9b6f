import { describe, expect, it } from "vitest";
import { checkBaseUrl } from "#core";

const REFUSED = [
  "http://api.example.com",
  "ftp://api.example.com",
  "not a url",
  "https://user:pass@api.example.com",
  "https://api.example.com@127.0.0.1",
  "https://@api.example.com",
  "https://api.example.com/?a=1",
  "https://api.example.com/#a",
  "https://127.0.0.1",
  "https://2130706433",
  "https://0177.0.0.1",
  "https://0x7f.1",
  "https://127.1",
  "https://0",
  "https://10.1.2.3",
  "https://172.31.0.1",
  "https://192.168.1.1",
  "https://169.254.169.254",
  "https://100.64.0.1",
  "https://[::]",
  "https://[::1]",
  "https://[::ffff:127.0.0.1]",
  "https://[::ffff:8.8.8.8]",
  "https://[fd00::1]",
  "https://[fe80::1]",
  "https://[64:ff9b::7f00:1]",
  "https://[2002:7f00:1::]",
  "https://[2001:db8::1]",
  "https://127.0.0.1.",
  "https://api.example.com.",
  "https://localhost",
  "https://LOCALHOST:8080",
  "https://a.localhost",
  "https://metadata.google.internal",
  "https://printer.local",
  "https://intranet",
  "https://１２７.0.0.1",
];

describe("a provider's base URL", () => {
  it.each(REFUSED)("refuses %s", (url) => {
    expect(() => checkBaseUrl(url, false)).toThrow(expect.objectContaining({ code: "invalid_request" }));
  });

  it.each([
    "https://api.openai.com/v1",
    "https://8.8.8.8",
    "https://172.32.0.1",
    "https://[2606:4700::1111]",
    "https://localhost.example.com",
  ])("admits %s", (url) => {
    expect(checkBaseUrl(url, false).protocol).toBe("https:");
  });

  it("admits plain http and private hosts, but never credentials or a query, where private upstreams are allowed", () => {
    expect(checkBaseUrl("http://127.0.0.1:11434", true).host).toBe("127.0.0.1:11434");
    expect(() => checkBaseUrl("http://a:b@127.0.0.1", true)).toThrow("credentials");
    expect(() => checkBaseUrl("http://127.0.0.1/?x", true)).toThrow("query");
  });
});
