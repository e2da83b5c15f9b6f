import { expect, it } from "vitest";
import { usdFromNano } from "../../../src/core/money.ts";
import type { Profile } from "../../../src/tasks/contract.ts";
import { permit } from "../../../src/tasks/permit.ts";
import { DEFAULT_PROFILE } from "../../../src/tasks/profiles.ts";
import { parseTask, readTask } from "../../../src/tasks/request.ts";

const profile: Profile = { ...DEFAULT_PROFILE, deniedCommands: ["curl *", "*sudo*", "rm -rf /"], timeoutS: 60 };
const ask = (fields: object) => permit(profile, readTask({ engine: "command", argv: ["true"], ...fields }));

it("a request gets what it names, up to the profile's, and the profile's for what it does not", () => {
  const { effective, violations } = ask({ timeout_s: 5, max_cost_usd: "0.25" });
  expect(violations).toEqual([]);
  expect(effective).toMatchObject({ timeoutS: 5, memoryMb: DEFAULT_PROFILE.memoryMb, maxCostNano: 250_000_000, filesystem: "readwrite" });
});

it("every limit that is exceeded is a violation of its own field", () => {
  const { violations } = ask({ timeout_s: 61, cpu_cores: 2, memory_mb: 10_000, disk_mb: 10_000, max_cost_usd: "9" });
  expect(violations.map(({ field }) => field).sort()).toEqual(["cpu_cores", "disk_mb", "max_cost_usd", "memory_mb", "timeout_s"]);
});

it.each([
  [["curl", "https://example.test"], true],
  [["curling"], false],
  [["sh", "-c", "sudo ls"], true],
  [["rm", "-rf", "/"], true],
  [["rm", "-rf", "/tmp/x"], false],
])("the command %j is denied: %s", (argv, denied) => {
  expect(ask({ argv }).violations.length > 0).toBe(denied);
});

it("a pattern full of stars is held against a long command once: going back for each star would not come to an end", () => {
  const starry = (last: string) => ({ ...profile, deniedCommands: [`${"*a".repeat(100)}*${last}`] });
  const long = readTask({ engine: "command", argv: ["a".repeat(100_000)] });
  expect(permit(starry("b"), long).violations).toEqual([]);
  expect(permit(starry("a"), long).violations).toMatchObject([{ kind: "command", field: "argv" }]);
});

it("a command that waits for a word is no longer than what is shown of it", () => {
  const long = {
    argv: [
      "echo",
      ..."x"
        .repeat(7)
        .split("")
        .map((each) => each.repeat(10_000)),
    ],
    approve_tools: ["Bash"],
  };
  expect(ask(long).violations).toMatchObject([{ kind: "limit", field: "argv", reason: expect.stringContaining("65536") }]);
  expect(ask({ ...long, mode: "dry_run" }).violations).toEqual([]);
  expect(ask({ argv: long.argv }).violations).toEqual([]);
  expect(ask({ ...long, argv: ["echo", "x".repeat(60_000)] }).violations).toEqual([]);
});

it.each([
  ["one argument", ["x".repeat(131_072)], "argv.0", "131071 characters"],
  ["one of more bytes than letters", ["é".repeat(70_000)], "argv.0", "131071 bytes"],
  ["all together", Array.from({ length: 11 }, () => "x".repeat(100_000)), "argv", "1000000 bytes in all"],
])("a command that no kernel would take is refused as it is asked for: %s", (_, argv, field, most) => {
  expect(parseTask({ engine: "command", argv }).problems).toMatchObject([{ field, reason: expect.stringContaining(most) }]);
  const least = ["x".repeat(131_071), ...argv.slice(0, 8).map((each) => each.slice(0, 60_000))];
  expect(parseTask({ engine: "command", argv: least }).problems).toEqual([]);
});

it("an engine that the profile does not name may not be used, and analysis only reads", () => {
  const none = permit({ ...profile, engines: [] }, readTask({ engine: "command", argv: ["true"] }));
  expect(none.violations).toMatchObject([{ kind: "engine", field: "engine" }]);
  expect(ask({ mode: "analysis_only" }).effective.filesystem).toBe("readonly");
  expect(
    permit({ ...profile, filesystem: "none" }, readTask({ engine: "command", argv: ["x"], mode: "analysis_only" })).effective.filesystem,
  ).toBe("none");
});

const permitted: Profile = {
  ...profile,
  tools: ["Read", "Edit(src/*)", "Bash(git *)", "mcp:weather:*"],
  agents: ["review*"],
  skills: ["pdf"],
};
const asked = (fields: object) => permit(permitted, readTask({ engine: "command", argv: ["true"], ...fields }));

it.each<[object, readonly string[]]>([
  [{ allow_tools: ["Read(a/*)", "Edit(src/x.ts)", "Bash(git log *)", "mcp:weather:get"] }, []],
  [{ allow_tools: ["Write"] }, ["tool allow_tools.0"]],
  [{ allow_tools: ["Read", "Edit", "Bash(git*)"] }, ["tool allow_tools.1", "tool allow_tools.2"]],
  [{ allow_agents: ["reviewer"], allow_skills: ["xlsx", "pdf"] }, ["skill allow_skills.0"]],
  [{ allow_agents: ["*"] }, ["agent allow_agents.0"]],
  [{ approve_tools: ["Bash(anything *)"] }, []],
  [{ approve_tools: ["Read"] }, ["tool approve_tools.0"]],
])("A45, A49: %j goes beyond the profile in %j", (fields, expected) => {
  expect(asked(fields).violations.map(({ kind, field }) => `${kind} ${field}`)).toEqual(expected);
});

it("A44: what is not named is the profile's, what is named is the request's, and what the mode takes away is said", () => {
  const { effective, explain } = asked({ allow_tools: ["Read", "Edit(src/a)"], mode: "analysis_only", approve_tools: ["Bash(x)"] });
  expect(effective).toMatchObject({
    tools: ["Read"],
    agents: ["review*"],
    skills: ["pdf"],
    approveTools: ["Bash(x)"],
    mode: "analysis_only",
  });
  expect(explain).toEqual(
    expect.arrayContaining([
      { field: "tools", value: "Read", from: "request" },
      { field: "tools_without", value: "Edit(src/a)", from: "mode" },
      { field: "agents", value: "review*", from: "profile" },
      { field: "denied_commands", value: "curl *", from: "profile" },
      { field: "approve_tools", value: "Bash(x)", from: "request" },
      { field: "timeout_s", value: permitted.timeoutS, from: "profile" },
      { field: "max_cost_usd", value: usdFromNano(permitted.maxCostNano), from: "profile" },
    ]),
  );
  expect(asked({}).effective.tools).toEqual(permitted.tools);
});

it.each([
  ["native", []],
  ["codex", ["approve_tools.0"]],
])("what %s is to wait for is refused where it cannot wait", (engine, fields) => {
  const request = readTask({ engine, prompt: "x", model: "m", approve_tools: ["Bash(git push *)"] });
  expect(permit(permitted, request).violations.map(({ field }) => field)).toEqual(fields);
});

const reaching: Profile = { ...profile, hosts: ["example.com", "*.example.net", "api.example.org:8443"] };
const reach = (hosts: readonly string[], more: object = {}) =>
  permit(reaching, readTask({ engine: "command", argv: ["true"], network: { hosts }, ...more }));

it.each<[readonly string[], readonly string[]]>([
  [["example.com", "EXAMPLE.com:443", "a.b.example.net", "*.b.example.net", "x.example.net:80", "api.example.org:8443"], []],
  [["www.example.com"], ["network.hosts.0"]],
  [["example.net"], ["network.hosts.0"]],
  [
    ["example.com:8443", "*.example.com"],
    ["network.hosts.0", "network.hosts.1"],
  ],
  [["api.example.org"], ["network.hosts.0"]],
  [
    ["notexample.net", "93.184.215.14"],
    ["network.hosts.0", "network.hosts.1"],
  ],
])("A47: %j is reached, but for %j", (hosts, beyond) => {
  expect(reach(hosts).violations.map(({ kind, field }) => [kind, field])).toEqual(beyond.map((field) => ["host", field]));
});

it("A47: a task reaches what it names and its profile allows, nothing by default, and nothing where it only looks", () => {
  expect(permit(reaching, readTask({ engine: "command", argv: ["true"] })).effective.hosts).toEqual([]);
  const { effective, explain } = reach(["example.com"]);
  expect(effective.hosts).toEqual(["example.com"]);
  expect(explain).toContainEqual({ field: "network.hosts", value: "example.com", from: "request" });
  for (const mode of ["analysis_only", "dry_run"]) {
    const only = reach(["example.com"], { mode });
    expect(only.effective.hosts).toEqual([]);
    expect(only.explain).toContainEqual({ field: "network.hosts_without", value: "example.com", from: "mode" });
  }
});

it.each(["*", "*.com", "a b", "http://example.com", "example.com:0", "127.1", ""])(
  "A47: %j is no host, and said so by its field",
  (host) => {
    const { problems } = parseTask({ engine: "command", argv: ["true"], network: { hosts: ["example.com", host] } });
    expect(problems).toEqual([
      { kind: "field", name: "network.hosts.1", field: "network.hosts.1", reason: expect.stringContaining("must be a host") },
    ]);
  },
);
