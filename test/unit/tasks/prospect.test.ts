import { describe, expect, it } from "vitest";
import { ENGINES } from "../../../src/tasks/engines/contract.ts";
import { DEFAULT_PROFILE } from "../../../src/tasks/profiles.ts";
import { prospectOf } from "../../../src/tasks/prospect.ts";

const good = { engine: "command", argv: ["true"] };
const file = (path: unknown, rest: object = { text: "" }) => ({ ...good, files: [{ path, ...rest }] });
const judge = (body: unknown) => prospectOf(body, DEFAULT_PROFILE).violations.map(({ field, reason }) => [field, reason]);

describe("A13: what is wrong with a task is told by field, in words", () => {
  const ENGINE = `must be one of ${ENGINES.join(", ")}`;
  const RELATIVE = "must be relative, without empty segments, . and ..";
  it.each<[string, unknown, string | null, string]>([
    ["no object", [], null, "must be an object"],
    ["nothing", null, null, "must be an object"],
    ["no engine", { argv: ["true"] }, "engine", ENGINE],
    ["an engine that is not there yet", { ...good, engine: "workflow" }, "engine", `workflow is not offered yet; ${ENGINE}`],
    ["an engine that nobody knows", { ...good, engine: "bash" }, "engine", ENGINE],
    ["no command", { engine: "command" }, "argv", "is needed where the engine is command"],
    ["a command line", { ...good, argv: "rm -rf /" }, "argv", "must be a list"],
    ["an empty command", { ...good, argv: [] }, "argv", "must not be empty"],
    ["an argument that is no text", { ...good, argv: ["sleep", 3] }, "argv.1", "must be a text"],
    ["a NUL in an argument", { ...good, argv: ["a\0b"] }, "argv.0", "must hold no NUL"],
    ["a huge argument", { ...good, argv: ["x".repeat(131_072)] }, "argv.0", "must have at most 131071 characters"],
    ["a prompt for a command", { ...good, prompt: "hello" }, "prompt", "is not for the engine command"],
    ["a model for a command", { ...good, model: "auto" }, "model", "is not for the engine command"],
    ["a path that climbs", file("../x"), "files.0.path", RELATIVE],
    ["a path that climbs later", file("a/../../x"), "files.0.path", RELATIVE],
    ["an absolute path", file("/etc/passwd"), "files.0.path", RELATIVE],
    ["a path with an empty part", file("a//b"), "files.0.path", RELATIVE],
    ["a NUL in a path", file("a\0"), "files.0.path", RELATIVE],
    ["an empty path", file(""), "files.0.path", "must not be empty"],
    ["a path that is no text", file(7), "files.0.path", "must be a text"],
    ["a path that is too long", file("x/".repeat(600) + "x"), "files.0.path", "must have at most 1024 characters"],
    ["a file of nothing", file("a", {}), "files.0", "must have either text or base64"],
    ["a file of both", file("a", { text: "", base64: "" }), "files.0", "must have either text or base64"],
    ["a file that is no base64", file("a", { base64: "!" }), "files.0.base64", "must be base64"],
    ["a file with a mode", file("a", { text: "", mode: 493 }), "files.0.mode", "is not a known field"],
    [
      "a file twice",
      {
        ...good,
        files: [
          { path: "a", text: "" },
          { path: "a", text: "" },
        ],
      },
      "files.1.path",
      "stands twice",
    ],
    [
      "a file within a file",
      {
        ...good,
        files: [
          { path: "a", text: "" },
          { path: "a/b", text: "" },
        ],
      },
      "files.0.path",
      "is a folder of another file",
    ],
    [
      "more files than the disk holds",
      { ...file("a", { text: "x".repeat(2 ** 20 + 1) }), disk_mb: 1 },
      "files",
      "come to 1048577 bytes, and the disk has 1048576",
    ],
    ["a working directory outside", { ...good, working_directory: "../.." }, "working_directory", RELATIVE],
    ["a negative time", { ...good, timeout_s: -1 }, "timeout_s", "must be more than 0"],
    ["a time that is text", { ...good, timeout_s: "60" }, "timeout_s", "must be a number"],
    ["more time than the profile has", { ...good, timeout_s: 301 }, "timeout_s", "the profile default allows 300"],
    ["more money than the profile has", { ...good, max_cost_usd: "99" }, "max_cost_usd", "the profile default allows 0.5"],
    ["a negative number of cores", { ...good, cpu_cores: -1 }, "cpu_cores", "must be at least 0.01"],
    ["half a megabyte", { ...good, memory_mb: 16.5 }, "memory_mb", "must be a whole number"],
    ["too little memory", { ...good, memory_mb: 1 }, "memory_mb", "must be at least 16"],
    ["no disk", { ...good, disk_mb: 0 }, "disk_mb", "must be at least 1"],
    ["money in words", { ...good, max_cost_usd: "much" }, "max_cost_usd", "must be an amount in USD, such as 0.5"],
    ["negative money", { ...good, max_cost_usd: "-1" }, "max_cost_usd", "must be an amount in USD, such as 0.5"],
    ["a metadata that is no text", { ...good, metadata: { a: 1 } }, "metadata.a", "must be a text"],
    [
      "too much metadata",
      { ...good, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, ""])) },
      "metadata",
      "must hold at most 16 keys",
    ],
    ["a callback that is no URL", { ...good, callback_url: "nowhere" }, "callback_url", "must be an absolute URL"],
    ["a callback in the clear", { ...good, callback_url: "http://example.com/" }, "callback_url", "must be https"],
    [
      "a callback to this machine",
      { ...good, callback_url: "https://127.0.0.1/" },
      "callback_url",
      "must not point to a private, loopback or link-local address",
    ],
    [
      "a callback to the metadata address",
      { ...good, callback_url: "https://169.254.169.254/" },
      "callback_url",
      "must not point to a private, loopback or link-local address",
    ],
    ["a callback with a password", { ...good, callback_url: "https://a:b@example.com/" }, "callback_url", "must not carry credentials"],
    ["turns of a command", { ...good, max_turns: 5 }, "max_turns", "is not for the engine command"],
    ["no turns", { engine: "native", prompt: "Hi", model: "m", max_turns: 0 }, "max_turns", "must be at least 1"],
    ["turns without end", { engine: "native", prompt: "Hi", model: "m", max_turns: 1_001 }, "max_turns", "must be at most 1000"],
    ["a mode that nobody knows", { ...good, mode: "yolo" }, "mode", "must be normal, analysis_only or dry_run"],
    [
      "a pattern that is no tool",
      { ...good, allow_tools: ["Bash("] },
      "allow_tools.0",
      "must be a tool, as in Read, Bash(git *) or mcp:weather:*",
    ],
    ["a tool beyond the profile's", { ...good, allow_tools: ["Rocket"] }, "allow_tools.0", "Rocket is not in the profile default"],
    ["a command that would wait as what it is not", { ...good, approve_tools: ["Read"] }, "approve_tools.0", "a command waits as Bash"],
    ["a field that nobody knows", { ...good, sudo: true }, "sudo", "is not a known field"],
  ])("%s", (_, body, field, reason) => {
    expect(judge(body)).toEqual([[field, reason]]);
  });

  it("of a callback in development as well, where http will do", () => {
    const judged = (callback_url: string) =>
      prospectOf({ ...good, callback_url }, DEFAULT_PROFILE, { allowPrivate: true }).violations.map(({ field, reason }) => [field, reason]);
    expect(judged("http://127.0.0.1:9/")).toEqual([]);
    expect(judged("ftp://127.0.0.1/")).toEqual([["callback_url", "must be http or https"]]);
  });

  it("everything at once, the profile's limits too, each field once", () => {
    const body = {
      engine: "workflow",
      argv: [],
      files: [{ path: "../x", text: "" }],
      timeout_s: 9_999,
      memory_mb: -1,
      sudo: 1,
      callback_url: "ftp://x",
    };
    expect(judge(body).map(([field]) => field)).toEqual([
      "engine",
      "argv",
      "files.0.path",
      "memory_mb",
      "sudo",
      "callback_url",
      "timeout_s",
    ]);
  });

  it("what is right has nothing in its way", () => {
    const callback_url = "https://hooks.example.com/tollgate";
    expect(
      judge({
        ...good,
        files: [
          { path: "a/b", text: "x" },
          { path: "a/c", base64: "eA==" },
        ],
        callback_url,
        metadata: { a: "b" },
      }),
    ).toEqual([]);
  });
});
