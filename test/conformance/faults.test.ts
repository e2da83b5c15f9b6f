import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULT_MATRIX } from "../cases/faults.ts";
import { FakeUpstream } from "../support/upstream/server.ts";
import { stage } from "./stage.ts";

const set = stage("faults");
const [GOOD, BAD, DEAD] = ["faults-good", "faults-bad", "faults-dead"];
/** Each row has models of its own, so that no breaker remembers another row. */
const rows = FAULT_MATRIX.flatMap((row, at) =>
  (["alone", "withFallback"] as const).map((way) => ({ ...row, way, expected: row[way], model: `m${at}-${way.toLowerCase()}` })),
);
let good: FakeUpstream;

beforeAll(async () => {
  good = await FakeUpstream.start();
  good.behave = () => "";
  const models = rows.map(({ model }) => model);
  await set.admin.upstream(GOOD, "openai", good.origin, models);
  await set.admin.upstream(BAD, "openai", set.upstream.origin, models);
  // Nothing listens on the port of discard.
  await set.admin.upstream(DEAD, "openai", "http://127.0.0.1:9", models);
  for (const { way, model, scenario } of rows)
    if (way === "withFallback")
      await set.admin.route(`faults-${model}`, [`${scenario === null ? DEAD : BAD}/${model}`, `${GOOD}/${model}`], { retries: 0 });
}, 120_000);
afterAll(() => good.stop());

/** The code of an error of ours, `provider` for another's; null where there is none. */
function errorIn(text: string): string | null {
  const found = text.split("\n").map((line) => /"error":\s*\{.*/.exec(line)?.[0]);
  const error = found.find((each) => each !== undefined);
  if (error === undefined) return null;
  return /"code":"(upstream_error|upstream_timeout)"/.exec(error)?.[1] ?? "provider";
}

describe("threat 40: the fault matrix, each outcome told truly and charged once", () => {
  it.concurrent.each(rows)("$fault, $shape, $way", async ({ scenario, shape, way, model, expected }) => {
    const failing = scenario === null ? DEAD : BAD;
    const answer = await fetch(`${set.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json", ...(scenario && { "x-scenario": scenario }) },
      body: JSON.stringify({
        model: way === "alone" ? `${failing}/${model}` : `faults-${model}`,
        messages: [{ role: "user", content: "hi" }],
        max_tokens: 50,
        stream: shape === "stream",
      }),
    });
    const text = await answer.text();
    const request = answer.headers.get("x-request-id")!;
    const provider = expected.by === "good" ? GOOD : failing;
    expect({ status: answer.status, error: errorIn(text) }).toEqual({ status: expected.status, error: expected.error });
    const ours = answer.status === 502 || answer.status === 504;
    if (ours)
      expect((JSON.parse(text) as { error: { details: { attempts: unknown[] } } }).error.details.attempts).toHaveLength(expected.attempts);
    else {
      const headers = ["x-tollgate-attempts", "x-tollgate-provider"].map((name) => answer.headers.get(name));
      expect(headers).toEqual([String(expected.attempts), provider]);
    }
    const record = await set.admin.record(request);
    expect(record).toMatchObject({ outcome: expected.outcome, attempts: expected.attempts, resource: { provider, model } });
    expect(Number(record.actual_usd) > 0).toBe(expected.billed !== "nothing");
    expect(record.status).toBe(expected.billed === "supposed" ? "estimated" : "actual");
    const lost = await lostOf(request);
    expect(lost === null).toBe(!expected.lost);
    if (lost) {
      expect(lost).toMatchObject({ request, status: "estimated", resource: { provider: failing, model } });
      expect(Number(lost["actual_usd"])).toBeGreaterThan(0);
    }
  });
});

/** The record of a first attempt that may have been billed; it arrives with that of its request. */
async function lostOf(request: string): Promise<Record<string, unknown> | null> {
  return set.admin.call("GET", `/costs/records/${request.replace("req_", "cost_")}_try1`).catch((error: Error) => {
    if (error.message.includes(" 404:")) return null;
    throw error;
  });
}
