import { spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { named, Scripted, type Step } from "./scripted.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const PROMPT = "Read in.txt, write the number that it holds to out.txt, and count its bytes.";
const MODEL = "m-1";
const AGENT_MS = 90_000;

/** The one file of a package that is the agent itself. */
function binary(pattern: string): string {
  const [found] = globSync(join(import.meta.dirname, "clis/node_modules", pattern));
  if (!found) throw new Error(`there is no ${pattern} of the agents' command lines on this machine`);
  return found;
}

const folders: string[] = [];
const upstreams: Scripted[] = [];
afterEach(async () => {
  for (const upstream of upstreams.splice(0)) await upstream.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "tollgate-agent-"));
  folders.push(made);
  return made;
}

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs an agent with nothing of this machine's but the programs, and ends all that it started. */
async function run(command: readonly string[], cwd: string, env: Record<string, string>): Promise<Ran> {
  const [file = "", ...args] = command;
  const own = { PATH: process.env["PATH"] ?? "", TMPDIR: tmpdir(), ...env } as unknown as NodeJS.ProcessEnv;
  const child = spawn(file, args, { cwd, env: own, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let output = "";
  const take = (bytes: Buffer) => (output += bytes.toString("utf8"));
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const end = () => {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  const late = setTimeout(end, AGENT_MS);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(late);
  end();
  return { code, output };
}

/** A model of the other vendor, with a script, and a key that may call nothing else. */
async function stageOf(name: string, kind: string, rest: Record<string, unknown>, steps: readonly Step[]) {
  const upstream = await Scripted.start(steps);
  upstreams.push(upstream);
  const base_url = kind === "anthropic" ? upstream.origin : `${upstream.origin}/v1`;
  await admin.call("POST", "/providers", { name, kind, base_url, api_key: "sk-other-vendor", ...rest });
  await admin.call("POST", "/prices", { provider: name, model: MODEL, rates: { input: "1", output: "2" }, source: "test" });
  const key = await admin.key({ name, models: { allow: [`${name}/${MODEL}`], deny: [] } });
  return { upstream, key };
}

/** Each call was a hundred tokens in and ten out, at 1 and 2 USD a million. */
async function spent(secret: string): Promise<unknown> {
  const answer = await fetch(`${origin}/v1/key`, { headers: { authorization: `Bearer ${secret}` } });
  return ((await answer.json()) as { spent_usd: unknown }).spent_usd;
}

const claudeScript = (cwd: string): Step[] => [
  (offered) => ({ name: named(offered, "Read"), input: { file_path: join(cwd, "in.txt") } }),
  (offered) => ({ name: named(offered, "Write"), input: { file_path: join(cwd, "out.txt"), content: "42\n" } }),
  (offered) => ({ name: named(offered, "Bash"), input: { command: "wc -c < out.txt", description: "Count bytes" } }),
  "The number is 42.",
];

it.each([
  ["Chat Completions", "claude-on-chat", {}, "/v1/chat/completions"],
  ["Responses", "claude-on-responses", { apis: ["responses"] }, "/v1/responses"],
])("Claude Code, unmodified, finishes a task on a model that speaks %s", async (_, name, rest, path) => {
  const [cwd, home] = [folder(), folder()];
  writeFileSync(join(cwd, "in.txt"), "the number is 42\n");
  const { upstream, key } = await stageOf(name, "openai-compatible", rest, claudeScript(cwd));
  const model = `${name}/${MODEL}`;
  const env = {
    HOME: home,
    ANTHROPIC_BASE_URL: origin,
    ANTHROPIC_API_KEY: key.secret,
    ANTHROPIC_MODEL: model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    IS_SANDBOX: "1",
  };
  const claude = binary("@anthropic-ai/claude-code-*/claude");
  const flags = ["--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"];
  const ran = await run([claude, "-p", PROMPT, ...flags], cwd, env);
  expect(upstream.refused).toEqual([]);
  expect(ran).toMatchObject({ code: 0, output: expect.stringContaining("The number is 42.") });
  expect(readFileSync(join(cwd, "out.txt"), "utf8")).toBe("42\n");
  expect(upstream.heard.every((heard) => heard.path === path)).toBe(true);
  const { results } = upstream.heard.at(-1)!;
  expect(results).toEqual([expect.stringContaining("the number is 42"), expect.stringContaining("out.txt"), expect.stringContaining("3")]);
  expect(await spent(key.secret)).toBe((upstream.heard.length * 0.00012).toFixed(5));
});

it("Codex finishes a task on a model that speaks Messages", async () => {
  const [cwd, home] = [folder(), folder()];
  writeFileSync(join(cwd, "in.txt"), "the number is 42\n");
  const shell =
    (cmd: string): Step =>
    (offered) => ({ name: named(offered, "exec_command"), input: { cmd } });
  const steps = [shell("cat in.txt"), shell("echo 42 > out.txt"), shell("wc -c < out.txt"), "The number is 42."];
  const { upstream, key } = await stageOf("codex-on-messages", "anthropic", {}, steps);
  const config = `
model = "codex-on-messages/${MODEL}"
model_provider = "tollgate"
web_search = "disabled"
[analytics]
enabled = false
[model_providers.tollgate]
name = "Tollgate"
base_url = "${origin}/v1"
wire_api = "responses"
env_key = "TOLLGATE_KEY"
`;
  writeFileSync(join(home, "config.toml"), config);
  const codex = binary("@openai/codex-*/vendor/*/bin/codex");
  const flags = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
  const ran = await run([codex, "exec", ...flags, PROMPT], cwd, { HOME: home, CODEX_HOME: home, TOLLGATE_KEY: key.secret });
  expect(upstream.refused).toEqual([]);
  expect(ran).toMatchObject({ code: 0, output: expect.stringContaining("The number is 42.") });
  expect(existsSync(join(cwd, "out.txt"))).toBe(true);
  const { results } = upstream.heard.at(-1)!;
  expect(results).toEqual([expect.stringContaining("the number is 42"), expect.any(String), expect.stringContaining("3")]);
  expect(await spent(key.secret)).toBe((upstream.heard.length * 0.00012).toFixed(5));
});
