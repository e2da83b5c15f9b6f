import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, expect, test, vi } from "vitest";
import type { JobSpec } from "#runner-protocol";
import { platformOf } from "../../src/compose.ts";
import { mintTaskIdentity } from "../../src/keys/task-identity.ts";
import type { Task } from "../../src/tasks/contract.ts";
import { incidentEntry } from "../../src/tasks/incidents.ts";
import { CALLED, TaskLog } from "../../src/tasks/log.ts";
import { newTask } from "../../src/tasks/new-task.ts";
import { Outbox } from "../../src/tasks/outbox.ts";
import { permit } from "../../src/tasks/permit.ts";
import { DEFAULT_PROFILE } from "../../src/tasks/profiles.ts";
import { readTask } from "../../src/tasks/request.ts";
import type { TaskObject } from "../../src/tasks/task.do.ts";
import { admin, ask, newKey } from "../support/front.ts";

const platform = platformOf(env as Env);
const PEPPER = "pepper-for-worker-tests-0123456789abcdef";
let task: Task;
let object: DurableObjectStub<TaskObject>;

beforeEach(async () => {
  const { secret } = await newKey({ profile: "default" });
  const caller = await platform.keys.authenticate(secret);
  const request = readTask({ engine: "command", argv: ["true"] });
  task = newTask(caller, {
    profile: DEFAULT_PROFILE,
    request,
    effective: permit(DEFAULT_PROFILE, request).effective,
    now: platform.now(),
  });
  object = env.TASKS.getByName(task.id) as DurableObjectStub<TaskObject>;
  await runInDurableObject(object, (_, { storage }) => new TaskLog(storage).begin(task, {} as JobSpec));
});

const identity = (ms: number) => mintTaskIdentity(PEPPER, { task: task.id, key: task.key }, Date.now() + ms);
const events = () => runInDurableObject(object, (_, { storage }) => [...new TaskLog(storage).from(0)]);

async function audited(count: number): Promise<Record<string, unknown>[]> {
  return vi.waitFor(
    async () => {
      const { data } = await admin<{ data: Record<string, unknown>[] }>("GET", `/audit?type=security_event&task=${task.id}`);
      expect(data).toHaveLength(count);
      return data;
    },
    { timeout: 15_000, interval: 100 },
  );
}

test("A38, A56: a task's credential that opens nothing any more is a security event of the task's, once for each reason", async () => {
  const asked = { model: "tollgate/echo", messages: [{ role: "user", content: "hi" }] };
  for (let nth = 0; nth < 3; nth++)
    expect((await ask("POST", "/v1/chat/completions", { as: await identity(-1_000), body: asked })).status).toBe(401);
  await admin("DELETE", `/keys/${task.key}`);
  await vi.waitFor(async () => expect((await ask("GET", "/v1/models", { as: await identity(60_000) })).status).toBe(401));
  const entries = await audited(2);
  expect(entries.map(({ severity, outcome, key }) => [severity, outcome, key])).toEqual([1, 2].map(() => ["warning", "denied", task.key]));
  expect(entries.map(({ details }) => details)).toEqual(
    expect.arrayContaining([
      { event: "credential_refused", reason: "the task's time is over" },
      { event: "credential_refused", reason: "the task's key is unknown, disabled or expired" },
    ]),
  );
  expect((await events()).map(({ type }) => type)).toEqual(["security", "security"]);
});

test("A38: a credential that was never minted here is no event of the task that it names", async () => {
  const forged = (await identity(60_000)).replace(/.{8}$/, "AAAAAAAA");
  expect((await ask("GET", "/v1/models", { as: forged })).status).toBe(401);
  expect(await events()).toEqual([]);
});

test("A16, A56: of calls that come past the wire so many are taken down; what is asked beyond that is denied, and told of once", async () => {
  const note = (nth: number) => ({ origin: `hook:${nth}`, at: 1, type: "tool_call" as const, data: { id: `t${nth}`, name: "Read" } });
  const taken = await runInDurableObject(object, (instance: TaskObject) => {
    const call = (nth: number) => instance.noteUnseen({ id: `t${nth}`, name: "Read" }, note(nth));
    return Array.from({ length: 1_002 }, (_, nth) => call(nth));
  });
  expect([taken.indexOf("full"), taken.slice(1_000)]).toEqual([1_000, ["full", "full"]]);
  const hook = async (id: string) => {
    const body = { hook_event_name: "PreToolUse", tool_name: "Read", tool_input: { file_path: "a" }, tool_use_id: id };
    const answer = await ask("POST", "/v1/task/hook", { as: await identity(60_000), body });
    return ((await answer.json()) as { hookSpecificOutput: { permissionDecision: string } }).hookSpecificOutput.permissionDecision;
  };
  // One that was taken down before needs no room.
  expect([await hook("new1"), await hook("new2"), await hook("t7")]).toEqual(["deny", "deny", "allow"]);
  expect((await audited(1))[0]!["details"]).toEqual({ event: "question_refused", reason: "uncounted" });
  const all = await events();
  expect([all.length, all.at(-1)?.data]).toEqual([1_001, { event: "question_refused", reason: "uncounted" }]);
});

test("a call is found by an index, whatever else its task has said", async () => {
  const plan = await runInDurableObject(object, (_, { storage }) => [
    ...storage.sql.exec<{ detail: string }>(`explain query plan ${CALLED}`, "t1", "Read"),
  ]);
  expect(plan.map(({ detail }) => detail).join()).toMatch(/SEARCH events USING (?:COVERING )?INDEX calls/);
});

test("A38: what the audit could not be told at once is told later, once and under the same id", async () => {
  const entries = ["a.example", "b.example"].map((host) =>
    incidentEntry(task, { event: "egress_denied", host, port: 443, reason: "not_allowed" }, 1),
  );
  const sent = await runInDurableObject(object, async (_, { storage }) => {
    const heard: string[] = [];
    let broken = true;
    const send = async ({ id }: { id: string }) => {
      if (broken && heard.length === 1) throw new Error("the queue is away");
      heard.push(id);
    };
    const queue = { send } as unknown as Queue;
    const outbox = new Outbox(storage, queue);
    outbox.add(...entries);
    await expect(outbox.send()).rejects.toThrow("the queue is away");
    broken = false;
    // As the object finds it when it is begun anew.
    await new Outbox(storage, queue).send();
    await outbox.send();
    return heard;
  });
  expect(sent).toEqual(entries.map(({ id }) => id));
});
