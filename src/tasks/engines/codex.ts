import * as z from "zod";
import { type Fields, isObject, isShallow } from "#core";
import { AGENT_PROGRAMS, GATEWAY_INSIDE, WORKSPACE_INSIDE } from "#runner-protocol";
import type { Adapter, Assignment, OutputSchema, Said } from "./contract.ts";
import { homeFile, inHome, promptFile, prompted } from "./home.ts";
import { skillFilesOf } from "./kit.ts";
import { linesOf, parsed, said } from "./lines.ts";
import { rulesIn } from "./rules.ts";

const FLAGS = ["--json", "--skip-git-repo-check", "--ephemeral", "--dangerously-bypass-approvals-and-sandbox"];

/**
 * Its settings, which stand in flags that nothing in the sandbox can overrule. A call that was refused is not made again, since it takes
 * a spent budget for a broken stream; one that reached nobody is, as often as a restart of the gateway may take.
 */
const SETTINGS = {
  model_provider: "tollgate",
  model_providers: {
    tollgate: {
      name: "Tollgate",
      base_url: `${GATEWAY_INSIDE}/v1`,
      wire_api: "responses",
      env_key: "OPENAI_API_KEY",
      request_max_retries: 10,
      stream_max_retries: 0,
    },
  },
  web_search: "disabled",
  check_for_update_on_startup: false,
  analytics: { enabled: false },
  // Its helpers and goals bear no names that a task could be allowed.
  features: { multi_agent: false, goals: false },
};

const SCHEMA = "output-schema.json";

/** Codex, as its vendor publishes it. */
export const codex: Adapter = {
  launch(assignment) {
    const { prompt, model, outputSchema } = assignment;
    const settings = { ...SETTINGS, ...(model === null ? {} : { model }), skills: skillSettings(assignment) };
    const argv = [
      AGENT_PROGRAMS.codex,
      "exec",
      ...FLAGS,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${toml(value)}`]),
      ...(outputSchema ? ["--output-schema", inHome(SCHEMA)] : []),
      "-",
    ];
    const home = [promptFile(prompt), ...(outputSchema ? [homeFile(SCHEMA, JSON.stringify(outputSchema))] : []), ...skillsOf(assignment)];
    return { argv: prompted(argv), env: {}, files: [], home, agent: "codex" };
  },
  read(stdout, { outputSchema } = { outputSchema: null }): Said {
    const lines = linesOf(stdout);
    const text = lines.length > 0 ? (spoken(lines).at(-1) ?? "") : stdout;
    return { text, structured: outputSchema && fitting(outputSchema, text), failure: failureIn(lines) };
  },
};

/** Of the skills in a checkout it finds those of two folders by itself: what a task may not use is switched off, and so are its own. */
function skillSettings(assignment: Assignment) {
  const found = skillFilesOf(assignment).filter(({ below, allowed }) => below === "SKILL.md" && !allowed);
  return { bundled: { enabled: false }, config: found.map(({ file }) => ({ path: `${WORKSPACE_INSIDE}/${file.path}`, enabled: false })) };
}

/** Those of Claude Code's folder it would not find. */
function skillsOf(assignment: Assignment) {
  const files = skillFilesOf(assignment).filter(({ among, allowed }) => among === "claude" && allowed);
  return files.map(({ skill, below, file }) => ({ ...file, path: `.agents/skills/${skill}/${below}` }));
}

/** A value in TOML, on one line. A JSON string is a TOML string. */
function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, each]) => `${name}=${toml(each)}`)
    .join(",")}}`;
}

/** So much is done at most to hold an answer against a schema, neither of which is ours. */
const STEPS_MAX = 1e8;

/** The value that a text is, where it fits what was asked for; a model need not have been held to it. */
function fitting(schema: OutputSchema, text: string): unknown {
  const value = parsed(text);
  if (!isShallow(value) || rulesIn(schema) * (text.length + 1) > STEPS_MAX) return null;
  return z.fromJSONSchema(schema).safeParse(value).success ? value : null;
}

function spoken(lines: readonly Fields[]): string[] {
  return lines.flatMap(({ type, item }) =>
    type === "item.completed" && isObject(item) && item["type"] === "agent_message" ? (said(item["text"]) ?? []) : [],
  );
}

/** It tells of things that it gets over as errors too: what counts is how its last turn ended. */
function failureIn(lines: readonly Fields[]): string | null {
  const last = lines.findLast(({ type }) => type === "turn.completed" || type === "turn.failed");
  if (last?.["type"] !== "turn.failed") return null;
  const { error } = last;
  return (isObject(error) ? said(error["message"]) : null) ?? "it says that it failed";
}
