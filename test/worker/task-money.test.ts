import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { BudgetStore, ledgerOf } from "#budget";
import { tables } from "#db";
import { mintTaskIdentity } from "#keys";
import type { JobSpec } from "#runner-protocol";
import { platformOf } from "../../src/compose.ts";
import { TaskLog } from "../../src/tasks/log.ts";
import { permit } from "../../src/tasks/permit.ts";
import { ProfileStore } from "../../src/tasks/profiles.ts";
import { readTask } from "../../src/tasks/request.ts";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

const platform = platformOf(env as Env);
const TEAM = "team_default";
const ledger = ledgerOf(env.LEDGER, TEAM);
let sequence = 0;

/** An id of a task of which there is nothing but its money. */
const taskId = () => `task_${String(++sequence).padStart(24, "0")}`;
const identity = (task: string, key: string) => mintTaskIdentity(platform.config.TOLLGATE_PEPPER, { task, key }, Date.now() + 60_000);
/** A task of a key's that nobody drives, since its alarm is off: its calls are made here. */
async function begun(key: string): Promise<{ id: string; as: string }> {
  const id = taskId();
  const profile = (await new ProfileStore(platform.db, platform.now).named("default"))!;
  const { effective } = permit(profile, readTask({ engine: "command", argv: ["true"] }));
  const made = { id, key, team: TEAM, profile: "default", status: "pending", effective, model: null, metadata: {} } as const;
  const task = { ...made, createdAt: platform.now(), startedAt: null, end: null, spentNano: null };
  await runInDurableObject(env.TASKS.get(env.TASKS.idFromName(id)), (_, { storage }) => new TaskLog(storage).begin(task, {} as JobSpec));
  return { id, as: await identity(id, key) };
}
const amount = (nano: number) => ({ nano, tokens: 1, requests: 1 });

async function keyWith(limit: number) {
  const { id: key, secret } = await newKey({ profile: "default", limits: { rpm: null, tpm: null, concurrency: null } });
  const scope = { kind: "key", id: key } as const;
  const budget = { scope, window: "day", timeZone: "UTC", unit: "usd", limit, mode: "strict" } as const;
  const { id } = await new BudgetStore(platform.db, platform.now).create(budget);
  await ledger.refresh();
  const { epoch } = (await ledger.keyStatus(key))!;
  const draw = (lease: string, floor: number, ceiling = floor) => {
    const id = `req_${++sequence}`;
    const asked = { id, key, epoch, floor: amount(floor), likely: amount(floor), ceiling: amount(ceiling), stream: false };
    return ledger.reserve({ ...asked, ttlMs: 60_000, event: "", lease }).then((answer) => ({ id, answer }));
  };
  const lease = (id: string, cap: number, ttlMs = 60_000) => ledger.lease({ id, key, epoch, cap, ttlMs });
  const status = async () => (await ledger.budgetStatus([id]))[0]!;
  return { key, secret, draw, lease, status };
}

const CALLS = [
  ["/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] }],
  ["/v1/messages", { max_tokens: 10, messages: [{ role: "user", content: "hi" }] }],
  ["/v1/responses", { input: "hi" }],
] as const;

test.each(CALLS)("A21: %s of a task whose lease has ended, or never was, is 402 and not to be tried again", async (path, body) => {
  const { key, lease } = await keyWith(100_000_000);
  const { id: task, as } = await begun(key);
  const call = () => ask("POST", path, { as, body: { model: "tollgate/echo", ...body } });
  const refused = async () => {
    const answer = await call();
    const { error } = (await answer.json()) as { error: { code: string; message: string; details: object } };
    expect([answer.status, answer.headers.get("x-should-retry"), error.code]).toEqual([402, "false", "budget_exceeded"]);
    expect(error.message).toBe(`The task ${task} has ended: no more calls of it are admitted`);
    expect(error.details).toEqual({ scope: { kind: "task", id: task } });
  };
  await refused();
  expect((await lease(task, 50_000_000)).kind).toBe("leased");
  expect((await call()).status).toBe(200);
  await ledger.endLeases([task]);
  await refused();
  expect((await lease(task, 50_000_000)).kind).toBe("lease_ended");
});

test("A21: what is foreseen of a task's call, a price or a choice among models, is foreseen by its lease and not by budgets that it has emptied", async () => {
  const { key, secret, lease, status } = await keyWith(10_000_000);
  const { id: task, as } = await begun(key);
  await lease(task, 10_000_000);
  expect(await status()).toMatchObject({ remaining: 0 });
  const body = { model: "auto", messages: [{ role: "user", content: "hi" }] };
  expect((await ask("POST", "/v1/chat/completions", { as: secret, body })).status).toBe(402);
  expect((await ask("POST", "/v1/chat/completions", { as, body })).status).toBe(200);
  await ledger.endLeases([task]);
  const answer = await ask("POST", "/v1/chat/completions", { as, body });
  const { error } = (await answer.json()) as { error: { details: { scope: object } } };
  expect([answer.status, error.details.scope]).toEqual([402, { kind: "task", id: task }]);
});

test("A3: 300 draws at once from a lease with room for 100 take exactly what it has, whatever its budget has left", async () => {
  const { draw, lease, status } = await keyWith(1_500);
  const task = taskId();
  await lease(task, 1_000);
  const others = taskId();
  await lease(others, 500);
  expect(await status()).toMatchObject({ reserved: 1_500, remaining: 0 });
  const drawn = await Promise.all(Array.from({ length: 300 }, () => draw(task, 10)));
  const granted = drawn.filter(({ answer }) => answer.kind === "granted");
  expect(granted).toHaveLength(100);
  expect(drawn.find(({ answer }) => answer.kind !== "granted")!.answer).toMatchObject({
    kind: "budget_exceeded",
    scope: { kind: "task", id: task },
    limit: 1_000,
    requested: 10,
  });
  expect(await status()).toMatchObject({ reserved: 1_500 });
  const event = (id: string) => JSON.stringify({ v: 1, cost: { id: `cost_${id}` }, charges: [] });
  for (const { id } of granted.slice(0, 50)) {
    const settlement = { id, actual: amount(4), usage: { input: 1, output: 0 }, event: event(id) };
    await ledger.report({ began: [], ended: [{ settlement, floated: null, slot: null }], returned: [] });
  }
  expect((await ledger.leases([task]))[0]).toMatchObject({ spent: 200, reserved: 800, refused: true, ended: false });
  expect((await draw(task, 300)).answer.kind).toBe("granted");
  const [ended] = await ledger.endLeases([task]);
  expect(ended).toMatchObject({ spent: 200, reserved: 800, ended: true });
  expect((await draw(task, 1)).answer).toEqual({ kind: "lease_ended", lease: task });
  for (const { id } of granted.slice(50)) await ledger.release(id);
  expect(await status()).toMatchObject({ spent: 200, reserved: 500 + 300 });
});

test("a lease that nobody ends gives its rest back when its time is up, by the ledger's own alarm", async () => {
  const { draw, lease, status } = await keyWith(1_000);
  const task = taskId();
  await lease(task, 1_000, 50);
  await draw(task, 100);
  const object = env.LEDGER.get(env.LEDGER.idFromName(TEAM));
  expect(await runInDurableObject(object, (_, state) => state.storage.getAlarm())).not.toBeNull();
  await expect.poll(async () => (await draw(task, 1_000)).answer).toEqual({ kind: "lease_ended", lease: task });
  await runDurableObjectAlarm(object);
  expect(await status()).toMatchObject({ reserved: 100 });
});

test("housekeeping gives back the money of a task that never began", async () => {
  const { key, lease, status } = await keyWith(1_000);
  const task = taskId();
  await lease(task, 700);
  await platform.db.insert(tables.tasks).values({ id: task, key, team: TEAM, profile: "default", createdAt: platform.now() - 120_000 });
  await platform.tasks.sweep();
  expect(await status()).toMatchObject({ reserved: 0 });
});

test("A46: what cancels tasks takes one word for whose, which somebody has, ends even those that are only about to begin, and is in the audit", async () => {
  const { key, lease, status } = await keyWith(1_000);
  const task = taskId();
  await platform.db.insert(tables.tasks).values({ id: task, key, team: TEAM, profile: "default", createdAt: platform.now() });
  for (const body of [{}, { key, all: true }]) {
    const answer = await ask("POST", "/admin/v1/tasks/cancel", { as: ADMIN, body });
    expect([answer.status, ((await answer.json()) as { error: { param: string } }).error.param]).toEqual([400, "key"]);
  }
  await admin("POST", "/teams", { id: "team_idle", name: "idle" });
  expect(await admin("POST", "/tasks/cancel", { team: "team_idle" })).toEqual({ cancelled: 0 });
  for (const body of [{ key: "key_nobody000000" }, { team: "team_nobody" }]) {
    const answer = await ask("POST", "/admin/v1/tasks/cancel", { as: ADMIN, body });
    expect([answer.status, ((await answer.json()) as { error: { param: string } }).error.param]).toEqual([404, Object.keys(body)[0]]);
  }
  expect(await admin("POST", "/tasks/cancel", { key })).toEqual({ cancelled: 1 });
  expect((await lease(task, 700)).kind).toBe("lease_ended");
  expect(await status()).toMatchObject({ reserved: 0 });
  await expect
    .poll(async () => (await admin<{ data: { details: object }[] }>("GET", "/audit?type=task.cancel")).data.map(({ details }) => details), {
      timeout: 20_000,
    })
    .toContainEqual({ cancelled: 1, key });
});
