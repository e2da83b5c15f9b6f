import { walk } from "../../src/policy/chain.ts";
import type { Step } from "../../src/policy/contract.ts";
import type { Facts, Plugin } from "../../src/policy/engine/contract.ts";
import module from "../../src/policy/engine/quickjs.wasm";
import { wallsOf } from "../../src/policy/engine/walls.ts";

interface Bindings {
  readonly POLICIES: WorkerLoader;
  readonly PLUGINS: readonly (Plugin & { readonly needs: readonly string[] })[];
}

const own = wallsOf({ module, walk });
let loaded: typeof own | undefined;

const FACTS: Facts = {
  shared: {
    time: { now: 1_767_607_200_000, time_zone: "UTC", weekday: 1, hour: 10, minute: 0, second: 0 },
    clock: { now: 1_767_607_200_000, time_zone: "UTC", weekday: 1, hour: 10, minute: 0, second: 0 },
    request: {
      operation: "chat.completions",
      requested: "fast",
      provider: "openai",
      model: "gpt-5",
      stream: false,
      max_tokens: 20,
      tools: false,
    },
    budget: [{ id: "bud_1", unit: "usd", limit: "100", spent: "1", reserved: "0", remaining: "99", resets_at: null }],
    estimate: { input_tokens: 20, max_output_tokens: 20, expected_usd: "0.0001", most_usd: "0.0002", price_state: "priced" },
    messages: [{ role: "user", text: "Say the word twenty times, please." }],
    "counters:requests": { count: 1, window_s: 60, resets_in_s: 60 },
  },
  own: {},
};
const STEP = {
  version: "1.0.0",
  compose: "all",
  mode: "enforce",
  onError: "deny",
  stages: ["evaluate"],
  settings: {},
} as const;

/** A Worker that does nothing but judge: where and by how many policies, the request's headers say. */
export default {
  async fetch(request, { POLICIES, PLUGINS }) {
    await request.arrayBuffer();
    const plugins = PLUGINS.slice(0, Number(request.headers.get("x-policies")));
    if (plugins.length === 0) return new Response("[]");
    loaded ??= wallsOf({ module, walk, loader: POLICIES });
    const walls = request.headers.get("x-where") === "loader" ? loaded : own;
    const steps = plugins.map(({ hash, needs }, priority): Step => ({ ...STEP, policy: hash, hash, needs, priority }));
    const { denial, findings } = await walls.judge({ tenant: "team", stage: "evaluate", steps, plugins, facts: FACTS });
    return Response.json(findings, { status: denial === null && findings.length === plugins.length ? 200 : 500 });
  },
} satisfies ExportedHandler<Bindings>;
