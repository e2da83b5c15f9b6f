import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it, vi } from "vitest";
import { Admin } from "../support/gateway.ts";
import { NOT_INSTALLED, unable } from "../../scripts/runner.ts";
import { UNABLE } from "../support/runner.ts";
import { type TaskTold, TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
let tasks: TaskClient;
let keyId = "";

beforeAll(async () => {
  const { id, secret } = await admin.key({ name: "tasks", profile: "default" });
  keyId = id;
  tasks = new TaskClient(origin, secret);
});

it("the sandbox is tried wherever the machine lets it, with what it needs installed before a change lands", () => {
  if (UNABLE !== null) console.warn(`Tasks are not tried on this machine: ${UNABLE}`);
  expect(process.env["CI"] ? UNABLE : null).not.toBe(NOT_INSTALLED);
});

it("the health says where tasks are run", async () => {
  const health = (await (await fetch(`${origin}/healthz`)).json()) as { runner: string; engines: string[] };
  expect(health.runner).toBe(unable() === null ? "local" : "none");
  expect(health.engines.includes("command")).toBe(unable() === null);
  // Nobody has installed an agent where these tests run.
  expect(health.engines).not.toContain("codex");
});

describe("a request that asks for what it may not", () => {
  const sh = { engine: "command", argv: ["true"] };
  it.each([
    [{ ...sh, engine: "workflow" }, "engine"],
    [{ ...sh, argv: "true" }, "argv"],
    [{ ...sh, argv: [] }, "argv"],
    [{ engine: "command" }, "argv"],
    [{ ...sh, callback_url: "example.test" }, "callback_url"],
    [{ ...sh, output_schema: {} }, "output_schema"],
    [{ ...sh, prompt: "hi" }, "prompt"],
    [{ ...sh, files: [{ path: "../x", text: "" }] }, "files.0.path"],
    [{ ...sh, files: [{ path: "/etc/x", text: "" }] }, "files.0.path"],
    [{ ...sh, working_directory: "../.." }, "working_directory"],
    [{ ...sh, timeout_s: -1 }, "timeout_s"],
    [{ ...sh, max_cost_usd: "much" }, "max_cost_usd"],
    [{ ...sh, surprise: 1 }, "surprise"],
  ])("%j is refused by the name of its field", async (body, field) => {
    const { status, error } = await tasks.refused(body);
    expect([status, error.code, error.param]).toEqual([400, "invalid_request", field]);
  });

  it("more than the profile's is 403, and every violation is told and audited", async () => {
    const { status, error } = await tasks.refused({ ...sh, timeout_s: 9_999, memory_mb: 99_999 });
    expect([status, error.code, error.details.violations?.map(({ name }) => name)]).toEqual([
      403,
      "permission_denied",
      ["timeout_s", "memory_mb"],
    ]);
    const entry = await tasks.audited(admin, "permission_denied", keyId);
    expect(entry["severity"]).toBe("warning");
  });

  it.skipIf(UNABLE)("an agent that nobody has installed is refused by its name, and validate says so before", async () => {
    const asked = { engine: "codex", prompt: "hi" };
    const { status, error } = await tasks.refused(asked);
    expect([status, error.code, error.param]).toEqual([400, "invalid_request", "engine"]);
    const { violations } = await tasks.call<{ violations: object[] }>("POST", "/v1/task/validate", asked);
    expect(violations).toEqual([expect.objectContaining({ kind: "engine", name: "codex", field: "engine" })]);
  });

  it("validate lists everything at once, and says what would be in force and why", async () => {
    const wrong = await tasks.call<{ valid: boolean; violations: { field: string }[] }>("POST", "/v1/task/validate", {
      engine: "workflow",
      argv: [],
      surprise: 1,
    });
    expect([wrong.valid, wrong.violations.map(({ field }) => field).sort()]).toEqual([false, ["argv", "engine", "surprise"]]);
    const right = await tasks.call<{ valid: boolean; effective: object; explain: object[] }>("POST", "/v1/task/validate", {
      ...sh,
      timeout_s: 7,
      mode: "analysis_only",
    });
    expect(right).toMatchObject({ valid: true, effective: { timeout_s: 7, memory_mb: 256, filesystem: "readonly" } });
    expect(right.explain).toContainEqual({ field: "timeout_s", value: 7, from: "request" });
    expect(right.explain).toContainEqual({ field: "memory_mb", value: 256, from: "profile" });
    expect(right.explain).toContainEqual({ field: "filesystem", value: "readonly", from: "mode" });
  });

  it("A49: a model that no call could reach is told beside all that is wrong, and refused as its calls would be", async () => {
    const models = { allow: ["tollgate/echo", "tasks-keyless/*"], deny: [] };
    const { secret } = await admin.key({ name: "tasks-models", profile: "default", models });
    await admin.call("POST", "/providers", { name: "tasks-keyless", kind: "openai", base_url: "http://127.0.0.1:9/v1" });
    await admin.route("tasks-echo", ["tasks-keyless/m", "tollgate/echo"]);
    await admin.route("tasks-other", ["tollgate/other"]);
    const own = new TaskClient(origin, secret);
    const violationsOf = async (body: object) =>
      (await own.call<{ violations: { kind: string; name: string; field: string }[] }>("POST", "/v1/task/validate", body)).violations;
    const asked = { engine: "native", prompt: "hi" };
    const refusals = [
      ["nobody/knows-this", 404, "model_not_found"],
      ["tasks-keyless/m", 404, "model_not_found"],
      ["tollgate/other", 403, "permission_denied"],
      ["tasks-other", 403, "permission_denied"],
    ] as const;
    for (const [model, status, code] of refusals) {
      expect(await violationsOf({ ...asked, model, timeout_s: 99_999, surprise: 1 })).toMatchObject([
        { field: "surprise" },
        { kind: "limit", field: "timeout_s" },
        { kind: "model", name: model, field: "model" },
      ]);
      const { status: given, error } = await own.refused({ ...asked, model });
      expect([given, error.code, error.param]).toEqual([status, code, "model"]);
    }
    for (const model of ["tollgate/echo", "tasks-echo", "auto"]) expect(await violationsOf({ ...asked, model })).toEqual([]);
  });

  it("a key without a profile may run nothing", async () => {
    const { secret } = await admin.key({ name: "tasks-none" });
    const { status, error } = await new TaskClient(origin, secret).refused(sh);
    expect([status, error.code, error.details.violations?.[0]?.kind]).toEqual([403, "permission_denied", "profile"]);
  });

  it("a denied command is refused, and a profile that keys have stays", async () => {
    const profile = await admin.call<{ id: string }>("POST", "/profiles", { name: "tasks-no-curl", denied_commands: ["curl *"] });
    const { id, secret } = await admin.key({ name: "tasks-no-curl", profile: "tasks-no-curl" });
    const { status, error } = await new TaskClient(origin, secret).refused({ ...sh, argv: ["curl", "https://example.test"] });
    expect([status, error.param]).toEqual([403, "argv"]);
    await expect(admin.call("DELETE", `/profiles/${profile.id}`)).rejects.toThrow("has this profile");
    await admin.call("PATCH", `/keys/${id}`, { profile: null });
    await admin.call("DELETE", `/profiles/${profile.id}`);
  });
});

describe.skipIf(UNABLE)("a task", () => {
  it("A1, A12: runs a command on its files; its events come live and in order, and its files come back", async () => {
    const before = performance.now();
    const made = await tasks.begin({
      engine: "command",
      argv: ["sh", "-c", "cat in/a.txt; echo oops >&2; echo hi > out.txt"],
      files: [{ path: "in/a.txt", text: "größer\n" }],
      metadata: { purpose: "test" },
    });
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(made).toMatchObject({
      object: "task",
      status: "pending",
      exit_reason: null,
      key: keyId,
      metadata: { purpose: "test" },
      result: null,
    });
    const events = await tasks.events(made.id);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["status", "stdout", "stderr"]));
    expect(events.at(-1)).toMatchObject({ type: "exit", data: { reason: "ok", exit_code: 0 } });
    const done = await tasks.get(made.id);
    expect(done).toMatchObject({ status: "completed", exit_reason: "ok", last_seq: events.length, error: null });
    expect(done.result).toMatchObject({ text: "größer\n", exit_code: 0, files: [{ path: "out.txt", bytes: 3, change: "added" }] });
    expect(await (await tasks.raw("GET", `/v1/task/${made.id}/artifacts/out.txt`)).text()).toBe("hi\n");
    expect(await (await tasks.raw("GET", `/v1/tasks/${made.id}/artifacts/in/a.txt`)).text()).toBe("größer\n");
    expect((await tasks.raw("GET", `/v1/task/${made.id}/artifacts/none.txt`)).status).toBe(404);
    const tar = Buffer.from(await (await tasks.raw("GET", `/v1/task/${made.id}/artifacts`)).arrayBuffer());
    expect([tar.length % 512, tar.includes("out.txt")]).toEqual([0, true]);
    expect(await tasks.audited(admin, "task.end", keyId, made.id)).toMatchObject({ outcome: "ok" });
  });

  it("goes on after Last-Event-ID, and tells nothing twice", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.05; done"] });
    const all = await tasks.events(id);
    const rest = await tasks.events(id, all[2]!.seq);
    expect(rest).toEqual(all.slice(3));
    expect(await tasks.events(id, all.at(-1)!.seq)).toEqual([]);
  });

  it("reads what it is given, until there is no more", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["cat"] });
    await tasks.until(id, ({ status }) => status === "running");
    await tasks.call("POST", `/v1/task/${id}/input`, { text: "said\n" });
    await tasks.call("POST", `/v1/task/${id}/input`, { end: true });
    expect((await tasks.end(id)).result?.text).toBe("said\n");
    expect((await tasks.raw("POST", `/v1/task/${id}/input`, { text: "late" })).status).toBe(400);
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    ["a command that fails", { argv: ["sh", "-c", "exit 3"] }, "error", "It ended with exit code 3"],
    ["a command that takes too long", { argv: ["sleep", "30"], timeout_s: 0.5 }, "timeout", "It took longer than it may"],
    [
      "a command that takes too much memory",
      { argv: ["sh", "-c", "head -c 200000000 /dev/zero | tail"], memory_mb: 32 },
      "oom",
      "It needed more memory than it may have",
    ],
  ])("%s ends as what it is, and says so", async (_, asked, reason, message) => {
    const { id } = await tasks.begin({ engine: "command", ...asked });
    const ended = await tasks.end(id);
    expect([ended.status, ended.exit_reason, ended.error]).toEqual(["failed", reason, { code: reason, message }]);
  });

  it("is cancelled, however often", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["sleep", "60"] });
    await tasks.until(id, ({ status }) => status === "running");
    for (let times = 0; times < 2; times++) expect((await tasks.raw("DELETE", `/v1/task/${id}`)).status).toBe(202);
    expect((await tasks.end(id)).exit_reason).toBe("cancelled");
    expect((await tasks.raw("DELETE", `/v1/task/${id}`)).status).toBe(202);
  });

  it("calls models as itself, with no credential inside, and may do nothing else there", async () => {
    const body = JSON.stringify({ model: "tollgate/echo", messages: [{ role: "user", content: "from the sandbox" }] });
    const call = (line: string, sent = "") =>
      `exec 3<>/dev/tcp/127.0.0.1/8787; printf '%s' "$(printf '${line} HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\ncontent-type: application/json\\r\\ncontent-length: ${sent.length}\\r\\n\\r\\nX')" | sed 's/X$//' >&3; printf '%s' '${sent}' >&3; cat <&3`;
    const script = ["env | grep -c sk-tg", call("POST /v1/chat/completions", body), call("GET /v1/key"), call("POST /v1/task", "{}")].join(
      "; ",
    );
    const { id } = await tasks.begin({ engine: "command", argv: ["bash", "-c", script] });
    const { result, exit_reason } = await tasks.end(id);
    expect(exit_reason).toBe("ok");
    expect(result?.text).toMatch(/^0\n/);
    expect(result?.text).toContain("from the sandbox");
    expect(result?.text?.match(/permission_denied/g)?.length).toBe(2);
    await vi.waitFor(async () => {
      const { data } = await admin.call<{ data: { task: string }[] }>("GET", `/costs/records?task=${id}`);
      expect(data.map(({ task }) => task)).toEqual([id]);
    }, 10_000);
  });

  it("A5: comes to what its providers reported of its calls, whatever it says of itself", async () => {
    const script = `
      const body = JSON.stringify({ model: "tollgate/echo", messages: [{ role: "user", content: "how much is this?" }] });
      const headers = { "content-type": "application/json" };
      fetch("http://127.0.0.1:8787/v1/chat/completions", { method: "POST", headers, body })
        .then((answer) => answer.json())
        .then(({ usage }) => console.log(JSON.stringify({ type: "result", total_cost_usd: 99, usage: { input_tokens: 1e9 }, reported: usage })));`;
    const { id } = await tasks.begin({ engine: "command", argv: ["/opt/tollgate/node", "-e", script] });
    const events = await tasks.events(id);
    const { result } = await tasks.get(id);
    const { reported } = JSON.parse(result!.text) as { reported: { prompt_tokens: number; completion_tokens: number } };
    const [called] = events.filter(({ type }) => type === "model_call").map(({ data }) => data);
    expect(called).toMatchObject({ usage: { input: reported.prompt_tokens, output: reported.completion_tokens } });
    const record = await admin.record(String(called!["request"]));
    await vi.waitFor(async () => expect((await tasks.get(id)).cost).toMatchObject({ spent_usd: record.actual_usd, reserved_usd: "0" }));
    expect(Number(record.actual_usd)).toBeLessThan(1);
  });

  it("analysis_only leaves its workspace as it was", async () => {
    const { id } = await tasks.begin({
      engine: "command",
      mode: "analysis_only",
      argv: ["sh", "-c", "cat a.txt; echo x > a.txt"],
      files: [{ path: "a.txt", text: "kept" }],
    });
    const ended = await tasks.end(id);
    expect([ended.result?.text, ended.result?.files, ended.exit_reason]).toEqual(["kept", [], "error"]);
    expect(await (await tasks.raw("GET", `/v1/task/${id}/artifacts/a.txt`)).text()).toBe("kept");
  });

  it("is its key's alone: another's looks missing everywhere", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["true"] });
    await tasks.end(id);
    const { secret } = await admin.key({ name: "tasks-other", profile: "default" });
    const other = new TaskClient(origin, secret);
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/events"],
      ["GET", "/artifacts"],
      ["GET", "/artifacts/x"],
      ["DELETE", ""],
      ["POST", "/input"],
    ] as const)
      expect((await other.raw(method, `/v1/task/${id}${path}`, method === "POST" ? { text: "x" } : undefined)).status).toBe(404);
    expect((await other.call<{ data: unknown[] }>("GET", "/v1/task")).data).toEqual([]);
  });

  it("lists the key's own, newest first, page by page", async () => {
    const { secret } = await admin.key({ name: "tasks-list", profile: "default" });
    const own = new TaskClient(origin, secret);
    const ids: string[] = [];
    for (let count = 0; count < 3; count++) {
      const { id } = await own.begin({ engine: "command", argv: ["true"] });
      await own.end(id);
      ids.unshift(id);
    }
    type Page = { data: TaskTold[]; next_cursor: string | null };
    const first = await own.call<Page>("GET", "/v1/task?limit=2");
    const second = await own.call<Page>("GET", `/v1/tasks?limit=2&cursor=${first.next_cursor}`);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect([first.data[0]?.status, second.next_cursor]).toEqual(["completed", null]);
  });

  it("under an Idempotency-Key begins once", async () => {
    const body = { engine: "command", argv: ["true"] };
    const headers = { "idempotency-key": "tasks-once" };
    const ids = await Promise.all(
      [0, 1].map(async () => ((await (await tasks.raw("POST", "/v1/task", body, headers)).json()) as { id?: string }).id),
    );
    const again = (await (await tasks.raw("POST", "/v1/task", body, headers)).json()) as { id: string };
    expect(new Set([...ids.filter(Boolean), again.id]).size).toBe(1);
    expect((await tasks.raw("POST", "/v1/task", { ...body, argv: ["false"] }, headers)).status).toBe(400);
    await tasks.end(again.id);
  });

  it("at most as many run at once as the profile says, exactly, and a place that is given back can be taken", async () => {
    await admin.call("POST", "/profiles", { name: "tasks-two", max_concurrent_tasks: 2 });
    const { secret } = await admin.key({ name: "tasks-two", profile: "tasks-two" });
    const two = new TaskClient(origin, secret);
    const body = { engine: "command", argv: ["sleep", "20"] };
    const answers = await Promise.all(Array.from({ length: 8 }, () => two.raw("POST", "/v1/task", body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 429, 429, 429, 429, 429, 429]);
    const begun = await Promise.all(
      answers.filter(({ status }) => status === 202).map(async (each) => ((await each.json()) as TaskTold).id),
    );
    await two.raw("DELETE", `/v1/task/${begun[0]}`);
    await two.end(begun[0]!);
    const { id } = await two.begin({ engine: "command", argv: ["true"] });
    await two.end(id);
    await two.raw("DELETE", `/v1/task/${begun[1]}`);
    await two.end(begun[1]!);
  });

  it("kill -9 of the runner: the task ends as runner_lost, and the next one runs", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["sleep", "60"] });
    await tasks.until(id, ({ status }) => status === "running");
    const { pid } = JSON.parse(readFileSync(join(inject("state"), "runner.json"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    const ended = await tasks.end(id);
    expect([ended.status, ended.exit_reason]).toEqual(["failed", "runner_lost"]);
    const next = await tasks.begin({ engine: "command", argv: ["true"] });
    expect((await tasks.end(next.id)).exit_reason).toBe("ok");
  });
});

it.skipIf(UNABLE)("A61: a task counts as pending until it has begun, and as running until it has ended", { timeout: 60_000 }, async () => {
  await admin.call("POST", "/profiles", { name: "tasks-counted", engines: ["command"], approve_tools: ["Bash(sleep *)"] });
  const { secret } = await admin.key({ name: "tasks-counted", profile: "tasks-counted" });
  const mine = new TaskClient(origin, secret);
  const counts = async () => {
    const answer = await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${inject("adminKey")}` } });
    const text = await answer.text();
    return ["pending", "running"].map((state) =>
      Number(new RegExp(`^tollgate_${state}_tasks\\{engine="command"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0),
    );
  };
  const { id } = await mine.begin({ engine: "command", argv: ["sleep", "60"] });
  const { approvals } = (await mine.until(id, ({ status }) => status === "waiting_approval")) as TaskTold & { approvals: { id: string }[] };
  // The figures are ten seconds old at most.
  await expect.poll(async () => (await counts())[0], { timeout: 15_000, interval: 500 }).toBeGreaterThanOrEqual(1);
  await mine.call("POST", `/v1/task/${id}/approve`, { id: approvals[0]!.id, decision: "approve" });
  await mine.until(id, ({ status }) => status === "running");
  await expect.poll(async () => (await counts())[1], { timeout: 15_000, interval: 500 }).toBeGreaterThanOrEqual(1);
  await mine.call("DELETE", `/v1/task/${id}`);
  await mine.end(id);
});
