import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConfig } from "#config";
import { type Capability, TollgateError } from "#core";
import { type ProviderRow, registry, send, speaks } from "#providers";

const SECRETS = { TOLLGATE_PEPPER: "p".repeat(32), TOLLGATE_ENCRYPTION_KEY: "e".repeat(32) };
const config = readConfig({
  ...SECRETS,
  OPENAI_API_KEY: "secret-of-openai",
  ANTHROPIC_API_KEY: "secret-of-anthropic",
  OLLAMA_BASE_URL: "http://127.0.0.1:11434",
});
const row = (fields: Partial<ProviderRow>): ProviderRow => ({
  name: "acme",
  kind: "openai",
  baseUrl: "https://acme.test/v1",
  apis: [],
  credential: "secret-of-acme",
  status: "active",
  ...fields,
});
const call = (capability: Capability, headers = new Headers(), search = "") => ({
  capability,
  body: new TextEncoder().encode("{}"),
  headers,
  foreign: false,
  search,
  signal: new AbortController().signal,
});

describe("the registry", () => {
  it("holds what the variables name, and the built-in provider; rows win over variables, a disabled one hides them", () => {
    const all = registry(config, [
      row({}),
      row({ name: "openai", baseUrl: "https://proxy.test/v1" }),
      row({ name: "anthropic", status: "disabled" }),
      row({ name: "tollgate" }),
    ]);
    expect([...all.keys()].toSorted()).toEqual(["acme", "ollama", "openai", "tollgate"]);
    expect(all.get("openai")).toMatchObject({ baseUrl: "https://proxy.test/v1", credential: "secret-of-acme" });
    expect(all.get("tollgate")?.kind).toBe("tollgate");
  });

  it("an upstream speaks its kind's surfaces, and of those only the ones it is limited to", () => {
    const acme = registry(config, [row({ apis: ["chat.completions"] })]).get("acme")!;
    expect([speaks(acme, "chat.completions"), speaks(acme, "embeddings"), speaks(acme, "messages")]).toEqual([true, false, false]);
  });

  it("an upstream that the variables do not name is not there", () => {
    expect([...registry(readConfig(SECRETS), []).keys()].toSorted()).toEqual(["anthropic", "openai", "tollgate"]);
  });

  it.each([
    ["chat.completions", "/v1/chat/completions"],
    ["responses", "/v1/responses"],
    ["completions", "/v1/completions"],
    ["embeddings", "/v1/embeddings"],
  ] as const)("Ollama is asked for %s below /v1 of its root, without a credential", async (capability, path) => {
    const seen: { url: string; headers: Headers }[] = [];
    const fetch = (url: string, init: RequestInit) => {
      seen.push({ url, headers: new Headers(init.headers) });
      return Promise.resolve(new Response("{}"));
    };
    await send(registry(config, []).get("ollama")!, call(capability), { allowPrivate: true, fetch });
    expect(seen.map(({ url, headers }) => [url, headers.get("authorization")])).toEqual([[`http://127.0.0.1:11434${path}`, null]]);
  });

  it("Ollama is not asked for what only Anthropic speaks", async () => {
    const fetch = () => Promise.reject(new Error("must not be reached"));
    const asked = send(registry(config, []).get("ollama")!, call("messages"), { allowPrivate: true, fetch });
    await expect(asked).rejects.toMatchObject({ code: "invalid_request", message: "The provider ollama does not offer messages" });
  });
});

describe("threat 15: each credential goes to its own origin", () => {
  it("in 500 random routings, whatever the client sends", async () => {
    const host = fc.integer({ min: 0, max: 8 }).map((at) => `host${at}.test`);
    const provider = fc.record({
      name: fc.integer({ min: 0, max: 8 }).map((at) => `p${at}`),
      kind: fc.constantFrom("openai", "anthropic", "openai-compatible", "ollama"),
      host,
      credential: fc.uuid(),
    });
    const client = fc.dictionary(
      fc.constantFrom("host", "authorization", "x-api-key", "x-custom-host", "x-forwarded-host", "openai-base-url", "x-upstream"),
      host,
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(provider, { minLength: 1, maxLength: 6 }), client, host, async (given, headers, elsewhere) => {
        const rows = given.map(({ name, kind, host: at, credential }) =>
          row({ name, kind: kind as ProviderRow["kind"], baseUrl: `https://${at}/v1`, credential }),
        );
        const all = registry(config, rows);
        for (const upstream of all.values()) {
          if (upstream.credential === null) continue;
          const fetch = (url: string, init: RequestInit) => {
            const target = new URL(url).origin;
            const carried = JSON.stringify([...new Headers(init.headers)]) + String(url);
            expect(carried).toContain(upstream.credential);
            for (const other of all.values()) {
              if (other.credential !== null && carried.includes(other.credential))
                expect([upstream.name, target]).toEqual([other.name, new URL(other.baseUrl).origin]);
            }
            expect(init.redirect).toBe("manual");
            return Promise.resolve(new Response("{}"));
          };
          const capability = upstream.kind === "anthropic" ? "messages" : "chat.completions";
          await send(upstream, call(capability, new Headers(headers), `?base_url=https://${elsewhere}&beta=true`), {
            allowPrivate: false,
            fetch,
          });
        }
      }),
      { numRuns: 500 },
    );
  });

  it("threat 14: a redirect is not followed, and the credential is not sent on", async () => {
    let reached = 0;
    const sink = createServer((_, response) => {
      reached++;
      response.end();
    });
    await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
    const target = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
    const source = createServer((_, response) => response.writeHead(307, { location: target }).end());
    await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
    const upstream = registry(config, [row({ baseUrl: `http://127.0.0.1:${(source.address() as AddressInfo).port}/v1` })]).get("acme")!;
    await expect(send(upstream, call("chat.completions"), { allowPrivate: true })).rejects.toMatchObject({ code: "upstream_error" });
    expect(reached).toBe(0);
    sink.close();
    source.close();
  });
});

it("a provider that nobody listens for is an upstream error that names it", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const upstream = registry(config, [row({ baseUrl: `http://127.0.0.1:${port}/v1` })]).get("acme")!;
  const error = await send(upstream, call("chat.completions"), { allowPrivate: true }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TollgateError);
  expect(error).toMatchObject({ code: "upstream_error", message: expect.stringContaining("acme") });
});
