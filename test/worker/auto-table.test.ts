import { beforeAll, describe, expect, test } from "vitest";
import { CASES } from "../cases/auto.ts";
import { admin, ask, newKey } from "../support/front.ts";

interface Explained {
  readonly model: string | null;
  readonly rule: string | null;
}

async function explained(secret: string, request: object, operation: string): Promise<Explained> {
  return (await ask("POST", "/v1/route/explain", { as: secret, body: { operation, request } })).json();
}

describe("A2: fifty requests and the models that answer them", () => {
  beforeAll(async () => {
    const openai = { name: "openai", kind: "openai", base_url: "https://api.openai.com/v1", api_key: "sk-none" };
    await admin("POST", "/providers", openai);
    await admin("POST", "/providers", { ...openai, name: "anthropic", kind: "anthropic", base_url: "https://api.anthropic.com" });
  });

  test("the table has fifty rows, and every rule of the built-in table but the one of the budget stands in it", async () => {
    expect(CASES).toHaveLength(50);
    const { rules } = await admin<{ rules: { name: string }[] }>("GET", "/auto");
    expect(new Set(CASES.map(({ rule }) => rule))).toEqual(new Set([...rules.map(({ name }) => name).slice(1), null]));
  });

  test.each(CASES)("$what: $model", async ({ operation = "chat.completions", request, allow = ["*"], rule, model }) => {
    const { secret } = await newKey({ models: { allow, deny: [] } });
    const body = { ...request, model: "auto" };
    const first = await explained(secret, body, operation);
    expect([first.model, first.rule]).toEqual([model, rule]);
    // What is done is what is explained, whenever it is asked.
    const estimate = await ask("POST", "/v1/estimate", { as: secret, body: { operation, request: body } });
    expect(((await estimate.json()) as { model: string }).model).toBe(model);
    expect(await explained(secret, body, operation)).toEqual(first);
  });
});
