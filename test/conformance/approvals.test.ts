import { createHash } from "node:crypto";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { Scripted } from "../agents/scripted.ts";
import { Admin } from "../support/gateway.ts";
import { approvals, asking, call, decided, waiting, type Waiting } from "../support/asking.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient, type TaskTold } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const PROFILE = {
  tools: ["Read", "Write", "Bash", "Agent"],
  agents: ["reviewer"],
  denied_commands: ["curl *"],
  approve_tools: ["Bash(git push *)"],
};
let tasks: TaskClient;

beforeAll(async () => {
  await admin.call("POST", "/profiles", { name: "approvals", ...PROFILE });
  const { secret } = await admin.key({ name: "approvals", profile: "approvals" });
  tasks = new TaskClient(origin, secret);
});

const audited = async (id: string, type: string, count: number) => {
  type Entry = { outcome: string; severity: string; details: Record<string, unknown> };
  let found: Entry[] = [];
  await expect
    .poll(async () => (found = (await admin.call<{ data: Entry[] }>("GET", `/audit?task=${id}&type=${type}`)).data).length, {
      timeout: 10_000,
    })
    .toBe(count);
  return found;
};

describe("the hook", () => {
  it("is a task's alone: a key may not ask it, nor with a wrong body be told more than which field", async () => {
    const { status } = await tasks.raw("POST", "/v1/task/hook", call("Read", {}));
    expect(status).toBe(403);
  });

  it.skipIf(UNABLE)("A15, A16, A36, A50: says what may be and why not; a denied command is audited, and an alert tells of it", async () => {
    const { id } = await asking(tasks, [
      call("Read", { file_path: "/workspace/a" }, "t1"),
      call("WebFetch", { url: "https://example.test" }, "t2"),
      call("Bash", { command: "ls; curl -s x" }, "t3"),
      call("Agent", { subagent_type: "reviewer" }, "t4"),
      call("Task", { subagent_type: "stranger" }, "t5"),
    ]);
    const ended = await tasks.end(id);
    expect(decided(ended).map(({ permissionDecision }) => permissionDecision)).toEqual(["allow", "deny", "deny", "allow", "deny"]);
    expect(decided(ended)[2]?.permissionDecisionReason).toContain("curl *");
    expect(decided(ended)[4]?.permissionDecisionReason).toContain("stranger");
    const calls = (await tasks.events(id)).filter(({ type }) => type === "tool_call").map(({ data }) => [data["tool"], data["verdict"]]);
    expect(calls).toEqual([
      ["Read", "allowed"],
      ["WebFetch", "denied"],
      ["Bash", "denied"],
      ["Agent", "allowed"],
      ["Agent", "denied"],
    ]);
    expect((await audited(id, "bash_command", 1))[0]).toMatchObject({ outcome: "denied", details: { command: "ls; curl -s x" } });
    const denials = await audited(id, "permission_denied", 3);
    expect(denials.map(({ severity }) => severity).sort()).toEqual(["critical", "warning", "warning"]);
    expect(await audited(id, "tool_call", 5)).toHaveLength(5);
    expect(await audited(id, "agent_call", 2)).toHaveLength(2);
    expect(await audited(id, "file_access", 1)).toHaveLength(1);
    await expect
      .poll(
        async () =>
          (
            await admin.call<{ data: { type: string; subject: { id: string } }[] }>("GET", "/alerts?type=permission.denied&limit=100")
          ).data.map(({ subject }) => subject.id),
        { timeout: 10_000 },
      )
      .toContain(id);
  });

  it.skipIf(UNABLE)("says nothing of events that it does not know, and names what is wrong", async () => {
    const { id } = await asking(tasks, [{ hook_event_name: "Stop" }, { hook_event_name: "PreToolUse" }, { tool_name: "Read" }]);
    const { result } = await tasks.end(id);
    const [unknown, unnamed, eventless] = (result?.text ?? "")
      .split("\n")
      .map((line) => (line === "" ? null : (JSON.parse(line) as Record<string, { param?: string }>)));
    expect(unknown).toEqual({});
    expect([unnamed?.["error"]?.param, eventless?.["error"]?.param]).toEqual(["tool_name", "hook_event_name"]);
  });

  it.skipIf(UNABLE)("C43: an analysis may read, and is told that it may not change", async () => {
    const asked = [call("Read", { file_path: "a" }, "t1"), call("Write", { file_path: "a" }, "t2"), call("Bash", { command: "ls" }, "t3")];
    const { id } = await asking(tasks, asked, { mode: "analysis_only" });
    expect(decided(await tasks.end(id)).map(({ permissionDecision }) => permissionDecision)).toEqual(["allow", "deny", "allow"]);
  });
});

describe.skipIf(UNABLE)("what waits for a person's word", () => {
  it("waits until it is approved or denied; the word is told to the agent, in the events and in the audit", async () => {
    const { id } = await asking(tasks, [
      call("Bash", { command: "git push origin" }, "t1"),
      call("Bash", { command: "git push origin" }, "t1"),
      call("Bash", { command: "ls && git push --force" }, "t1"),
      call("Bash", { command: "git status" }, "t2"),
    ]);
    const first = await waiting(tasks, id);
    expect(first.approvals).toMatchObject([{ tool: "Bash", input: { command: "git push origin" } }]);
    const say = (approval: string, decision: string, reason?: string) =>
      tasks.raw("POST", `/v1/task/${id}/approve`, { id: approval, decision, ...(reason === undefined ? {} : { reason }) });
    const approval = first.approvals[0]!.id;
    expect((await say("apr_0", "approve")).status).toBe(404);
    expect((await say(approval, "perhaps")).status).toBe(400);
    expect(await (await say(approval, "approve")).json()).toMatchObject({ id: approval, decision: "approve", reason: null });
    expect([(await say(approval, "approve")).status, (await say(approval, "deny")).status]).toEqual([200, 400]);
    // The same call is not asked about twice; another under the same id is.
    const second = await tasks.until(id, (task) => (task as Waiting).approvals.some((each) => each.id !== approval));
    expect((await say((second as Waiting).approvals[0]!.id, "deny", "not on a Friday")).status).toBe(200);
    const ended = await tasks.end(id);
    expect(decided(ended).map(({ permissionDecision, permissionDecisionReason: why }) => [permissionDecision, why])).toEqual([
      ["allow", "approved"],
      ["allow", "approved"],
      ["deny", "denied by the task's owner: not on a Friday"],
      ["allow", "the task's permissions allow it"],
    ]);
    const told = approvals(await tasks.events(id));
    expect(told.map(({ decision = "asked" }) => decision)).toEqual(["asked", "approve", "asked", "deny"]);
    expect((await audited(id, "task.approve", 3)).map(({ details }) => details["decision"]).sort()).toEqual(["approve", "approve", "deny"]);
    expect((await say(approval, "approve")).status).toBe(400);
  });

  it("another's key cannot say it", async () => {
    const { id } = await asking(tasks, [call("Bash", { command: "git push" })]);
    const { approvals: open } = await waiting(tasks, id);
    const { secret: other } = await admin.key({ name: "approvals-other", profile: "approvals" });
    const said = await new TaskClient(origin, other).raw("POST", `/v1/task/${id}/approve`, { id: open[0]!.id, decision: "approve" });
    expect(said.status).toBe(404);
    await tasks.raw("DELETE", `/v1/task/${id}`);
    expect(await tasks.end(id)).toMatchObject({ exit_reason: "cancelled", approvals: [] });
  });

  it("a command that is to wait is not begun before the word; denied, it never is", async () => {
    const begin = () => tasks.begin({ engine: "command", argv: ["sh", "-c", "echo ran; git push"], timeout_s: 20 });
    const [yes, no, gone] = [await begin(), await begin(), await begin()];
    for (const { id } of [yes, no, gone]) expect((await waiting(tasks, id)).last_seq).toBe(1);
    const say = async ({ id }: TaskTold, decision: string) =>
      tasks.call("POST", `/v1/task/${id}/approve`, { id: (await waiting(tasks, id)).approvals[0]!.id, decision, reason: "because" });
    await Promise.all([say(yes, "approve"), say(no, "deny"), tasks.raw("DELETE", `/v1/task/${gone.id}`)]);
    expect((await tasks.end(yes.id)).result?.text).toBe("ran\n");
    expect(await tasks.end(no.id)).toMatchObject({
      status: "failed",
      exit_reason: "policy",
      error: { message: "denied by the task's owner: because" },
      result: { text: "" },
    });
    expect(await tasks.end(gone.id)).toMatchObject({ status: "cancelled", exit_reason: "cancelled" });
  });

  it("a command that nobody speaks for ends in time", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["git", "push"], timeout_s: 1 });
    expect(await tasks.end(id)).toMatchObject({ status: "failed", exit_reason: "timeout" });
  });
});

describe.skipIf(UNABLE)("modes leave the workspace as it was", () => {
  const files = [{ path: "a.txt", text: "kept" }];
  /** The digest of all that a tar says but when it was packed, and whose: each task's files have an owner of their own. */
  const digest = async (id: string, client = tasks) => {
    const tar = Buffer.from(await (await client.raw("GET", `/v1/task/${id}/artifacts`)).arrayBuffer());
    for (let at = 0; at < tar.length && tar[at] !== 0;) {
      const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8);
      for (const [from, to] of [[108, 124], [136, 156], [265, 329]] as const) tar.fill(0, at + from, at + to); // prettier-ignore
      at += 512 + Math.ceil(size / 512) * 512;
    }
    return createHash("sha256").update(tar).digest("hex");
  };

  it("analysis_only: what tries to write fails, and the artifacts are bit-identical to those of a command that does nothing", async () => {
    const plain = await tasks.begin({ engine: "command", argv: ["true"], files });
    const tried = await tasks.begin({
      engine: "command",
      argv: ["sh", "-c", "echo x > a.txt; rm a.txt; touch b; mkdir c; chmod 777 a.txt; ln -s a.txt d; cat a.txt"],
      files,
      mode: "analysis_only",
    });
    await tasks.end(plain.id);
    expect((await tasks.end(tried.id)).result).toMatchObject({ text: "kept", files: [] });
    expect(await digest(tried.id)).toBe(await digest(plain.id));
  });

  it("dry_run: a command is not executed; it ends well and says what would have run", async () => {
    const { id } = await tasks.begin({ engine: "command", argv: ["sh", "-c", "echo 'x' > a.txt"], files, mode: "dry_run" });
    const ended = await tasks.end(id);
    expect(ended).toMatchObject({
      status: "completed",
      exit_reason: "ok",
      mode: "dry_run",
      error: null,
      result: { exit_code: null, files: [] },
    });
    expect(ended.result?.text).toBe("dry run: not executed: sh -c 'echo '\\''x'\\'' > a.txt' in ., with 1 file\n");
    expect((await tasks.events(id)).map(({ type }) => type)).toEqual(["stdout", "exit"]);
  });

  it("dry_run of the native agent: what changes is told so, and the workspace is bit-identical", async () => {
    const model = await Scripted.start([
      () => ({ name: "Read", input: { file_path: "a.txt" } }),
      () => ({ name: "Write", input: { file_path: "a.txt", content: "other" } }),
      () => ({ name: "Bash", input: { command: "rm a.txt" } }),
      "Nothing was done.",
    ]);
    try {
      await admin.upstream("approvals-dry", "anthropic", model.origin, ["scripted"]);
      await admin.call("POST", "/profiles", {
        name: "approvals-dry",
        engines: ["native", "command"],
        tools: ["Read", "Write", "Bash"],
        memory_mb: 512,
      });
      const { secret } = await admin.key({ name: "approvals-dry", profile: "approvals-dry" });
      const own = new TaskClient(origin, secret);
      const agent = await own.begin({ engine: "native", prompt: "Change it.", model: "approvals-dry/scripted", files, mode: "dry_run" });
      expect(await own.end(agent.id)).toMatchObject({ status: "completed", result: { text: "Nothing was done.", files: [] } });
      const [read, ...others] = model.heard.at(-1)!.results;
      expect(read).toContain("kept");
      expect(others.map((each) => each.includes("dry run: not executed"))).toEqual([true, true]);
      const calls = (await own.events(agent.id))
        .filter(({ type }) => type === "tool_call")
        .map(({ data }) => [data["name"], data["verdict"]]);
      expect(calls).toEqual([
        ["Read", "allowed"],
        ["Write", "dry_run"],
        ["Bash", "dry_run"],
      ]);
      const plain = await own.begin({ engine: "command", argv: ["true"], files });
      await own.end(plain.id);
      expect(await digest(agent.id, own)).toBe(await digest(plain.id, own));
      type Entry = { type: string; details: { tool: string } };
      await expect
        .poll(
          async () =>
            (await admin.call<{ data: Entry[] }>("GET", `/audit?task=${agent.id}&type=tool_call&order=asc`)).data.map(
              ({ details }) => details.tool,
            ),
          { timeout: 10_000 },
        )
        .toEqual(["Read", "Write", "Bash"]);
    } finally {
      await model.stop();
    }
  });
});
