import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it, describe } from "vitest";
import { stage } from "../conformance/stage.ts";
import { emptyFolder, rows, tollgate } from "./run.ts";

const set = stage("cli-import");
const SECRET = "sk-import-secret-0123456789";

/** A configuration of LiteLLM's with names of this file's own, whose models are at the fake upstream. */
function written(): string {
  const file = join(emptyFolder(), "config.yaml");
  writeFileSync(
    file,
    `model_list:
  - model_name: cli-import-chat
    litellm_params: { model: hosted_vllm/gpt-4o-mini, api_base: ${set.upstream.origin}/v1, api_key: os.environ/CLI_IMPORT_KEY, input_cost_per_token: 1.0e-6, output_cost_per_token: 0.000002 }
  - model_name: cli-import-pair
    litellm_params: { model: hosted_vllm/gpt-4o-mini, api_base: ${set.upstream.origin}/v1, api_key: os.environ/CLI_IMPORT_KEY, order: 1 }
  - model_name: cli-import-pair
    litellm_params: { model: openai_like/gpt-4o-mini, api_base: "${set.upstream.origin}/v1", api_key: ${SECRET} }
litellm_settings:
  default_key_generate_params: { max_budget: 2, budget_duration: 1d, models: [cli-import-chat] }
`,
  );
  return file;
}

async function asked(model: string, key: string) {
  const answer = await fetch(`${inject("origin")}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 20, messages: [{ role: "user", content: "Hello" }] }),
  });
  await answer.text();
  return { status: answer.status, provider: answer.headers.get("x-tollgate-provider"), cost: answer.headers.get("x-tollgate-cost") };
}

describe("tollgate import", () => {
  it("prints a plan and what is not carried over, and writes nothing", async () => {
    const { code, out, err } = await tollgate(["import", "litellm", written()]);
    expect([code, err]).toEqual([0, "Nothing was written; --apply writes it.\n"]);
    expect(out).toMatch(/^provider {2}vllm {2}openai-compatible, http:\/\/127\.0\.0\.1:\d+\/v1, api_key from CLI_IMPORT_KEY$/m);
    expect(out).toMatch(/^route {5}cli-import-pair {2}weighted, vllm\/gpt-4o-mini, own\/gpt-4o-mini$/m);
    expect(out).toContain("Not set in the environment: CLI_IMPORT_KEY");
    expect(out).not.toContain(SECRET);
    const { data } = await set.admin.call<{ data: { name: string }[] }>("GET", "/models?limit=1000");
    expect(data.map(({ name }) => name)).not.toContain("cli-import-chat");
  });

  it("writes nothing where a variable is missing, and lists it", async () => {
    const { code, err, out } = await tollgate(["import", "litellm", written(), "--apply"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("Nothing was written: not set in the environment: CLI_IMPORT_KEY");
  });

  it("writes the plan with --apply: callers reach the upstreams by their old names, at the old prices, under the key's budget", async () => {
    const env = { CLI_IMPORT_KEY: "sk-of-the-environment" };
    const made = await rows<{ kind: string; name: string; outcome: string; secret?: string }>(["import", "litellm", written(), "--apply"], {
      env,
    });
    expect(made.map(({ kind, name, outcome }) => [kind, name, outcome])).toEqual([
      ["provider", "vllm", "created"],
      ["provider", "own", "created"],
      ["price", "vllm/gpt-4o-mini", "created"],
      ["alias", "cli-import-chat", "created"],
      ["route", "cli-import-pair", "created"],
      ["key", "litellm-default", "created"],
    ]);
    expect(JSON.stringify(made)).not.toMatch(/sk-import|sk-of-the/);
    const { secret } = made.at(-1)!;
    expect(await asked("cli-import-chat", secret!)).toMatchObject({
      status: 200,
      provider: "vllm",
      cost: expect.stringMatching(/^0\.0000/),
    });
    expect(set.upstream.last.headers["authorization"]).toBe("Bearer sk-of-the-environment");
    expect((await asked("cli-import-pair", set.key)).provider).toBe("own");
    expect((await asked(`${set.openai}/gpt-4o-mini`, secret!)).status).toBe(403);
    const again = await rows<{ outcome: string }>(["import", "litellm", written(), "--apply"], { env });
    expect(again.map(({ outcome }) => outcome)).toEqual(made.map(() => "exists"));
    for (const name of ["vllm", "own"]) {
      const { data } = await set.admin.call<{ data: { id: string; name: string }[] }>("GET", "/providers?limit=1000");
      await set.admin.call("DELETE", `/providers/${data.find((each) => each.name === name)!.id}`);
    }
  });

  it("turns a Portkey configuration into a route, its virtual keys told by an option", async () => {
    const file = join(emptyFolder(), "portkey.json");
    const target = (virtual_key: string, model: string, origin: string) => ({
      virtual_key,
      custom_host: origin,
      override_params: { model },
    });
    const targets = [
      target("cli-import-a", "gpt-4o-mini", `${set.upstream.origin}/v1`),
      target("cli-import-b", "claude-sonnet-5", set.upstream.origin),
    ];
    writeFileSync(file, JSON.stringify({ strategy: { mode: "fallback" }, targets }));
    const options = ["--name", "cli-import-portkey", "--virtual-key", "cli-import-a=openai", "--virtual-key", "cli-import-b=anthropic"];
    const env = { CLI_IMPORT_A_API_KEY: "sk-a", CLI_IMPORT_B_API_KEY: "sk-b" };
    const made = await rows<{ kind: string; name: string }>(["import", "portkey", file, ...options, "--apply"], { env });
    expect(made.map(({ kind, name }) => [kind, name])).toEqual([
      ["provider", "cli-import-a"],
      ["provider", "cli-import-b"],
      ["route", "cli-import-portkey"],
    ]);
    expect(await asked("cli-import-portkey", set.key)).toMatchObject({ status: 200, provider: "cli-import-a" });
  });

  it("the committed configurations come to plans for programs, each value of them accounted for", async () => {
    for (const [from, file] of [
      ["litellm", "litellm.yaml"],
      ["portkey", "portkey.json"],
    ] as const) {
      const path = join(import.meta.dirname, "../cases/import", file);
      const [plan] = await rows<{ object: string; steps: unknown[]; lines: { to: string | null; reason: string | null }[] }>([
        "import",
        from,
        path,
      ]);
      expect(plan!.object).toBe("import_plan");
      expect(plan!.steps.length).toBeGreaterThan(3);
      expect(plan!.lines.every(({ to, reason }) => (to === null) !== (reason === null))).toBe(true);
      expect(readFileSync(path, "utf8")).toContain("literal");
      expect(JSON.stringify(plan)).not.toContain("sk-literal");
    }
  });

  it("tells where a file is no YAML, and quotes nothing of it", async () => {
    const file = join(emptyFolder(), "config.yaml");
    writeFileSync(file, `model_list:\n  - api_key: "${SECRET}\n   : :`);
    const { code, err } = await tollgate(["import", "litellm", file]);
    expect([code, err]).toEqual([1, expect.stringMatching(/is not YAML at line \d+, column \d+/)]);
    expect(err).not.toContain(SECRET);
  });
});
