import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { JobSpec } from "#runner-protocol";
import { platformOf } from "../../src/compose.ts";
import type { TaskState } from "../../src/tasks/contract.ts";
import { TaskLog } from "../../src/tasks/log.ts";
import { newTask } from "../../src/tasks/new-task.ts";
import { permit } from "../../src/tasks/permit.ts";
import { ProfileStore } from "../../src/tasks/profiles.ts";
import { readTask } from "../../src/tasks/request.ts";
import { newKey } from "../support/front.ts";

const platform = platformOf(env as Env);

test("a task that asks without end keeps few questions open, and can be read; what was asked before is the same question", async () => {
  const { secret } = await newKey({ profile: "default" });
  const caller = await platform.keys.authenticate(secret);
  const profile = (await new ProfileStore(platform.db, platform.now).named("default"))!;
  const request = readTask({ engine: "command", argv: ["true"] });
  const task = newTask(caller, { profile, request, effective: permit(profile, request).effective, now: platform.now() });
  const object = env.TASKS.getByName(task.id);
  await runInDurableObject(object, (_, { storage }) => new TaskLog(storage).begin(task, {} as JobSpec));
  const question = (at: number) => ({ id: `apr_${at}`, tool: "Bash", input: { command: "x".repeat(65_000) } });
  const asked: unknown[] = [];
  for (let at = 0; at < 100; at++) asked.push(await object.ask(question(at), 0));
  expect(asked.slice(32)).toEqual(Array(68).fill("full"));
  expect(await object.ask(question(0), 0)).toMatchObject({ id: "apr_0", word: null });
  expect(((await (object.view() as Promise<unknown>)) as TaskState).approvals).toHaveLength(32);
  await object.decide("apr_0", { decision: "approve", reason: null, at: 1 });
  expect(await object.ask(question(99), 0)).toMatchObject({ id: "apr_99", word: null });
});
