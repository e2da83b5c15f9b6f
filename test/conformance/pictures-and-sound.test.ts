import { createHash } from "node:crypto";
import OpenAI, { toFile } from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { mp3, wav } from "../support/sounds.ts";
import { stage } from "./stage.ts";

const set = stage("pictures");
/** A provider of rankings; those of the stage speak OpenAI's and Anthropic's own dialects. */
const RANKER = "pictures-ranker";

/** Rates as the vendors list them; the sums below are worked out by hand. */
const RATES = {
  "gpt-image-1": { input: "5", output: "40", image_input: "10" },
  "piece-1": { image: "0.07" },
  "tts-1": { character: "15" },
  "gpt-4o-mini-tts": { input: "0.6", output: "12", audio_output: "12" },
  "whisper-1": { second: "0.0001" },
  "gpt-4o-transcribe": { input: "2.5", output: "10", audio_input: "6" },
};

beforeAll(async () => {
  const price = (provider: string, model: string, fields: object) =>
    set.admin.call("POST", "/prices", { provider, model, source: "test", ...fields });
  for (const [model, rates] of Object.entries(RATES)) await price(set.openai, model, { rates });
  await price(set.openai, "omni-moderation-latest", { state: "free" });
  await set.admin.upstream(RANKER, "openai-compatible", set.upstream.origin, []);
  await price(RANKER, "rerank-v4.0-pro", { rates: { ranking: "0.0025" } });
  await price(RANKER, "jina-reranker-v3", { rates: { input: "0.02" } });
});

const through = (key = set.key) => new OpenAI({ apiKey: key, baseURL: `${set.origin}/v1`, maxRetries: 0 });
const direct = () => new OpenAI({ apiKey: "sk-direct", baseURL: `${set.upstream.origin}/v1`, maxRetries: 0 });
const named = (model: string) => `${set.openai}/${model}`;
const prompt = "A cute baby sea otter";
const voice = "alloy" as const;
const input = "The quick brown fox";
const picture = () => toFile(new Uint8Array(2_000).fill(7), "otter.png", { type: "image/png" });
const sound = (seconds: number) => toFile(wav(seconds), "speech.wav", { type: "audio/wav" });

/** What a request cost, as its headers and its record have it. */
async function paid(answer: Response): Promise<{ usd: string; status: string; header: string | null; usage: Record<string, number> }> {
  const record = await set.admin.record(answer.headers.get("x-request-id")!);
  const usage = Object.fromEntries(Object.entries(record.usage).filter(([, count]) => count > 0));
  return { usd: record.actual_usd, status: record.status, header: answer.headers.get("x-tollgate-cost"), usage };
}

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("pictures", () => {
  it("by tokens: text and pictures in, pictures out, each at its own rate", async () => {
    const { data, response } = await through()
      .images.generate({ model: named("gpt-image-1"), prompt })
      .withResponse();
    expect(data).toEqual(await direct().images.generate({ model: "gpt-image-1", prompt }));
    // 10 × 5 + 40 × 10 + 50 × 40 USD per million.
    expect(await paid(response)).toEqual({
      usd: "0.00245",
      status: "actual",
      header: "0.00245",
      usage: { input: 10, image_input: 40, image_output: 50 },
    });
  });

  it("by the piece: as many as came", async () => {
    const { response } = await through()
      .images.generate({ model: named("piece-1"), prompt, n: 3 })
      .withResponse();
    expect(await paid(response)).toEqual({ usd: "0.21", status: "actual", header: "0.21", usage: { images: 3 } });
  });

  it("without a usage that the provider owes: the most that they can have come to, called an estimate", async () => {
    const options = { headers: { "x-scenario": "no-usage" } };
    const asked = { model: named("gpt-image-1"), prompt, quality: "low" as const, size: "1024x1024" as const };
    const { response } = await through().images.generate(asked, options).withResponse();
    // 24² × (2,000,000 + 1,572,864) / 4,000,000 is 514.5: 515 × 40, and 21 bytes of text × 5.
    expect(await paid(response)).toMatchObject({ usd: "0.020705", status: "estimated", usage: { image_output: 515, input: 21 } });
  });

  it("as a stream, half drawn pictures included", async () => {
    const asked = { prompt, stream: true as const, partial_images: 1 };
    const { data, response } = await through()
      .images.generate({ model: named("gpt-image-1"), ...asked })
      .withResponse();
    const events = await all(data);
    expect(events.map(({ type }) => type)).toEqual(["image_generation.partial_image", "image_generation.completed"]);
    expect(await paid(response)).toMatchObject({ usd: "0.00245", status: "actual" });
  });

  it("edits: a form with its files passes byte for byte, but for the provider's name before the model", async () => {
    const asked = { prompt, image: await picture() };
    const { data, response } = await through()
      .images.edit({ model: named("gpt-image-1"), ...asked })
      .withResponse();
    const sent = set.upstream.last;
    expect(data).toEqual(await direct().images.edit({ model: "gpt-image-1", ...asked }));
    const boundary = (type: unknown) => /boundary=(.*)$/.exec(String(type))![1]!;
    const without = (seen: typeof sent) => seen.body.toString("latin1").replaceAll(boundary(seen.headers["content-type"]), "");
    expect(without(sent)).toBe(without(set.upstream.last));
    expect(await paid(response)).toMatchObject({ usd: "0.00245" });
  });

  it("megabytes of pictures pass as they came, and are metered", async () => {
    const options = { headers: { "x-scenario": "large" } };
    const { data, response } = await through()
      .images.generate({ model: named("gpt-image-1"), prompt, n: 4 }, options)
      .withResponse();
    expect(data.data!.map(({ b64_json }) => b64_json!.length)).toEqual([3_000_000, 3_000_000, 3_000_000, 3_000_000]);
    expect((await paid(response)).usd).toBe("0.00245");
  });
});

describe("sound", () => {
  const digest = async (answer: Response) =>
    createHash("sha256")
      .update(new Uint8Array(await answer.arrayBuffer()))
      .digest("hex");
  const expected = createHash("sha256").update(mp3(100)).digest("hex");

  it("speech by characters: the cost is told before the sound, which passes byte for byte", async () => {
    const answer = await through().audio.speech.create({ model: named("tts-1"), voice, input });
    expect([answer.headers.get("content-type"), await digest(answer)]).toEqual(["audio/mpeg", expected]);
    // 19 characters × 15 USD per million.
    expect(await paid(answer)).toEqual({ usd: "0.000285", status: "actual", header: "0.000285", usage: { characters: 19 } });
  });

  it("speech by tokens: by the length of the sound, and called an estimate", async () => {
    const answer = await through().audio.speech.create({ model: named("gpt-4o-mini-tts"), voice, input });
    expect(await digest(answer)).toBe(expected);
    // 2.4 s are 50 tokens × 12, and 19 bytes of text × 0.6.
    expect(await paid(answer)).toEqual({ usd: "0.0006114", status: "estimated", header: null, usage: { input: 19, audio_output: 50 } });
  });

  it("speech as events: by what the last of them tells", async () => {
    const answer = await through().audio.speech.create({ model: named("gpt-4o-mini-tts"), voice, input, stream_format: "sse" });
    expect(await answer.text()).toContain("speech.audio.done");
    // 14 × 0.6 + 101 × 12.
    expect(await paid(answer)).toMatchObject({ usd: "0.0012204", status: "actual", usage: { input: 14, audio_output: 101 } });
  });

  it("speech that the provider breaks off is charged, and told as broken", async () => {
    const answer = await through().audio.speech.create({ model: named("tts-1"), voice, input }, { headers: { "x-scenario": "cut-late" } });
    await expect(answer.arrayBuffer()).rejects.toThrow();
    expect(await set.admin.record(answer.headers.get("x-request-id")!)).toMatchObject({
      actual_usd: "0.000285",
      status: "estimated",
      outcome: "truncated",
    });
  });

  it("speech whose listener leaves is charged, and ends at the provider", async () => {
    const leaving = new AbortController();
    const answer = await through().audio.speech.create(
      { model: named("gpt-4o-mini-tts"), voice, input },
      { headers: { "x-scenario": "slow-50" }, signal: leaving.signal },
    );
    const { last } = set.upstream;
    await answer.body!.getReader().read();
    leaving.abort();
    await expect.poll(() => last.abortedAt, { timeout: 5_000, interval: 50 }).not.toBeNull();
    const record = await set.admin.record(answer.headers.get("x-request-id")!);
    expect(record).toMatchObject({ status: "estimated", outcome: "cancelled" });
    // As much as was made: some of the 2.4 s, and the text.
    expect(Number(record.actual_usd)).toBeGreaterThan(0.0000114);
    expect(Number(record.actual_usd)).toBeLessThan(0.0006114);
  });

  it("a count that no request can come to is not believed", async () => {
    const options = { headers: { "x-scenario": "absurd" } };
    const { response } = await through()
      .audio.transcriptions.create({ file: await sound(2), model: named("whisper-1") }, options)
      .withResponse();
    expect(await paid(response)).toMatchObject({ usd: "0.0003", status: "estimated" });
  });

  it("transcription by tokens, as JSON and as a stream", async () => {
    const client = through();
    const asked = { model: named("gpt-4o-transcribe") };
    const { data, response } = await client.audio.transcriptions.create({ file: await sound(2), ...asked }).withResponse();
    expect(data.text).toContain("wildest idea");
    // 10 × 2.5 + 4 × 6 + 101 × 10.
    const told = { usd: "0.001059", status: "actual", usage: { input: 10, audio_input: 4, output: 101 } };
    expect(await paid(response)).toEqual({ ...told, header: "0.001059" });
    const streamed = await client.audio.transcriptions.create({ file: await sound(2), stream: true, ...asked }).withResponse();
    const events = await all(streamed.data);
    expect(events.at(-1)).toMatchObject({ type: "transcript.text.done", usage: { output_tokens: 101 } });
    expect(await paid(streamed.response)).toMatchObject(told);
  });

  it.each([
    ["json", "0.0027", "actual", 27],
    ["verbose_json", "0.0009", "actual", 9],
    ["text", "0.0004", "estimated", 4],
    ["srt", "0.0004", "estimated", 4],
  ] as const)("transcription by seconds: %s", async (response_format, usd, status, seconds) => {
    const file = await sound(3.5);
    const { response } = await through()
      .audio.transcriptions.create({ file, model: named("whisper-1"), response_format })
      .withResponse();
    expect(await paid(response)).toMatchObject({ usd, status, usage: { seconds } });
  });

  it("translation, which tells nothing: by the length of the file, whose bytes pass as they came", async () => {
    const file = await sound(61);
    const { data, response } = await through()
      .audio.translations.create({ file, model: named("whisper-1") })
      .withResponse();
    expect(data.text).toContain("wildest idea");
    expect(set.upstream.last.body.includes(Buffer.from(wav(61)))).toBe(true);
    expect(await paid(response)).toMatchObject({ usd: "0.0061", status: "estimated", usage: { seconds: 61 } });
  });
});

describe("judgements and ranks", () => {
  it("moderations cost nothing, and are recorded", async () => {
    const { data, response } = await through()
      .moderations.create({ model: named("omni-moderation-latest"), input })
      .withResponse();
    expect(data.results[0]!.flagged).toBe(true);
    expect(await paid(response)).toEqual({ usd: "0", status: "actual", header: "0", usage: {} });
  });

  const rank = (model: string, more: object = {}, key = set.key) =>
    fetch(`${set.origin}/v1/rerank`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: `${RANKER}/${model}`,
        query: "What is the capital?",
        documents: ["Carson City", "Washington"],
        ...more,
      }),
    });

  it("ranks by the searches that are told, or by the tokens", async () => {
    const searched = await rank("rerank-v4.0-pro");
    expect(((await searched.json()) as { results: unknown[] }).results).toHaveLength(2);
    expect(await paid(searched)).toEqual({ usd: "0.0025", status: "actual", header: "0.0025", usage: { rankings: 1 } });
    // 815 × 0.02; so much more than the bytes that were sent is not what any vendor counts, but within what is borne with.
    expect(await paid(await rank("jina-reranker-v3"))).toMatchObject({ usd: "0.0000163", usage: { input: 815 } });
  });

  it("bad input is refused by the name of the field", async () => {
    const answers = [await rank("rerank-v4.0-pro", { documents: [] }), await rank("rerank-v4.0-pro", { query: null })];
    const params = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { error: { param: string } }).error.param));
    expect([answers.map(({ status }) => status), params]).toEqual([
      [400, 400],
      ["documents", "query"],
    ]);
  });
});

describe("what other stages make of them", () => {
  it("a form goes on to the next target of its route, whole, where the first cannot be reached", async () => {
    await set.admin.upstream("pictures-down", "openai", "http://127.0.0.1:9", ["gpt-image-1"]);
    await set.admin.route("pictures-route", ["pictures-down/gpt-image-1", named("gpt-image-1")]);
    const { response } = await through()
      .images.edit({ model: "pictures-route", prompt, image: await picture() })
      .withResponse();
    expect([response.headers.get("x-tollgate-provider"), response.headers.get("x-tollgate-attempts")]).toEqual([set.openai, "2"]);
    expect(set.upstream.last.body.includes(Buffer.alloc(2_000, 7))).toBe(true);
    expect(await paid(response)).toMatchObject({ usd: "0.00245" });
  });

  it("never out of a cache: the fields of two forms may be equal, and their files not", async () => {
    const { secret } = await set.admin.key({ cache: "key" });
    const before = set.upstream.seen.length;
    for (const seconds of [5, 7]) {
      const asked = { file: await sound(seconds), model: named("whisper-1") };
      const { response } = await through(secret).audio.translations.create(asked).withResponse();
      expect([response.headers.get("x-tollgate-cache"), (await paid(response)).usage]).toEqual(["bypass", { seconds }]);
    }
    expect(set.upstream.seen.length - before).toBe(2);
  });
});

describe("policies", () => {
  /** A key that a policy of its own holds, once that is in force. */
  async function heldBy(name: string, source: string, blocked: (client: OpenAI) => Promise<unknown>): Promise<OpenAI> {
    const { id: key, secret } = await set.admin.key();
    const { id } = await set.admin.call<{ id: string }>("POST", "/policies", { name, version: "1.0.0", source, signature: null });
    await set.admin.call("PUT", `/policies/${id}/activation`, { scope: { kind: "key", id: key }, mode: "enforce" });
    const client = through(secret);
    const codeOf = () => blocked(client).then(() => "passed", (error: { code: string }) => error.code); // prettier-ignore
    await expect.poll(codeOf, { timeout: 10_000, interval: 200 }).toBe("policy_denied");
    return client;
  }

  it("judge the prompt of a form like that of JSON", async () => {
    const source =
      'export default { name: "pictures-no-otters", version: "1.0.0", needs: ["messages"], evaluate({ messages }) { return { allowed: !messages.some(({ text }) => text.includes("otter")) }; } };';
    const edit = async (client: OpenAI, asked: string) =>
      client.images.edit({ model: named("gpt-image-1"), prompt: asked, image: await picture() });
    const client = await heldBy("pictures-no-otters", source, (each) => edit(each, prompt));
    expect((await edit(client, "A beaver")).data).toHaveLength(1);
  });

  it("judge what was heard, be it JSON, plain text or a stream", async () => {
    const judge = "({ response }) { return { allowed: !JSON.stringify(response).includes('wildest') }; }";
    const source = `export default { name: "pictures-tame", version: "1.0.0", needs: ["response"], onResponse${judge}, onChunk${judge} };`;
    const write = async (client: OpenAI, more: object) =>
      client.audio.transcriptions.create({ model: named("whisper-1"), file: await sound(1), ...more });
    const client = await heldBy("pictures-tame", source, (each) => write(each, {}));
    for (const response_format of ["text", "vtt", "verbose_json"])
      await expect(write(client, { response_format })).rejects.toMatchObject({ status: 403, code: "policy_denied" });
    const streamed = (await write(client, { stream: true, model: named("gpt-4o-transcribe") })) as unknown as AsyncIterable<unknown>;
    const heard: unknown[] = [];
    await expect(async () => {
      for await (const event of streamed) heard.push(event);
    }).rejects.toThrow(/denies/);
    expect(JSON.stringify(heard)).not.toContain("wildest");
  });
});

describe("summaries", () => {
  it("show pieces beside tokens and USD", async () => {
    const { id, secret } = await set.admin.key();
    const client = through(secret);
    const drawn = await client.images.generate({ model: named("piece-1"), prompt, n: 2 }).withResponse();
    const said = await client.audio.speech.create({ model: named("tts-1"), voice, input });
    await said.arrayBuffer();
    for (const answer of [drawn.response, said]) await set.admin.record(answer.headers.get("x-request-id")!);
    const { total, data } = await set.admin.call<Record<"total", object> & { data: object[] }>(
      "GET",
      `/costs/summary?key=${id}&group_by=capability`,
    );
    expect(total).toMatchObject({ usd: "0.140285", requests: 2, pieces: { images: 2, characters: 19, seconds: 0 } });
    expect(data).toMatchObject([
      { group: { capability: "images.generations" }, usd: "0.14", pieces: { images: 2, characters: 0 } },
      { group: { capability: "audio.speech" }, usd: "0.000285", pieces: { images: 0, characters: 19 } },
    ]);
  });
});

describe("threats 37 and 40: each surface is held to its budget before anything is sent", () => {
  const calls: Record<string, (client: OpenAI) => Promise<unknown>> = {
    "images.generate": (client) => client.images.generate({ model: named("gpt-image-1"), prompt, n: 10 }),
    "images.edit": async (client) => client.images.edit({ model: named("gpt-image-1"), prompt, image: await picture() }),
    "images.createVariation": async (client) => client.images.createVariation({ model: named("piece-1"), image: await picture() }),
    "audio.speech": (client) => client.audio.speech.create({ model: named("tts-1"), voice, input: "a".repeat(4_000) }),
    "audio.transcriptions": async (client) => client.audio.transcriptions.create({ model: named("whisper-1"), file: await sound(60) }),
    "audio.translations": async (client) => client.audio.translations.create({ model: named("whisper-1"), file: await sound(60) }),
    completions: (client) => client.completions.create({ model: named("gpt-4o-mini"), prompt, max_tokens: 4_000 }),
    embeddings: (client) => client.embeddings.create({ model: named("text-embedding-3-small"), input: "a".repeat(40_000) }),
  };

  it.each(Object.keys(calls))("%s", async (name) => {
    const { secret } = await set.admin.key({ budgets: [{ window: "total", limit_usd: "0.001" }] });
    const before = set.upstream.seen.length;
    await expect(calls[name]!(through(secret))).rejects.toMatchObject({ status: 402, code: "budget_exceeded" });
    expect(set.upstream.seen.length).toBe(before);
  });

  it("a free surface needs no budget, but a key and its pace", async () => {
    const { secret } = await set.admin.key({
      budgets: [{ window: "total", limit_usd: "0" }],
      limits: { rpm: 1, tpm: null, concurrency: null },
    });
    const asked = { model: named("omni-moderation-latest"), input };
    expect((await through(secret).moderations.create(asked)).results).toHaveLength(1);
    await expect(through(secret).moderations.create(asked)).rejects.toMatchObject({ status: 429, code: "rate_limited" });
  });

  it("a model without a price is charged at what stands in, or refused where the key says so", async () => {
    const { response } = await through()
      .images.generate({ model: named("gpt-image-9"), prompt })
      .withResponse();
    expect(await paid(response)).toMatchObject({ usd: "1", status: "unknown", usage: { images: 1 } });
    const { secret } = await set.admin.key({ unknown_price: "refuse" });
    const refused = through(secret).images.generate({ model: named("gpt-image-9"), prompt });
    await expect(refused).rejects.toMatchObject({ status: 403, code: "permission_denied" });
  });
});
