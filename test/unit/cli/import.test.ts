import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { perMillion, usd, windowOf } from "../../../cli/import/amounts.ts";
import { readLitellm } from "../../../cli/import/litellm.ts";
import { planLines, planOf, planShape } from "../../../cli/import/plan.ts";
import { readPortkey } from "../../../cli/import/portkey.ts";

const litellmFile = parse(readFileSync("test/cases/import/litellm.yaml", "utf8")) as object;
const portkeyFile = JSON.parse(readFileSync("test/cases/import/portkey.json", "utf8")) as object;
const told = { name: "chat", virtualKeys: { house: "openai_like" } };
const litellm = () => planOf(readLitellm(litellmFile), {});
const portkey = () => planOf(readPortkey(portkeyFile, told), {});
const step = (plan: ReturnType<typeof litellm>, kind: string, name: string) =>
  plan.steps.find((each) => each.kind === kind && each.name === name);
const line = (plan: ReturnType<typeof litellm>, path: string) => plan.lines.find((each) => each.path === path);

/** Every value of a document that holds no others, by its path; what the importer counts must be counted apart from it. */
function leavesOf(value: unknown, path = ""): string[] {
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return inner.length === 0 ? [path] : inner.flatMap(([name, each]) => leavesOf(each, path === "" ? name : `${path}.${name}`));
}

describe.each([
  ["LiteLLM", litellmFile, litellm],
  ["Portkey", portkeyFile, portkey],
])("importing from %s", (_, file, plan) => {
  it("every value of the committed file is mapped, or listed with a reason that somebody thought of", () => {
    const { lines } = plan();
    expect(lines.map(({ path }) => path)).toEqual(leavesOf(file));
    for (const { path, to, reason } of lines) expect([path, (to === null) !== (reason === null)]).toEqual([path, true]);
    expect(lines.filter(({ reason }) => reason?.includes("not known to this importer"))).toEqual([]);
  });

  it("threat 26: no secret of the file is in what is printed", () => {
    const shown = [JSON.stringify(planShape(plan())), ...planLines(plan())].join("\n");
    const secrets = JSON.stringify(file).match(/"(?:sk|gsk|az|pk)-[\w-]+"|hunter2/g)!;
    expect(secrets.length).toBeGreaterThan(1);
    for (const secret of secrets) expect(shown).not.toContain(secret.replaceAll('"', ""));
  });
});

describe("importing from LiteLLM", () => {
  it("makes a provider of each address with a credential, and names it after its vendor", () => {
    const providers = litellm().steps.filter(({ kind }) => kind === "provider");
    expect(
      providers.map(({ name, body, secrets }) => [name, body["kind"], body["base_url"] ?? secrets["base_url"], secrets["api_key"]]),
    ).toEqual([
      ["openai", "openai", { variable: "IMPORT_OPENAI_BASE" }, { variable: "IMPORT_OPENAI_KEY" }],
      ["openai-2", "openai", "https://api.openai.com/v1", { literal: "sk-literal-second-key-0123456789" }],
      ["anthropic", "anthropic", "https://api.anthropic.com", { variable: "IMPORT_ANTHROPIC_KEY" }],
      ["ollama", "ollama", "http://127.0.0.1:11434", undefined],
      ["vllm", "openai-compatible", "http://127.0.0.1:8000/v1", undefined],
      ["groq", "openai-compatible", "https://api.groq.com/openai/v1", { variable: "IMPORT_GROQ_KEY" }],
    ]);
  });

  it("makes a route of deployments that share a name, with weights, priorities, and fallbacks behind them", () => {
    expect(step(litellm(), "route", "gpt-4o")?.body).toEqual({
      name: "gpt-4o",
      strategy: "weighted",
      retries: 2,
      timeout_ms: 60_000,
      backoff_ms: 1_000,
      breaker: { calls_min: 4, open_s: 30 },
      targets: [
        { provider: "openai", model: "gpt-4o", priority: 0, weight: 3 },
        { provider: "openai-2", model: "gpt-4o", priority: 2, weight: 1 },
        { provider: "anthropic", model: "claude-sonnet-5-5", priority: 3, weight: 1, when: { tags: ["paid"] } },
        { provider: "vllm", model: "meta-llama/Llama-3.3-70B", priority: 4, weight: 1 },
      ],
    });
    const names = litellm().steps.filter(({ kind }) => kind === "route");
    expect(names.map(({ name }) => name).toSorted()).toEqual([
      "embed",
      "gpt-4",
      "gpt-4-hidden",
      "gpt-4o",
      "house-model",
      "local-llama",
      "sonnet",
    ]);
  });

  it("makes an alias, with its limits, of a model that nothing else is said of", () => {
    const model_list = [
      { model_name: "small", litellm_params: { model: "openai/gpt-4o-mini" }, model_info: { max_input_tokens: 1_000, max_tokens: 50 } },
      { model_name: "openai/gpt-4o", litellm_params: { model: "openai/gpt-4o" } },
    ];
    const { steps } = planOf(readLitellm({ model_list }), {});
    expect(steps.map(({ kind, name, body }) => ({ kind, name, body }))).toEqual([
      { kind: "provider", name: "openai", body: { name: "openai", kind: "openai", base_url: "https://api.openai.com/v1" } },
      {
        kind: "alias",
        name: "small",
        body: { name: "small", provider: "openai", model: "gpt-4o-mini", context_tokens: 1_000, max_output_tokens: 50 },
      },
    ]);
  });

  it("makes prices exactly, by the million; what litellm_params says goes before model_info", () => {
    expect(step(litellm(), "price", "vllm/meta-llama/Llama-3.3-70B")?.body).toMatchObject({
      rates: { input: "0.2", output: "0.6", cache_read: "0.05" },
      tiers: [{ above_input_tokens: 128_000, rates: { input: "0.4" } }],
    });
    expect(step(litellm(), "price", "ollama/llama3.3")?.body["rates"]).toEqual({ input: "0", output: "0" });
  });

  it("makes a budget of the deployment, and a key of what every new key was given", () => {
    const { steps } = litellm();
    expect(steps.find(({ kind }) => kind === "budget")?.body).toEqual({
      scope: { kind: "deployment" },
      window: "month",
      limit_usd: "250.5",
    });
    expect(step(litellm(), "key", "litellm-default")?.body).toEqual({
      name: "litellm-default",
      models: {
        allow: ["openai/gpt-4o", "openai-2/gpt-4o", "anthropic/claude-sonnet-5-5", "vllm/meta-llama/Llama-3.3-70B", "ollama/llama3.3"],
      },
      tags: ["imported"],
      limits: { rpm: 60, tpm: 100_000, concurrency: 4 },
      budgets: [{ window: "day", limit_usd: "5" }],
    });
  });

  it("reads variables that the file sets, and lists those that nobody does", () => {
    expect(litellm().missing).toEqual(["IMPORT_OPENAI_KEY", "IMPORT_OPENAI_BASE", "IMPORT_ANTHROPIC_KEY"]);
    expect(line(litellm(), "environment_variables.IMPORT_GROQ_KEY")?.to).toContain("IMPORT_GROQ_KEY");
    expect(line(litellm(), "environment_variables.LANGFUSE_PUBLIC_KEY")?.to).toBeNull();
  });

  it("lists names that none can have here", () => {
    const named = (model_name: string) =>
      planOf(readLitellm({ model_list: [{ model_name, litellm_params: { model: "openai/gpt-4o" } }] }), {});
    for (const name of ["GPT 4", "auto", "a*b*c", ""])
      expect([name, named(name).steps, named(name).lines[0]?.to]).toEqual([name, [], null]);
    expect(named("*").steps.at(-1)).toMatchObject({
      kind: "route",
      name: "*",
      body: { targets: [{ provider: "openai", model: "gpt-4o" }] },
    });
  });

  it("lists what it could not carry, with the reason", () => {
    const reason = (path: string) => line(litellm(), path)?.reason;
    expect(reason("model_list.1.litellm_params.model")).toContain("Azure OpenAI");
    expect(reason("model_list.8.litellm_params.model")).toContain("signed with AWS keys");
    expect(reason("model_list.0.litellm_params.rpm")).toContain("limits of pace stand on keys");
    expect(reason("model_list.0.litellm_params.temperature")).toContain("no parameters are added");
    expect(reason("router_settings.fallbacks.1.sonnet.0")).toContain("no model of this file");
    expect(reason("litellm_settings.default_key_generate_params.duration")).toContain("no such setting");
    expect(reason("general_settings.master_key")).toContain("TOLLGATE_ADMIN_KEY");
    expect(line(planOf(readLitellm({ something: { new: 1 } }), {}), "something.new")?.reason).toBe("not known to this importer");
  });

  it("crashes on no document, and accounts for all of it", () => {
    const document = fc.record({
      model_list: fc.oneof(fc.jsonValue(), fc.array(fc.record({ model_name: fc.jsonValue(), litellm_params: fc.record({ model: fc.constantFrom("openai/x", "claude", "azure/y", 1, null), timeout: fc.jsonValue() }) }))), // prettier-ignore
      router_settings: fc.record({ fallbacks: fc.jsonValue(), model_group_alias: fc.jsonValue(), num_retries: fc.jsonValue() }),
      litellm_settings: fc.jsonValue(),
    });
    fc.assert(
      fc.property(document, (file) => {
        const { lines } = planOf(readLitellm(file), {});
        expect(lines.map(({ path }) => path)).toEqual(leavesOf(file));
      }),
    );
  });
});

describe("importing from Portkey", () => {
  it("makes one route of the configuration, its conditions in their order and its default last", () => {
    expect(step(portkey(), "route", "chat/*")?.body).toEqual({
      name: "chat/*",
      retries: 3,
      timeout_ms: 20_000,
      fall_back_on: [429, 500, 503],
      strategy: "priority",
      targets: [
        { provider: "anthropic-prod-1a2b", model: "claude-opus-5-5", priority: 0, weight: 1, when: { metadata: { user_plan: "paid" } } },
        { provider: "openai", model: "gpt-4o-mini", priority: 1, weight: 1, when: { models: ["chat/fastest", "chat/cheapest"] } },
        { provider: "openai", model: "gpt-4o-mini", priority: 1, weight: 1, when: { metadata: { env: "test" } } },
        { route: "chat-1", priority: 3, weight: 1 },
      ],
    });
    expect(step(portkey(), "route", "chat-1")?.body).toEqual({
      name: "chat-1",
      fall_back_on: [502],
      strategy: "weighted",
      targets: [
        { provider: "house", model: "llama", priority: 0, weight: 0.7 },
        { provider: "mistral-eu", model: "mistral-large-2512", priority: 0, weight: 0.3 },
      ],
    });
  });

  it("names a route before the one that leads to it", () => {
    expect(portkey().steps.flatMap(({ kind, name }) => (kind === "route" ? [name] : []))).toEqual(["chat-1", "chat/*"]);
  });

  it("reads the credentials that Portkey keeps from variables named after them", () => {
    expect(portkey().missing).toEqual(["ANTHROPIC_PROD_1A2B_API_KEY", "HOUSE_API_KEY", "MISTRAL_EU_API_KEY"]);
  });

  it("a configuration without a model is a route for every model, by a pattern", () => {
    const { steps } = planOf(readPortkey({ provider: "groq", api_key: "gsk-1" }, { name: "chat", virtualKeys: {} }), {});
    expect(steps.at(-1)).toMatchObject({ kind: "route", name: "chat/*", body: { targets: [{ provider: "groq", model: "*" }] } });
  });

  it("lists what it could not carry, with the reason", () => {
    const reason = (path: string) => line(portkey(), path)?.reason;
    expect(reason("strategy.conditions.2.query.params.temperature.$gte")).toContain("conditions here are equal metadata");
    expect(reason("cache.mode")).toContain("each key");
    expect(reason("targets.2.targets.2.provider")).toContain("Azure OpenAI");
    expect(reason("targets.0.override_params.max_tokens")).toContain("no parameters are added");
    const unknown = planOf(readPortkey({ virtual_key: "prod" }, { name: "chat", virtualKeys: {} }), {});
    expect([unknown.steps, unknown.lines[0]?.reason]).toEqual([[], expect.stringContaining("--virtual-key")]);
  });
});

describe("amounts", () => {
  it("a price by the token becomes one by the million, exactly", () => {
    expect([perMillion(0.000005), perMillion(3e-7), perMillion(0), perMillion(1), perMillion(1.5e-10)]).toEqual([
      "5",
      "0.3",
      "0",
      "1000000",
      "0.00015",
    ]);
    expect([perMillion(-1), usd(250.5), usd(5), usd(0.1)]).toEqual([null, "250.5", "5", "0.1"]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (number) => {
        expect(Number(perMillion(number))).toBeCloseTo(number * 1e6, 6);
        expect(Number(usd(number))).toBe(number);
      }),
    );
  });

  it("lengths that no window has are none", () => {
    expect([windowOf("1d"), windowOf("30d"), windowOf(null), windowOf("45d")]).toEqual(["day", "month", "total", null]);
  });
});
