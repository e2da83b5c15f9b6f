import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { Admin } from "../support/gateway.ts";
import { isSigned, Receiver } from "../support/receiver.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient, type TaskTold } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
let tasks: TaskClient;
let keyId = "";
const receivers: Receiver[] = [];

beforeAll(async () => {
  const { id, secret } = await admin.key({ name: "callbacks", profile: "default" });
  keyId = id;
  tasks = new TaskClient(origin, secret);
});
afterAll(() => Promise.all(receivers.map((each) => each.stop())));

async function receiver(answer: Parameters<typeof Receiver.start>[0]): Promise<Receiver> {
  const made = await Receiver.start(answer);
  receivers.push(made);
  return made;
}

type Told = TaskTold & { readonly callback: { url: string; status: string; attempts: number; last_error: string | null } | null };
const command = (script: string) => ({ engine: "command", argv: ["sh", "-c", script] });
const callbackOf = async (id: string) => ((await tasks.get(id)) as Told).callback;

it("what callbacks are signed with is told to the key's owner, the same each time and to each key its own", async () => {
  type Secret = { secret: string };
  const [first, again] = [
    await tasks.call<Secret>("GET", "/v1/task/callback_secret"),
    await tasks.call<Secret>("GET", "/v1/task/callback_secret"),
  ];
  expect(first).toEqual({ object: "callback_secret", secret: expect.stringMatching(/^whsec_[0-9a-f]{64}$/) });
  expect(again).toEqual(first);
  const { secret } = await admin.key({ name: "callbacks-other" });
  expect(await new TaskClient(origin, secret).call("GET", "/v1/task/callback_secret")).not.toEqual(first);
});

describe.skipIf(UNABLE)("A13: a callback", () => {
  it("comes once with the task as it ended, signed; the task and the audit tell of it", async () => {
    const to = await receiver(() => ({ status: 204 }));
    const begun = (await tasks.begin({ ...command("echo done"), callback_url: `${to.url}/hook`, metadata: { job: "7" } })) as Told;
    expect(begun.callback).toEqual({ url: `${to.url}/hook`, status: "waiting", attempts: 0, last_error: null });
    await vi.waitFor(async () => expect((await callbackOf(begun.id))?.status).toBe("delivered"), 10_000);
    const [came] = to.received;
    const { secret } = await tasks.call<{ secret: string }>("GET", "/v1/task/callback_secret");
    expect([to.received.length, came!.path, came!.id, isSigned(secret, came!)]).toEqual([1, "/hook", expect.stringMatching(/^dlv_/), true]);
    expect(isSigned(secret, { ...came!, body: came!.body.replace("completed", "failed") })).toBe(false);
    expect(JSON.parse(came!.body)).toMatchObject({
      id: begun.id,
      object: "task",
      status: "completed",
      exit_reason: "ok",
      metadata: { job: "7" },
      result: { text: "done\n", exit_code: 0 },
    });
    const { components } = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as {
      components: { schemas: Record<string, { properties: object }> };
    };
    expect(Object.keys(JSON.parse(came!.body) as object).sort()).toEqual(Object.keys(components.schemas["Task"]!.properties).sort());
    const entry = await tasks.audited(admin, "task.callback", keyId, begun.id);
    expect(entry).toMatchObject({ outcome: "ok", details: { attempts: 1 } });
  });

  it("is repeated under the same id, later each time, until its receiver takes it", async () => {
    const to = await receiver((nth) => ({ status: nth <= 3 ? 500 : 200 }));
    const { id } = await tasks.begin({ ...command("exit 4"), callback_url: to.url });
    await vi.waitFor(async () => expect((await callbackOf(id))?.status).toBe("delivered"), { timeout: 20_000, interval: 100 });
    expect(await callbackOf(id)).toEqual({ url: to.url, status: "delivered", attempts: 4, last_error: null });
    expect(new Set(to.received.map((each) => each.id)).size).toBe(1);
    const waits = to.received.slice(1).map(({ at }, nth) => at - to.received[nth]!.at);
    expect(waits.map((ms, nth) => ms >= 900 * 2 ** nth)).toEqual([true, true, true]);
    const { secret } = await tasks.call<{ secret: string }>("GET", "/v1/task/callback_secret");
    expect(to.received.every((each) => isSigned(secret, each))).toBe(true);
  });

  it("follows no redirect, and says what its receiver answered while it goes on trying", async () => {
    const inside = await receiver(() => ({ status: 200 }));
    const to = await receiver(() => ({ status: 302, location: `${inside.url}/inside` }));
    const { id } = await tasks.begin({ ...command("true"), callback_url: to.url });
    await vi.waitFor(async () => expect((await callbackOf(id))?.attempts).toBeGreaterThan(1), { timeout: 15_000, interval: 100 });
    expect(await callbackOf(id)).toMatchObject({ status: "pending", last_error: "answered with 302" });
    expect(inside.received).toEqual([]);
  });

  it("comes for what waits for a person's word too, while it waits, and again at the end under another id", async () => {
    const to = await receiver(() => ({ status: 204 }));
    await admin.call("POST", "/profiles", { name: "callbacks-asks", tools: ["Bash"], approve_tools: ["Bash"] });
    const own = new TaskClient(origin, (await admin.key({ name: "callbacks-asks", profile: "callbacks-asks" })).secret);
    const { id } = await own.begin({ ...command("echo approved"), callback_url: to.url });
    await vi.waitFor(() => expect(to.received).toHaveLength(1), 10_000);
    const asked = JSON.parse(to.received[0]!.body) as { status: string; approvals: { id: string }[] };
    expect([asked.status, asked.approvals.length]).toEqual(["waiting_approval", 1]);
    await own.call("POST", `/v1/task/${id}/approve`, { id: asked.approvals[0]!.id, decision: "approve" });
    await vi.waitFor(() => expect(to.received).toHaveLength(2), 10_000);
    expect(JSON.parse(to.received[1]!.body)).toMatchObject({ status: "completed", result: { text: "approved\n" } });
    expect(new Set(to.received.map((each) => each.id)).size).toBe(2);
  });
});
