import { describe, expect, inject, it, vi } from "vitest";
import { UNABLE } from "../support/runner.ts";
import { TaskClient, type TaskTold } from "../support/tasks.ts";
import { stage } from "./stage.ts";

const set = stage("taskmoney");

/** A call of a model, as bash makes it from inside: the answer's head and body. */
const CALL = `call() {
  exec 3<>/dev/tcp/127.0.0.1/8787
  printf 'POST %s HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\ncontent-type: application/json\\r\\ncontent-length: %s\\r\\n\\r\\n%s' "$1" "\${#2}" "$2" >&3
  cat <&3
  exec 3>&-
}
`;
const chat = () =>
  `call /v1/chat/completions '${JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, max_tokens: 10, messages: [{ role: "user", content: "hi" }] })}'`;
const message = () =>
  `call /v1/messages '${JSON.stringify({ model: `${set.anthropic}/claude-sonnet-5`, max_tokens: 10, messages: [{ role: "user", content: "hi" }] })}'`;
const bash = (script: string, more: Record<string, unknown> = {}) => ({ engine: "command", argv: ["bash", "-c", CALL + script], ...more });
/** Calls until one is refused, and fails then as an agent does. */
const untilRefused = (call: string) =>
  `while true; do a=$(${call}); case "$a" in *"HTTP/1.1 200"*) echo paid;; *) echo "$a"; exit 1;; esac; done`;

interface Money {
  readonly cost: { readonly cap_usd: string; readonly spent_usd: string; readonly reserved_usd: string };
}
interface Summary {
  readonly data: readonly { readonly group: { readonly task: string }; readonly usd: string }[];
}
interface Status {
  readonly spent: string;
  readonly reserved: string;
}

/** A key with a profile of its own, so much in all its budget, and a client of its tasks. */
async function payer(name: string, { limitUsd = "1", ...profile }: Record<string, unknown> = {}) {
  await set.admin.call("POST", "/profiles", { name, max_concurrent_tasks: 40, timeout_s: 60, ...profile });
  const { id, secret } = await set.admin.key({ name, profile: name, budgets: [{ window: "total", limit_usd: limitUsd }] });
  const budget = async (): Promise<Status> => {
    const answer = await fetch(`${set.origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
    return ((await answer.json()) as { budgets: { status: Status }[] }).budgets[0]!.status;
  };
  return { id, secret, budget, tasks: new TaskClient(set.origin, secret) };
}

/** Whose task a test is about. */
let client: TaskClient;
const operator = (method: string, path: string, body?: unknown) =>
  fetch(`${set.origin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${inject("adminKey")}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const costOf = (task: TaskTold) => (task as TaskTold & Money).cost;
const nano = (usd: string) => Math.round(Number(usd) * 1e9);

describe.skipIf(UNABLE)("a task's money", () => {
  it.each([
    ["chat", chat],
    ["messages", message],
  ])("A21: %s is stopped at its cap by one 402, never beyond it, and what it cost is the sum of its records", async (name, call) => {
    const { tasks, budget } = await payer(`money-${name}`);
    const { id } = await tasks.begin(bash(untilRefused(call()), { max_cost_usd: "0.0004" }));
    const ended = await tasks.end(id);
    expect([ended.status, ended.exit_reason]).toEqual(["failed", "budget"]);
    const said = ended.result!.text;
    expect(said.match(/^paid$/gm)!.length).toBeGreaterThan(1);
    expect(said.match(/HTTP\/1\.1 402/g)).toHaveLength(1);
    expect(said).toMatch(/x-should-retry: false/i);
    const { error } = JSON.parse(/\{.*"error".*\}/.exec(said)![0]) as { error: Record<string, unknown> };
    expect(error).toMatchObject({
      code: "budget_exceeded",
      type: "billing_error",
      details: { scope: { kind: "task", id }, limit: "0.0004" },
    });
    expect(error["message"]).toContain(`The task ${id} may spend 0.0004 USD in all`);
    const { spent, requested } = error["details"] as { spent: string; requested: string };
    expect(nano(spent)).toBeLessThanOrEqual(400_000);
    expect(nano(spent) + nano(requested)).toBeGreaterThan(400_000);
    expect(costOf(ended)).toEqual({ cap_usd: "0.0004", spent_usd: spent, reserved_usd: "0" });
    expect(await budget()).toMatchObject({ spent, reserved: "0" });
    await vi.waitFor(async () => {
      const { data } = await set.admin.call<Summary>("GET", `/costs/summary?group_by=task&task=${id}`);
      expect(data.map(({ group, usd }) => [group.task, usd])).toEqual([[id, spent]]);
      const records = await set.admin.call<{ data: { actual_usd: string; task: string }[] }>("GET", `/costs/records?task=${id}`);
      expect(records.data.reduce((sum, { actual_usd }) => sum + nano(actual_usd), 0)).toBe(nano(spent));
      expect(records.data).toHaveLength(said.match(/^paid$/gm)!.length);
    }, 10_000);
    const { data } = await set.admin.call<{ data: { http_status: number; outcome: string }[] }>("GET", `/requests?task=${id}`);
    expect(data.filter(({ outcome }) => outcome !== "ok").map(({ http_status }) => http_status)).toEqual([402]);
  });

  it("A3: of 20 at once against room for 8 exactly 8 begin, and all of it is free again once they have ended", async () => {
    const { tasks, budget } = await payer("money-eight", { limitUsd: "0.449", max_cost_usd: "0.05" });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tasks.raw("POST", "/v1/task", { engine: "command", argv: ["sleep", "5"] })),
    );
    const begun = answers.filter(({ status }) => status === 202);
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(8).fill(202), ...Array(12).fill(402)]);
    const refused = answers.find(({ status }) => status === 402)!;
    expect(refused.headers.get("x-should-retry")).toBe("false");
    expect((await refused.json()) as object).toMatchObject({
      error: { code: "budget_exceeded", details: { scope: { kind: "key" }, requested: "0.05" } },
    });
    expect(await budget()).toMatchObject({ spent: "0", reserved: "0.4" });
    const ids = await Promise.all(begun.map(async (each) => ((await each.json()) as TaskTold).id));
    const { data } = await tasks.call<{ data: (TaskTold & Money)[] }>("GET", "/v1/task");
    expect(data).toHaveLength(8);
    for (const { cost } of data) expect(cost).toEqual({ cap_usd: "0.05", spent_usd: "0", reserved_usd: "0.05" });
    await Promise.all(ids.map((id) => tasks.raw("DELETE", `/v1/task/${id}`)));
    expect(await budget()).toMatchObject({ spent: "0", reserved: "0" });
    for (const id of ids) expect((await tasks.end(id)).exit_reason).toBe("cancelled");
  });

  it("a key that is disabled meanwhile calls nothing more, and its task fails", async () => {
    const { tasks, id: key, budget } = await payer("money-disabled");
    const { id } = await tasks.begin(bash(untilRefused(`sleep 0.1; ${chat()}`), { max_cost_usd: "0.5" }));
    await tasks.until(id, (task) => costOf(task).spent_usd !== "0");
    await set.admin.call("POST", `/keys/${key}/disable`);
    await vi.waitFor(async () => {
      const { exit_reason } = await set.admin.call<{ exit_reason: string | null }>("GET", `/tasks/${id}`);
      expect(exit_reason).toBe("error");
    }, 15_000);
    await set.admin.call("POST", `/keys/${key}/enable`);
    const ended = await tasks.get(id);
    expect(ended.result!.text).toMatch(/HTTP\/1\.1 401/);
    expect(await budget()).toEqual(expect.objectContaining({ spent: costOf(ended).spent_usd, reserved: "0" }));
  });

  it.each<[string, (task: string, key: string) => Promise<Response>]>([
    ["its key", (task) => client.raw("DELETE", `/v1/task/${task}`)],
    ["an operator", (task) => operator("DELETE", `/tasks/${task}`)],
    ["an operator, with all of its key's", (_, key) => operator("POST", "/tasks/cancel", { key })],
  ])("A46: %s ends it, and none of its calls is admitted once that is answered", async (by, cancel) => {
    const { tasks, id: key, budget } = await payer(`money-${by.replaceAll(/[^a-z]/g, "")}`);
    client = tasks;
    const { id } = await tasks.begin(bash(`while true; do ${chat()} | head -1; done`, { max_cost_usd: "0.5" }));
    await tasks.until(id, (task) => costOf(task).spent_usd !== "0");
    expect([200, 202]).toContain((await cancel(id, key)).status);
    const calls = set.upstream.seen.length;
    const ended = await tasks.end(id);
    // One that was admitted before may still arrive.
    expect(set.upstream.seen.length - calls).toBeLessThanOrEqual(1);
    expect(ended.exit_reason).toBe("cancelled");
    await vi.waitFor(async () => expect(costOf(await tasks.get(id))).toMatchObject({ reserved_usd: "0" }));
    expect(await budget()).toMatchObject({ spent: costOf(await tasks.get(id)).spent_usd, reserved: "0" });
  });

  it("A46: one that waits for a person's word holds its money, and is ended like any other", async () => {
    const { tasks, budget } = await payer("money-waiting", { approve_tools: ["Bash(sleep *)"] });
    const { id } = await tasks.begin({ engine: "command", argv: ["sleep", "60"], max_cost_usd: "0.5" });
    await tasks.until(id, ({ status }) => status === "waiting_approval");
    const waiting = await set.admin.call<{ data: TaskTold[] }>("GET", "/tasks?status=waiting_approval");
    expect(waiting.data.map((task) => task.id)).toContain(id);
    expect((await budget()).reserved).toBe("0.5");
    expect((await operator("DELETE", `/tasks/${id}`)).status).toBe(200);
    expect((await budget()).reserved).toBe("0");
    expect((await tasks.end(id)).exit_reason).toBe("cancelled");
  });
});
