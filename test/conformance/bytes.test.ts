import { createHash } from "node:crypto";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("bytes");
const digest = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest("hex");

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Sends bytes as they are, with nothing that a client library would put right. */
function post(path: string, body: Buffer | string, headers: Record<string, string | string[]> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(set.origin);
    const call = request(
      {
        hostname,
        port,
        path,
        method: "POST",
        headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
        response.on("error", reject);
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

/** Bodies that a careless gateway would put right: `MODEL` stands where the model's name goes, `REST` takes a route's own fields. */
const BODIES: Readonly<Record<string, string>> = {
  "fields nobody knows": '{"model":MODEL,REST,"x_future":{"deep":[1,2,{"a":null}]},"temperature":0.10}',
  "odd spaces": '\n {  "model" :MODEL ,\t\r\n REST , "temperature" : 1.0 }\n\n',
  "numbers that a parser would change": '{"model":MODEL,REST,"seed":12345678901234567890,"top_p":1e-2,"logit_bias":{"1":-0}}',
  "escapes and unicode": '{"model":MODEL,REST,"user":"\\u00e9 é 😀 \\ud83d\\ude00 \\/ \u2028"}',
  "a field that stands twice and is not read": '{"model":MODEL,REST,"x":1,"x":2,"__proto__":{"polluted":true}}',
  "the model last": '{REST,"temperature":1,"model":MODEL}',
  "a megabyte": `{"model":MODEL,REST,"x_padding":"${"héllo ".repeat(150_000)}"}`,
};

const ROUTES = [
  { path: "/v1/chat/completions", rest: '"messages":[{"role":"user","content":"hi"}]', of: "openai" },
  { path: "/v1/responses", rest: '"input":"hi"', of: "openai" },
  { path: "/v1/completions", rest: '"prompt":"hi"', of: "openai" },
  { path: "/v1/embeddings", rest: '"input":"hi"', of: "openai" },
  { path: "/v1/messages", rest: '"max_tokens":5,"messages":[{"role":"user","content":"hi"}]', of: "anthropic" },
  { path: "/v1/messages/count_tokens", rest: '"messages":[{"role":"user","content":"hi"}]', of: "anthropic" },
] as const;

const bare = (of: "openai" | "anthropic") => (of === "openai" ? "gpt-4o-mini" : "claude-sonnet-5");
const filled = (template: string, model: string, rest: string) =>
  template.replace("MODEL", () => JSON.stringify(model)).replace("REST", () => rest);

describe.each(ROUTES)("$path", ({ path, rest, of }) => {
  it.each(Object.keys(BODIES))(
    "the provider sees the client's bytes but for the model's prefix, and the client the provider's: %s",
    async (name) => {
      const answer = await post(path, filled(BODIES[name]!, `${set[of]}/${bare(of)}`, rest));
      const { last } = set.upstream;
      expect(answer.status).toBe(200);
      expect(last.digest).toBe(digest(filled(BODIES[name]!, bare(of), rest)));
      expect(digest(answer.body)).toBe(digest(last.sent));
    },
  );
});

describe("streams", () => {
  it.each([
    { path: "/v1/responses", rest: '"stream":true,"input":"hi"', of: "openai" as const },
    { path: "/v1/chat/completions", rest: '"stream":true,"stream_options":{"include_usage":true},"messages":[]', of: "openai" as const },
    { path: "/v1/messages", rest: '"stream":true,"max_tokens":9,"messages":[]', of: "anthropic" as const },
  ])("of $path pass byte for byte", async ({ path, rest, of }) => {
    const answer = await post(path, filled('{"model":MODEL,REST}', `${set[of]}/${bare(of)}`, rest));
    expect(digest(answer.body)).toBe(digest(set.upstream.last.sent));
  });

  it("chat: asking for usage is one splice, and the chunk it adds is cut out again", async () => {
    const rest = '"stream":true,"messages":[{"role":"user","content":"hi"}]';
    const answer = await post("/v1/chat/completions", filled('{"model":MODEL,REST }', `${set.openai}/gpt-4o-mini`, rest));
    const { last } = set.upstream;
    expect(last.body.toString()).toBe(filled('{"model":MODEL,REST ,"stream_options":{"include_usage":true}}', "gpt-4o-mini", rest));
    const withoutUsage = last.sent.toString().replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, "");
    expect(answer.body.toString()).toBe(withoutUsage);
    expect(withoutUsage.length).toBeLessThan(last.sent.length);
  });

  it("content that imitates events stays content", async () => {
    const body = filled(
      '{"model":MODEL,REST}',
      `${set.openai}/gpt-4o-mini`,
      '"stream":true,"stream_options":{"include_usage":true},"messages":[]',
    );
    const answer = await post("/v1/chat/completions", body, { "x-scenario": "tricky" });
    expect(digest(answer.body)).toBe(digest(set.upstream.last.sent));
    expect(answer.body.toString().match(/^data: \[DONE\]$/gm)).toHaveLength(1);
  });
});

describe("a budget", () => {
  it("caps the output by one splice: an absent cap is put in, a larger one is cut", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "day", limit_usd: "0.01" }] });
    const ask = async (cap: string) => {
      const rest = `"messages":[{"role":"user","content":"hi"}]${cap}`;
      await post("/v1/chat/completions", filled('{"model":MODEL,REST}', `${set.openai}/gpt-4o-mini`, rest), {
        authorization: `Bearer ${secret}`,
      });
      const sent = set.upstream.last.body.toString();
      return { sent, tokens: Number(/"max_(?:completion_)?tokens":(\d+)/.exec(sent)?.[1]) };
    };
    const inserted = await ask("");
    expect(inserted.sent).toBe(
      filled(
        `{"model":MODEL,REST,"max_completion_tokens":${inserted.tokens}}`,
        "gpt-4o-mini",
        '"messages":[{"role":"user","content":"hi"}]',
      ),
    );
    expect(inserted.tokens).toBeLessThan(5_000);
    const cut = await ask(',"max_tokens":100000,"n":1');
    expect(cut.sent).toBe(
      filled(`{"model":MODEL,REST,"max_tokens":${cut.tokens},"n":1}`, "gpt-4o-mini", '"messages":[{"role":"user","content":"hi"}]'),
    );
    expect((await ask(',"max_tokens":7')).tokens).toBe(7);
  });
});

describe("what has no output", () => {
  it("is never given a cap, whatever binds it", async () => {
    const { secret } = await set.admin.key({ budgets: [{ window: "day", limit_usd: "0.01" }] });
    for (const { path, rest, of } of ROUTES.filter(({ path }) => path.includes("embeddings") || path.includes("count_tokens"))) {
      const answer = await post(path, filled('{"model":MODEL,REST}', `${set[of]}/${bare(of)}`, rest), {
        authorization: `Bearer ${secret}`,
      });
      expect([answer.status, set.upstream.last.digest]).toEqual([200, digest(filled('{"model":MODEL,REST}', bare(of), rest))]);
    }
  });
});

describe("headers", () => {
  const body = () => filled('{"model":MODEL,REST}', `${set.openai}/gpt-4o-mini`, '"messages":[]');

  it("threat 16: credentials, cookies, connection headers and the network's own never reach the provider; the vendors' do", async () => {
    await post("/v1/chat/completions", body(), {
      cookie: "session=secret",
      connection: "keep-alive, x-hop",
      "x-hop": "1",
      te: "trailers",
      "x-forwarded-for": "6.6.6.6",
      "cf-ray": "forged",
      forwarded: "for=6.6.6.6",
      "x-tollgate-tags": "a,b",
      "openai-beta": "assistants=v2",
      "anthropic-beta": "x-1",
      "x-stainless-lang": "js",
    });
    const { headers } = set.upstream.last;
    for (const name of ["cookie", "x-hop", "te", "x-forwarded-for", "cf-ray", "cf-worker", "forwarded", "x-tollgate-tags"])
      expect(headers[name]).toBeUndefined();
    expect(headers.authorization).toBe(`Bearer sk-upstream-secret-of-${set.openai}`);
    expect([headers["openai-beta"], headers["anthropic-beta"], headers["x-stainless-lang"]]).toEqual(["assistants=v2", "x-1", "js"]);
    expect(JSON.stringify(set.upstream.last.rawHeaders)).not.toContain(set.key);
  });

  it("threat 17: the provider's cookies, forged gateway headers and CORS never reach the client; its own facts do", async () => {
    const { headers } = await post("/v1/chat/completions", body());
    for (const name of ["set-cookie", "x-tollgate-forged", "access-control-allow-origin"]) expect(headers[name]).toBeUndefined();
    expect([headers["x-vendor"], headers["openai-version"], headers["x-tollgate-upstream-request-id"]]).toEqual([
      "kept",
      "2020-10-01",
      "req_openai_0123456789abcdef",
    ]);
    expect(headers["x-request-id"]).toBe(headers["request-id"]);
    expect(headers["x-tollgate-cost-status"]).toBe("actual");
  });

  it("an idempotency key is the caller's own: another key's does not meet it", async () => {
    await post("/v1/chat/completions", body(), { "idempotency-key": "same" });
    expect(set.upstream.last.headers["idempotency-key"]).toBe(`${set.keyId}:same`);
  });
});
