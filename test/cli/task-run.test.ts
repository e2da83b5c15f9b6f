import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { emptyFolder, rows, start, tollgate } from "./run.ts";

const admin = new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
let env: Record<string, string> = {};
beforeAll(async () => {
  env = { TOLLGATE_KEY: (await admin.key({ name: "cli-tasks", profile: "default" })).secret };
});

it("without a key of its own it says what to set, and sends nothing", async () => {
  const { code, err } = await tollgate(["tasks", "list", "--mine"]);
  expect([code, err]).toEqual([2, expect.stringContaining("set TOLLGATE_KEY")]);
});

it("a field that the gateway refuses is traced to its option", async () => {
  const { code, err } = await tollgate(["tasks", "run", "--callback", "nowhere", "--", "true"], { env });
  expect([code, err]).toEqual([1, expect.stringContaining("--callback")]);
});

it("A47: a host that the profile does not allow is traced to its option", async () => {
  const { code, err } = await tollgate(["tasks", "run", "--host", "example.com", "--", "true"], { env });
  expect([code, err]).toEqual([1, expect.stringContaining("--host")]);
});

it.each([
  [[], "a command after --"],
  [["--engine", "native", "Say hello."], "--prompt"],
])("tasks run %j says where what is to be done stands, and sends nothing", async (words, hint) => {
  const { code, err } = await tollgate(["tasks", "run", ...words], { env });
  expect([code, err]).toEqual([2, expect.stringContaining(hint)]);
});

it("an option of what is to be run, without --, is told where it belongs", async () => {
  const { code, err } = await tollgate(["tasks", "run", "ls", "-a"], { env });
  expect([code, err]).toEqual([2, expect.stringContaining("stand behind --")]);
});

it("what a profile has against a request is told once, in words, and traced to its option", async () => {
  const asked = ["--approve-tool", "Read", "--allow-tool", "Rocket"];
  const { code, err } = await tollgate(["tasks", "run", ...asked, "--", "true"], { env });
  expect([code, err]).toEqual([1, expect.stringMatching(/^ +option +--allow-tool$/m)]);
  for (const told of ["Rocket is not in", "a command waits as Bash"]) expect([told, err.split(told).length]).toEqual([told, 2]);
  expect(err).not.toMatch(/[{}[\]]/);
});

it("a form of an answer is read from a file, and what is none is told before anything is sent", async () => {
  const schema = join(emptyFolder(), "schema.json");
  const asked = ["tasks", "run", "--engine", "native", "--model", "tollgate/echo", "--prompt", "Hi", "--output-schema", schema];
  expect(await tollgate(asked, { env })).toMatchObject({ code: 1, err: expect.stringContaining("cannot be read") as string });
  writeFileSync(schema, "{");
  expect(await tollgate(asked, { env })).toMatchObject({ code: 1, err: expect.stringContaining("holds no JSON") as string });
  writeFileSync(schema, '{"type":"nothing"}');
  expect(await tollgate(asked, { env })).toMatchObject({ code: 1, err: expect.stringMatching(/option +--output-schema/) as string });
});

describe.skipIf(UNABLE)("tollgate tasks", () => {
  it("run writes what the task writes, each to its own stream, and ends with its exit code", async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "names.txt"), "Grace\nAda\n");
    const file = `${join(folder, "names.txt")}=in/names.txt`;
    const ran = await tollgate(["tasks", "run", "--file", file, "--", "sh", "-c", "sort in/names.txt; echo oops >&2; exit 7"], { env });
    expect([ran.code, ran.out]).toEqual([7, "Ada\nGrace\n"]);
    expect(ran.err).toMatch(/^task_[0-9a-z]{24}\noops\nThe task ended: error\n$/);
  });

  it("A38: run says aside what the task was denied", async () => {
    const ask =
      "exec 3<>/dev/tcp/127.0.0.1/8787; printf 'CONNECT a.example:443 HTTP/1.1\\r\\nhost: a.example\\r\\n\\r\\n' >&3; head -n 1 <&3";
    const { out, err } = await tollgate(["tasks", "run", "--", "bash", "-c", ask], { env });
    expect(out).toContain("403 Forbidden");
    expect(err).toContain("security: egress_denied a.example 443 not_allowed\n");
  });

  it("run --json says each event in order; show, list, events and artifacts say the same of it afterwards", async () => {
    const ran = await tollgate(["tasks", "run", "--json", "--", "sh", "-c", "echo hi > out.txt; printf said"], { env });
    const events = ran.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number; type: string });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.at(-1)).toMatchObject({ type: "exit", data: { reason: "ok" } });
    const [task] = await rows<{ id: string; status: string }>(["tasks", "list", "--mine", "--limit", "1"], { env });
    expect(task).toMatchObject({ status: "completed" });
    const id = task!.id;
    expect((await tollgate(["tasks", "show", "--mine", id, "--field", "result.text"], { env })).out).toBe("said\n");
    expect(await rows(["tasks", "events", id, "--after", "2"], { env })).toEqual(events.slice(2));
    expect((await tollgate(["tasks", "artifacts", id, "out.txt"], { env })).out).toBe("hi\n");
    const to = join(emptyFolder(), "all.tar");
    expect((await tollgate(["tasks", "artifacts", id, "--to", to], { env })).code).toBe(0);
    expect(readFileSync(to).includes("out.txt")).toBe(true);
    expect((await tollgate(["tasks", "artifacts", id], { env })).code).toBe(2);
    expect((await tollgate(["tasks", "report", "--by", "key"])).out).toMatch(/KEY +TASKS +ENDED/);
  });

  it("run holds an agent to a form, a number of turns and a person's word", async () => {
    const schema = join(emptyFolder(), "schema.json");
    writeFileSync(schema, '{"type":"object","properties":{"n":{"type":"number"}},"required":["n"]}');
    const asked = ["--engine", "native", "--model", "tollgate/echo", "--prompt", "Hi", "--output-schema", schema, "--max-turns", "1"];
    const kit = ["--allow-agent", "reviewer", "--allow-skill", "greeting", "--approve-tool", "Bash(git *)"];
    const ran = await tollgate(["tasks", "run", ...asked, ...kit], { env });
    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining('"turns_max":1')]);
    const [task] = await rows<{ result: object }>(["tasks", "list", "--mine", "--limit", "1"], { env });
    expect(task!.result).toMatchObject({ structured: { n: 0 } });
  });

  it.each([
    [[], 0, "yes\n"],
    [["--deny", "--reason", "not today"], 1, ""],
  ])("run tells of what waits for a word, and approve %j says it", async (words, code, out) => {
    const child = start(["tasks", "run", "--approve-tool", "Bash(echo *)", "--", "echo", "yes"], { env });
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.stdin.end();
    const said = { out: "", err: "" };
    child.stdout.on("data", (part: Buffer) => (said.out += part.toString("utf8")));
    const asked = new Promise<string[]>((resolve) => {
      child.stderr.on("data", (part: Buffer) => {
        said.err += part.toString("utf8");
        const found = /tollgate (tasks approve task_\w+ apr_\w+),/.exec(said.err);
        if (found) resolve(found[1]!.split(" "));
      });
    });
    const told = await tollgate([...(await asked), ...words], { env });
    expect([told.code, told.out]).toEqual([0, expect.stringMatching(words.length === 0 ? /^decision +approve$/m : /^reason +not today$/m)]);
    expect(await closed).toBe(code);
    expect(said.out).toBe(out);
    expect(said.err).toContain("Bash waits for a word");
  });

  it("Ctrl-C leaves the task running and says how to go on; cancel ends it", async () => {
    const child = start(["tasks", "run", "--", "sh", "-c", "echo up; sleep 60"], { env });
    child.stdin.end();
    let err = "";
    child.stderr.on("data", (part: Buffer) => (err += part.toString("utf8")));
    await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(130);
    const [id] = /task_[0-9a-z]{24}/.exec(err) ?? [];
    expect(err).toContain(`tollgate tasks events ${id}`);
    expect((await tollgate(["tasks", "show", "--mine", id!, "--field", "status"], { env })).out).toBe("running\n");
    expect((await tollgate(["tasks", "cancel", "--mine", id!], { env })).code).toBe(0);
    const ended = await tollgate(["tasks", "events", id!], { env });
    expect([ended.code, ended.out]).toEqual([1, "up\n"]);
    expect(ended.err).toContain("cancelled");
  });
});
