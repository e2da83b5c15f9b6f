import { describe, expect, it } from "vitest";
import { type Call, responseHeaders, upstreamRequestId, send, speaks, type Upstream } from "#providers";

const OPENAI: Upstream = {
  name: "openai",
  kind: "openai",
  baseUrl: "https://api.openai.com/v1",
  credential: "provider-key",
  apis: [],
  account: null,
  spares: [],
};
const ANTHROPIC: Upstream = { ...OPENAI, name: "anthropic", kind: "anthropic", baseUrl: "https://api.anthropic.com" };

function callOf(fields: Partial<Call> = {}): Call {
  const signal = new AbortController().signal;
  return {
    capability: "chat.completions",
    body: new TextEncoder().encode("{}"),
    headers: new Headers(),
    foreign: false,
    search: "",
    signal,
    ...fields,
  };
}

async function sent(upstream: Upstream, call: Call, answer = new Response("{}")) {
  const seen: { url: string; headers: Headers; redirect: unknown }[] = [];
  const guard = {
    allowPrivate: false,
    fetch: async (url: string, init: RequestInit) => {
      seen.push({ url, headers: new Headers(init.headers), redirect: init.redirect });
      return answer;
    },
  };
  await send(upstream, call, guard);
  return seen[0]!;
}

describe("what reaches a provider", () => {
  it.each([
    ["cookie", "a=b"],
    ["x-api-key", "sk-tg-a"],
    ["api-key", "sk-tg-a"],
    ["x-goog-api-key", "sk-tg-a"],
    ["x-tollgate-tags", "a"],
    ["cf-connecting-ip", "1.1.1.1"],
    ["x-forwarded-for", "1.1.1.1"],
    ["x-real-ip", "1.1.1.1"],
    ["forwarded", "for=1.1.1.1"],
    ["true-client-ip", "1.1.1.1"],
    ["host", "evil.example"],
    ["te", "trailers"],
    ["upgrade", "h2c"],
    ["x-named", "by connection"],
  ])("never includes the client's %s", async (name, value) => {
    const headers = new Headers({ connection: "X-Named", authorization: "Bearer sk-tg-a", [name]: value });
    const { headers: got } = await sent(OPENAI, callOf({ headers }));
    expect(got.get(name)).toBeNull();
    expect(got.get("connection")).toBeNull();
    expect(got.get("authorization")).toBe("Bearer provider-key");
  });

  it("includes the client's other headers, and asks for an uncompressed answer", async () => {
    const headers = new Headers({ "openai-beta": "a", "accept-encoding": "gzip" });
    const { headers: got, redirect, url } = await sent(OPENAI, callOf({ headers, search: "?api_base=https://evil.example" }));
    expect([got.get("openai-beta"), got.get("accept-encoding"), redirect]).toEqual(["a", "identity", "manual"]);
    expect(url).toBe("https://api.openai.com/v1/chat/completions");
  });

  it("says nothing in a foreign dialect of what only one vendor's clients say", async () => {
    const headers = new Headers({ "openai-beta": "a", "anthropic-beta": "b", "x-stainless-lang": "js" });
    const { headers: got } = await sent(ANTHROPIC, callOf({ capability: "messages", headers, foreign: true }));
    expect([got.get("openai-beta"), got.get("anthropic-beta"), got.get("x-stainless-lang")]).toEqual([null, null, "js"]);
  });

  it("keeps only the beta flag of Anthropic's query", async () => {
    const { headers, url } = await sent(ANTHROPIC, callOf({ capability: "messages", search: "?beta=true&key=a" }));
    expect(url).toBe("https://api.anthropic.com/v1/messages?beta=true");
    expect([headers.get("x-api-key"), headers.get("authorization")]).toEqual(["provider-key", null]);
  });
});

it("does not follow a redirect", async () => {
  const answer = new Response(null, { status: 302, headers: { location: "https://evil.example" } });
  await expect(sent(OPENAI, callOf(), answer)).rejects.toMatchObject({ code: "upstream_error" });
});

it("names the variable of a missing credential", async () => {
  await expect(sent({ ...OPENAI, credential: null }, callOf())).rejects.toThrow("OPENAI_API_KEY");
});

it("refuses a private address that reached the row", async () => {
  await expect(sent({ ...OPENAI, baseUrl: "https://169.254.169.254" }, callOf())).rejects.toMatchObject({ code: "invalid_request" });
});

it("speaks its kind's dialect, narrowed by the row", () => {
  expect([speaks(OPENAI, "responses"), speaks(OPENAI, "messages"), speaks(ANTHROPIC, "count_tokens")]).toEqual([true, false, true]);
  expect(speaks({ ...OPENAI, apis: ["embeddings"] }, "responses")).toBe(false);
});

it("returns the provider's headers without what could act on the client", () => {
  const dropped = [
    "set-cookie",
    "x-tollgate-cost",
    "access-control-allow-origin",
    "location",
    "server",
    "cf-ray",
    "alt-svc",
    "content-encoding",
  ];
  const answer = new Response("{}", {
    headers: { ...Object.fromEntries(dropped.map((name) => [name, "a"])), "x-request-id": "r1", "x-ok": "1" },
  });
  const headers = responseHeaders(answer);
  expect(dropped.filter((name) => headers.has(name))).toEqual([]);
  expect([headers.get("x-ok"), headers.get("x-request-id"), upstreamRequestId(answer)]).toEqual(["1", null, "r1"]);
});
