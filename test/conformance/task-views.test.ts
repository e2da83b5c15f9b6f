import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Cutter } from "../support/cutter.ts";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskSocket } from "../support/task-socket.ts";
import { type EventTold, TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
let tasks: TaskClient;
let key = "";

beforeAll(async () => {
  await admin.call("POST", "/profiles", { name: "views", max_concurrent_tasks: 8, disk_mb: 200, memory_mb: 512 });
  ({ secret: key } = await admin.key({ name: "views", profile: "views" }));
  tasks = new TaskClient(origin, key);
});

const sh = (script: string) => ({ engine: "command", argv: ["bash", "-c", script] });

describe.skipIf(UNABLE)("A7: a task's events over a WebSocket", () => {
  let cutter: Cutter;
  beforeAll(async () => {
    cutter = await Cutter.before(origin);
  });
  afterAll(() => cutter.end());

  it("are those of the SSE stream, live and by the same numbers, and the socket closes after the exit", async () => {
    const { id } = await tasks.begin(sh("for i in 1 2 3 4 5; do echo $i; sleep 0.1; done"));
    const socket = await TaskSocket.open(origin, id, { key });
    await socket.until(() => socket.events.some(({ type }) => type === "stdout"));
    expect((await tasks.get(id)).exit_reason).toBeNull();
    await socket.until(() => socket.closed !== null);
    expect(socket.closed).toEqual({ code: 1000, reason: "The task has ended" });
    expect(socket.events).toEqual(await tasks.events(id));
    const late = await TaskSocket.open(origin, id, { key, after: socket.events.length });
    await late.until(() => late.closed !== null);
    expect(late.events).toEqual([]);
  });

  it("cut without a goodbye and resumed at every event: none is lost, none doubled", async () => {
    const { id } = await tasks.begin(sh("for i in $(seq 12); do echo $i; sleep 0.05; done"));
    const heard: EventTold[] = [];
    while (heard.at(-1)?.type !== "exit") {
      const socket = await TaskSocket.open(cutter.origin, id, { key, after: heard.at(-1)?.seq ?? 0 });
      await socket.until(() => socket.events.length > 0);
      heard.push(socket.events[0]!);
      cutter.cut();
    }
    expect(heard).toEqual(await tasks.events(id));
    expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, at) => at + 1));
  });

  it("a browser's credential is its subprotocol, which is not sent back", async () => {
    const { id } = await tasks.begin(sh("true"));
    const socket = await TaskSocket.open(origin, id, { protocols: ["tollgate", `openai-insecure-api-key.${key}`] });
    expect(socket.protocol).toBe("tollgate");
    await socket.until(() => socket.closed !== null);
    expect(socket.events.at(-1)?.type).toBe("exit");
  });

  it("is refused to another key, to nobody, and to a page of another site", async () => {
    const { id } = await tasks.begin(sh("true"));
    const { secret } = await admin.key({ name: "views-other", profile: "default" });
    await expect(TaskSocket.open(origin, id, { key: secret })).rejects.toThrow("before it was open");
    await expect(TaskSocket.open(origin, id, {})).rejects.toThrow("before it was open");
    await expect(TaskSocket.open(origin, id, { key, headers: { origin: "https://evil.test" } })).rejects.toThrow("before it was open");
    await tasks.end(id);
  });

  it("a reader that acknowledges nothing gets a window of events and no more, and the rest once it does", async () => {
    const { id } = await tasks.begin(sh("head -c 3000000 /dev/zero | tr '\\0' x"));
    await tasks.end(id);
    const socket = await TaskSocket.open(origin, id, { key, acknowledges: false });
    const size = () => socket.events.reduce((sum, event) => sum + JSON.stringify(event).length, 0);
    await socket.until(() => size() > 900_000);
    // While it waits another one is told everything.
    const other = await TaskSocket.open(origin, id, { key });
    await other.until(() => other.closed !== null);
    expect(other.events.at(-1)?.type).toBe("exit");
    expect(size()).toBeLessThan(1_300_000);
    expect(socket.closed).toBeNull();
    while (socket.closed === null) {
      const before = socket.events.length;
      socket.send({ type: "ack", seq: socket.events.at(-1)!.seq });
      await socket.until(() => socket.events.length > before || socket.closed !== null);
    }
    expect(socket.events).toEqual(await tasks.events(id));
  });

  it("what is no acknowledgement closes the socket, with the reason", async () => {
    const { id } = await tasks.begin(sh("sleep 20"));
    const socket = await TaskSocket.open(origin, id, { key });
    socket.send({ type: "cancel" });
    await socket.until(() => socket.closed !== null);
    expect(socket.closed).toMatchObject({ code: 1008, reason: expect.stringContaining("ack") });
    await tasks.raw("DELETE", `/v1/task/${id}`);
    await tasks.end(id);
  });
});

describe.skipIf(UNABLE)("A65: what owners thought of tasks", () => {
  it("stands with the task, the last word for good, and in the operator's report with success, time and cost", async () => {
    const { id: other, secret } = await admin.key({ name: "views-report", profile: "default" });
    const own = new TaskClient(origin, secret);
    const ids: string[] = [];
    for (const script of ["true", "sleep 0.3", "exit 1"]) {
      const { id } = await own.begin(sh(script));
      await own.end(id);
      ids.push(id);
    }
    await own.call("POST", `/v1/task/${ids[0]}/feedback`, { score: 1 });
    const told = await own.call<Record<string, unknown>>("POST", `/v1/task/${ids[0]}/feedback`, { score: 5, comment: "quick" });
    expect(told["feedback"]).toMatchObject({ score: 5, comment: "quick" });
    await own.call("POST", `/v1/task/${ids[2]}/feedback`, { score: 2 });
    const { data } = await own.call<{ data: { id: string; feedback: { score: number } | null }[] }>("GET", "/v1/task");
    expect(data.map(({ feedback }) => feedback?.score ?? null)).toEqual([2, null, 5]);
    const report = await admin.call<{ data: Record<string, unknown>[]; comments: object[] }>(
      "GET",
      "/tasks/report?group_by=engine,key,day",
    );
    const mine = report.data.find(({ group }) => (group as { key: string }).key === other);
    expect(mine).toMatchObject({
      group: { engine: "command", key: other, day: new Date().toISOString().slice(0, 10) },
      tasks: 3,
      ended: 3,
      succeeded: 2,
      success_rate: 2 / 3,
      cost_usd: "0",
      feedback: { count: 2, mean: 3.5 },
    });
    expect(report.comments).toContainEqual(expect.objectContaining({ task: ids[0], score: 5, comment: "quick" }));
    const subject = { kind: "task", id: ids[2] };
    expect(await own.audited(admin, "task.feedback", other, ids[2])).toMatchObject({ subject, details: { score: 2 } });
  });

  it.each([
    [{ score: 0 }, "score"],
    [{ score: 6 }, "score"],
    [{ score: 4.5 }, "score"],
    [{ comment: "no score" }, "score"],
    [{ score: 3, comment: 7 }, "comment"],
    [{ score: 3, mood: "good" }, "mood"],
  ])("%j is refused by the name of its field", async (body, field) => {
    const answer = await tasks.raw("POST", "/v1/task/task_000000000000000000000000/feedback", body);
    expect([answer.status, ((await answer.json()) as { error: { param: string } }).error.param]).toEqual([400, field]);
  });

  it("waits for the end, and another key's task looks missing", async () => {
    const { id } = await tasks.begin(sh("sleep 20"));
    expect((await tasks.raw("POST", `/v1/task/${id}/feedback`, { score: 3 })).status).toBe(400);
    const { secret } = await admin.key({ name: "views-stranger", profile: "default" });
    expect((await new TaskClient(origin, secret).raw("POST", `/v1/task/${id}/feedback`, { score: 3 })).status).toBe(404);
    await tasks.raw("DELETE", `/v1/task/${id}`);
    await tasks.end(id);
  });
});
