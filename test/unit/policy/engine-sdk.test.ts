import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bundlePolicy } from "../../../scripts/bundle-policy.ts";
import type { Stage } from "../../../src/policy/engine/contract.ts";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { NEEDS } from "../../../src/policy/engine/describe.ts";
import { complaintsOf } from "../../../src/policy/engine/inspect.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

async function opened(file: string) {
  const engine = new Engine(compiledEngine);
  const source = await bundlePolicy(`test/policies/${file}.ts`);
  expect(complaintsOf(source)).toEqual([]);
  const registration = engine.register({ hash: file, source });
  const ask = (stage: Stage, context: unknown) =>
    engine.evaluate({ hash: file, stage, settings: {}, context: JSON.stringify(context) }).result;
  return { registration, ask };
}

describe("D12: the SDK's shapes, written in TypeScript and bundled", () => {
  it("a plain object", async () => {
    const { registration, ask } = await opened("object");
    expect(registration).toMatchObject({
      described: { name: "sundays-in-tokyo", needs: ["time", "request", "counters:tries"], tests: { passed: 1, failed: 0 } },
    });
    const context = { time: { weekday: 1 }, request: { model: "gpt-5" }, counters: { tries: { count: 4 } } };
    expect(ask("evaluate", context)).toMatchObject({
      value: { allowed: true, metadata: { tries: 4 }, obligations: [{ type: "tag", tags: ["weekday"] }] },
    });
  });

  it("an instance of a class, with private members", async () => {
    const { registration, ask } = await opened("instance");
    expect(registration).toMatchObject({ described: { name: "quiet", version: "2.0.0", stages: ["evaluate"] } });
    expect(ask("evaluate", { messages: [{ role: "user", text: "short" }] })).toMatchObject({ value: { allowed: true } });
    expect(ask("evaluate", { messages: [{ role: "user", text: "x".repeat(21) }] })).toMatchObject({ value: { allowed: false } });
  });

  it("an entrypoint class", async () => {
    const { registration, ask } = await opened("entrypoint");
    expect(registration).toMatchObject({ described: { name: "watch", stages: ["onResponse", "onChunk"], needs: ["response"] } });
    expect(ask("onResponse", { response: { texts: [{ role: "assistant", text: "a forbidden word" }] } })).toMatchObject({
      value: { allowed: false },
    });
    expect(ask("onChunk", { response: { text: "abc", gone: 0, last: true } })).toMatchObject({
      value: { obligations: [{ type: "redact", text: "abc" }] },
    });
  });

  it("bundles to the same bytes each time", async () => {
    expect(await bundlePolicy("test/policies/object.ts")).toBe(await bundlePolicy("test/policies/object.ts"));
  });
});

describe("what is printed", () => {
  const readme = /^```ts\n([\s\S]*?)^```/m.exec(readFileSync("plugins/README.md", "utf8"))![1]!;
  const inSdk = /```ts\n([\s\S]*?)```/.exec(readFileSync("plugins/sdk.ts", "utf8").replace(/^ \* ?/gm, ""))![1]!;

  it.each([
    ["plugins/README.md", readme, 3],
    ["plugins/sdk.ts", inSdk, 1],
  ])("the example in %s is a policy that passes its own tests", async (name, text, passed) => {
    const source = await bundlePolicy("plugins/printed.ts", text);
    const registration = new Engine(compiledEngine).register({ hash: name, source });
    expect(registration).toMatchObject({ kind: "described", described: { tests: { passed, failed: 0 } } });
  });
});

describe("plugins/sdk.ts", () => {
  const sdk = readFileSync("plugins/sdk.ts", "utf8");

  it("imports nothing", () => {
    expect(sdk).not.toMatch(/^(import|export) .* from /m);
  });

  it("names the needs that the engine knows, and no others", () => {
    const declared = /^export type Need =([^;]*);$/m.exec(sdk)![1]!;
    expect(declared.match(/"[^"]+"/g)).toEqual(NEEDS.map((need) => `"${need}"`));
  });
});
