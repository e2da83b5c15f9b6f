import { type Fields, isObject } from "#core";
import { AGENT_PROGRAMS, GATEWAY_INSIDE, HOOK_INSIDE, NODE_INSIDE } from "#runner-protocol";
import type { Adapter, Assignment, GivenFile, Said } from "./contract.ts";
import { homeCopy, homeFile, inHome, promptFile, prompted } from "./home.ts";
import { skillFilesOf, subAgentsOf } from "./kit.ts";
import { linesOf, said } from "./lines.ts";

/** What it asks before each tool. Whatever keeps the asking from its end is a no, and it may take as long as a person takes to decide. */
const ASK = { type: "command", command: `${NODE_INSIDE} ${HOOK_INSIDE} ${GATEWAY_INSIDE}/v1/task/hook || exit 2`, timeout: 86_400 };
const SETTINGS = { disableAllHooks: false, hooks: { PreToolUse: [{ matcher: "*", hooks: [ASK] }] } };
/**
 * It asks nobody else, since the sandbox is the wall, and reads no settings but ours, flags that nothing in the sandbox can overrule: a
 * file of the workspace could otherwise name commands to be run that no model asked for. Not `--bare`, which leaves out hooks.
 */
const FLAGS = [
  "-p",
  "--output-format=stream-json",
  "--verbose",
  "--dangerously-skip-permissions",
  `--settings=${JSON.stringify(SETTINGS)}`,
  "--setting-sources=",
  "--strict-mcp-config",
  "--no-session-persistence",
];
const ENVIRONMENT = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  DISABLE_AUTOUPDATER: "1",
  IS_SANDBOX: "1",
  CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: "1",
};
/** Whatever it would call, a smaller model for its errands too, is the task's. */
const MODELS = ["ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL"];
/** A plugin holds the skills, and a folder of its own what a checkout says to it: the ways to have both without the settings beside them. */
const PLUGIN = "plugin";
const INSTRUCTIONS = "instructions";

/** Claude Code, as its vendor publishes it. */
export const claudeCode: Adapter = {
  launch(assignment) {
    const { prompt, model, outputSchema } = assignment;
    const skills = skillsOf(assignment);
    const agents = subAgentsOf(assignment);
    const instructions = assignment.files.filter(({ path }) => path === "CLAUDE.md");
    const argv = [
      AGENT_PROGRAMS["claude-code"],
      ...FLAGS,
      ...toolsOf(assignment),
      ...(Object.keys(agents).length > 0 ? ["--agents", JSON.stringify(agents)] : []),
      ...(skills.length > 0 ? ["--plugin-dir", inHome(PLUGIN)] : []),
      ...(instructions.length > 0 ? ["--add-dir", inHome(INSTRUCTIONS)] : []),
      ...(outputSchema ? ["--json-schema", JSON.stringify(outputSchema)] : []),
    ];
    return {
      argv: prompted(argv),
      env: { ...ENVIRONMENT, ...(model === null ? {} : Object.fromEntries(MODELS.map((name) => [name, model]))) },
      files: [],
      home: [promptFile(prompt), ...skills, ...instructions.map((file) => homeCopy(`${INSTRUCTIONS}/CLAUDE.md`, file))],
      agent: "claude-code",
    };
  },
  read(stdout): Said {
    const lines = linesOf(stdout);
    const result = lines.findLast(({ type }) => type === "result");
    const text = said(result?.["result"]) ?? (lines.length > 0 ? spoken(lines) : stdout);
    return { text, structured: result?.["structured_output"] ?? null, failure: result?.["is_error"] === true ? failureIn(result) : null };
  },
};

/** The tools that are offered at all; the rest of a rule is for who judges each call. */
function toolsOf({ tools }: Assignment): string[] {
  const named = [...new Set(tools.map((rule) => rule.replace(/\(.*$/s, "")))];
  const offered = named.includes("*") ? "default" : named.filter((name) => /^\w+$/.test(name)).join(",");
  return [`--tools=${offered}`, ...(named.includes("Skill") || offered === "default" ? [] : ["--disable-slash-commands"])];
}

function skillsOf(assignment: Assignment): GivenFile[] {
  const files = skillFilesOf(assignment).filter(({ allowed }) => allowed);
  if (files.length === 0) return [];
  const manifest = { name: "task", version: "1.0.0", description: "What came with the task" };
  return [
    homeFile(`${PLUGIN}/.claude-plugin/plugin.json`, JSON.stringify(manifest)),
    ...files.map(({ skill, below, file }) => homeCopy(`${PLUGIN}/skills/${skill}/${below}`, file)),
  ];
}

/** What it said in words so far. */
function spoken(lines: readonly Fields[]): string {
  const texts = lines.flatMap(({ type, message, parent_tool_use_id: parent }) => {
    const content = type === "assistant" && parent === null && isObject(message) ? message["content"] : null;
    return Array.isArray(content) ? content.flatMap((block: unknown) => (isObject(block) ? (said(block["text"]) ?? []) : [])) : [];
  });
  return texts.join("\n");
}

function failureIn({ result, errors, subtype }: Fields): string {
  const listed = Array.isArray(errors) ? errors.filter((each) => typeof each === "string").join("; ") : null;
  return said(result) ?? said(listed) ?? said(subtype) ?? "it says that it failed";
}
