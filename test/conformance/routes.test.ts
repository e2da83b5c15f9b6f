import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeUpstream } from "../support/upstream/server.ts";
import { stage } from "./stage.ts";

const set = stage("routes");
const MODEL = "gpt-4o-mini";
const messages = [{ role: "user" as const, content: "hi" }];
const good = "routes-good";
const bad = "routes-bad";
let spare: FakeUpstream;
const client = () => new OpenAI({ apiKey: set.key, baseURL: `${set.origin}/v1`, maxRetries: 0 });

beforeAll(async () => {
  spare = await FakeUpstream.start();
  await set.admin.upstream(good, "openai", spare.origin, [MODEL]);
  await set.admin.upstream(bad, "openai", set.upstream.origin, [MODEL]);
  set.upstream.behave = () => "error-500";
});
afterAll(() => spare.stop());

describe("a route", () => {
  it("goes to the next target where one fails, and says which answered, after how many attempts", async () => {
    await set.admin.route("routes-first", [`${bad}/${MODEL}`, `${good}/${MODEL}`]);
    const { data, response } = await client().chat.completions.create({ model: "routes-first", messages }).withResponse();
    expect(data.choices[0]?.message.content).toBe("Hello there, how may I assist you today?");
    expect([response.headers.get("x-tollgate-provider"), response.headers.get("x-tollgate-attempts")]).toEqual([good, "2"]);
    const record = await set.admin.record(response.headers.get("x-request-id")!);
    expect(record).toMatchObject({ attempts: 2, outcome: "ok", resource: { provider: good, model: MODEL, requested: "routes-first" } });
  });

  it("streams from the target that says the first word", async () => {
    await set.admin.route("routes-stream", [`${bad}/${MODEL}`, `${good}/${MODEL}`]);
    const stream = await client().chat.completions.create({ model: "routes-stream", messages, stream: true });
    let text = "";
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    expect(text).toBe("Hello there, how may I assist you today?");
  });
});
