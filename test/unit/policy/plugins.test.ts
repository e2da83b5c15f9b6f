import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bundlePolicy } from "../../../scripts/bundle-policy.ts";
import type { Stage } from "../../../src/policy/engine/contract.ts";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { complaintsOf } from "../../../src/policy/engine/inspect.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

const plugins = readdirSync("plugins", { withFileTypes: true }).filter((entry) => entry.isDirectory());

interface Tested {
  readonly tests: readonly {
    readonly stage?: Stage;
    readonly config?: Record<string, unknown>;
    readonly context: Record<string, unknown>;
  }[];
}

describe.each(plugins.map(({ name }) => name))("D14: the policy %s", (name) => {
  it("passes its own tests within the machine, and its README says what it burns", async () => {
    const source = await bundlePolicy(`plugins/${name}/index.ts`);
    expect(complaintsOf(source)).toEqual([]);
    const engine = new Engine(compiledEngine);
    const registration = engine.register({ hash: name, source });
    expect(registration).toMatchObject({ kind: "described", described: { name, tests: { failed: 0 } } });
    const { default: policy } = (await import(`../../../plugins/${name}/index.ts`)) as { default: Tested };
    expect(policy.tests.length).toBeGreaterThan(2);
    const fuels = policy.tests.map(
      ({ stage = "evaluate", config = {}, context }) =>
        engine.evaluate({ hash: name, stage, settings: config, context: JSON.stringify(context) }).fuel,
    );
    if (registration.kind === "refused") return;
    const said = /^Fuel: some ([\d,]+) to load, up to ([\d,]+) for a decision\.$/m.exec(readFileSync(`plugins/${name}/README.md`, "utf8"));
    const [toLoad, toDecide] = said!.slice(1).map((figure) => Number(figure.replaceAll(",", "")));
    expect(registration.described.loadFuel / toLoad!).toBeCloseTo(1, 1);
    expect(Math.max(...fuels) / toDecide!).toBeCloseTo(1, 1);
  });

  it("has a README that names every setting", async () => {
    const { default: policy } = (await import(`../../../plugins/${name}/index.ts`)) as { default: { config: { properties: object } } };
    const readme = readFileSync(`plugins/${name}/README.md`, "utf8");
    for (const setting of Object.keys(policy.config.properties)) expect(readme).toContain(`| \`${setting}\` |`);
  });
});
