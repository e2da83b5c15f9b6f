import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { cpus, loadavg } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { BENIGN } from "../corpus/policies/benign.ts";
import { type Case, SHAPES } from "../corpus/policies/case.ts";
import { HOSTILE } from "../corpus/policies/hostile.ts";
import { processorMs } from "../support/processor.ts";
import { stage } from "./stage.ts";

const at = stage("corpus");
const shapes = Object.values(SHAPES);
const all = [...HOSTILE, ...BENIGN];
let victim = { id: "", secret: "" };
let neighbour = { id: "", secret: "" };
let connections = 0;
const sink = createServer((socket) => {
  connections++;
  socket.destroy();
});

/** What others saw while the corpus ran. */
const seen = { healthMs: [] as number[], processorMs: [] as number[], health: new Set<number>(), neighbour: new Set<number>(), asked: 0 };
/** Between two looks: who looks on must not be the load that is measured. */
const PACE_MS = 20;
const watch = { on: true };
let watching: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
  victim = await at.admin.key({ name: "victim" });
  neighbour = await at.admin.key({ name: "neighbour" });
  // What is given the time is asked each time, whatever it said before.
  const source = SHAPES.object(BENIGN[0]!).replace('"tried"', '"beside"').replace('["request"]', '["request", "time"]');
  await activate(await upload("beside", "1.0.0", source), neighbour.id);
  watching = Promise.all([watchHealth(), watchNeighbour()]);
});

afterAll(() => new Promise((resolve) => sink.close(resolve)));

async function upload(name: string, version: string, source: string): Promise<string> {
  const { id } = await at.admin.call<{ id: string }>("POST", "/policies", { name, version, source });
  return id;
}

const activate = (policy: string, key: string) =>
  at.admin.call("PUT", `/policies/${policy}/activation`, { scope: { kind: "key", id: key }, mode: "enforce" });

const chat = (secret: string) =>
  fetch(`${at.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tollgate/echo", max_tokens: 5, messages: [{ role: "user", content: "hello" }] }),
  });

async function watchHealth(): Promise<void> {
  for (; watch.on; await pause(PACE_MS)) {
    const processor = processorMs(inject("gatewayProcess"));
    const start = performance.now();
    const answer = await fetch(`${at.origin}/healthz`).catch(() => null);
    await answer?.arrayBuffer();
    seen.health.add(answer?.status ?? 0);
    const took = performance.now() - start;
    seen.healthMs.push(took);
    // Where the machine does not say what the gateway did meanwhile, it may have done that all the time.
    seen.processorMs.push(processor === null ? took : processorMs(inject("gatewayProcess"))! - processor);
  }
}

async function watchNeighbour(): Promise<void> {
  for (; watch.on; await pause(PACE_MS)) {
    const answer = await chat(neighbour.secret).catch(() => null);
    await answer?.arrayBuffer();
    seen.neighbour.add(answer?.status ?? 0);
    seen.asked++;
  }
}

/** Puts a policy on the victim's key the way an operator would, and asks for something with it. */
async function outcomeOf(policy: Case, nth: number): Promise<string> {
  const version = `1.0.${nth}`;
  const { port } = sink.address() as AddressInfo;
  const text = shapes[nth % shapes.length]!(policy);
  const source = text.replace('"1.0.0"', `"${version}"`).replaceAll("sink.example", `127.0.0.1:${port}`);
  const made = await upload("tried", version, source).catch((error: Error) => error);
  if (made instanceof Error) return made.message.includes("answered 400") ? "refused" : made.message;
  await activate(made, victim.id);
  const answer = await chat(victim.secret);
  const body = (await answer.json()) as { error?: { code: string } };
  return answer.status === 200 ? "allowed" : `${answer.status} ${body.error?.code}`;
}

function expectedOf({ expect: expected, inChain = expected }: Case): string {
  if (expected === "complaint" || expected === "refused") return "refused";
  return inChain === "allowed" ? "allowed" : "403 policy_denied";
}

describe("threat 31: the corpus of policies, against npm start", () => {
  test.each(all.map((policy, nth) => ({ ...policy, nth })))("$name: ends as expected", async ({ nth, ...policy }) => {
    expect(await outcomeOf(policy, nth)).toBe(expectedOf(policy));
  });

  test("while they ran, health answered within 500 ms, and a neighbour's requests all passed", async () => {
    watch.on = false;
    await watching;
    expect([...seen.health]).toEqual([200]);
    expect([...seen.neighbour]).toEqual([200]);
    expect(seen.asked).toBeGreaterThan(50);
    const sorted = seen.healthMs.toSorted((a, b) => a - b);
    const [middle, high, worst] = [0.5, 0.99, 1].map((share) => sorted[Math.ceil(sorted.length * share) - 1]!);
    const worstProcessor = Math.max(...seen.processorMs);
    const load = loadavg()[0]! / cpus().length;
    console.log(
      `health, of ${sorted.length} answers: p50 ${middle!.toFixed(0)} ms, p99 ${high!.toFixed(0)} ms, worst ${worst!.toFixed(0)} ms, ` +
        `${worstProcessor} ms of the gateway's processor time at worst; ${load.toFixed(1)} wanted each processor`,
    );
    // The dearest turn is a policy that burns all it may while it is loaded, some 60 ms; after it the thread is the others' first.
    expect(worstProcessor).toBeLessThan(500);
    // Time on the clock is the gateway's own only where it need not share the machine.
    if (load <= 1) expect(worst).toBeLessThan(500);
  });

  test("threat 33: nothing reached the sink", () => {
    expect(connections).toBe(0);
  });
});
