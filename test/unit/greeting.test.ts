import { expect, it } from "vitest";
import { greeting } from "../../scripts/greeting.ts";

const secrets = {
  TOLLGATE_DEV_KEY: "sk-tg-dev",
  TOLLGATE_ADMIN_KEY: "admin-secret",
  TOLLGATE_PEPPER: "pepper",
  TOLLGATE_ENCRYPTION_KEY: "wrap",
};
const started = { port: 8787, first: true, development: true, secrets, given: {}, noRunner: null };

it("a first start prints both base URLs, a key, a call and both SDKs' code, and no secret but the key", () => {
  const text = greeting(started);
  for (const shown of ["http://127.0.0.1:8787/v1", "sk-tg-dev", "curl -N", 'from "openai"', 'from "@anthropic-ai/sdk"', "OPENAI_API_KEY"])
    expect(text).toContain(shown);
  for (const secret of ["admin-secret", "pepper", "wrap"]) expect(text).not.toContain(secret);
});

it("names the providers whose variables are set", () => {
  const text = greeting({ ...started, given: { ANTHROPIC_API_KEY: "sk-ant-hidden", OLLAMA_BASE_URL: "http://127.0.0.1:11434" } });
  expect(text).toContain("Providers: tollgate (built in), anthropic, ollama.");
  expect(text).not.toContain("sk-ant-hidden");
});

it("tells the command line where to look, where that is not where it looks", () => {
  expect(greeting({ ...started, port: 8911 })).toContain("export TOLLGATE_URL=http://127.0.0.1:8911\n");
  expect(greeting(started)).not.toContain("TOLLGATE_URL");
});

it("production prints no key, and says loudly when private upstreams are let in", () => {
  const text = greeting({ ...started, development: false, given: { TOLLGATE_ALLOW_PRIVATE_UPSTREAMS: "true" } });
  expect(text).not.toContain("sk-tg-dev");
  expect(text).toContain("WARNING: TOLLGATE_ALLOW_PRIVATE_UPSTREAMS");
});
