import { afterEach, expect } from "vitest";
import { Admin, type Running } from "../support/gateway.ts";
import { TaskClient } from "../support/tasks.ts";
import { named, type Script, Scripted, type Step } from "./scripted.ts";

/** The agents that an operator installs. */
export const ENGINES = ["claude-code", "codex"] as const;
export type Engine = (typeof ENGINES)[number];

const MODEL = "m-1";
const upstreams: Scripted[] = [];
afterEach(async () => {
  for (const upstream of upstreams.splice(0)) await upstream.stop();
});

/** What a test plays: which agent, what its model says, and under which profile. */
export interface Play {
  readonly engine: Engine;
  readonly script: Script;
  readonly profile: string;
  readonly tokens?: number;
}

let staged = 0;

/** A scripted model that speaks what its agent does not, and a key whose tasks may call nothing else. */
export async function stage({ origin, adminKey }: Pick<Running, "origin" | "adminKey">, { engine, script, profile, tokens = 10 }: Play) {
  const admin = new Admin({ origin, adminKey });
  const upstream = await Scripted.start(script, tokens);
  upstreams.push(upstream);
  const name = `task-${engine}-${process.pid}-${++staged}`;
  const [kind, base_url] = engine === "codex" ? ["anthropic", upstream.origin] : ["openai-compatible", `${upstream.origin}/v1`];
  await admin.call("POST", "/providers", { name, kind, base_url, api_key: "sk-other-vendor" });
  await admin.call("POST", "/prices", { provider: name, model: MODEL, rates: { input: "1", output: "2" }, source: "test" });
  const key = await admin.key({ name, profile, models: { allow: [`${name}/${MODEL}`, "tollgate/nothing"], deny: [] } });
  const tasks = new TaskClient(origin, key.secret);
  const begin = (asked: Record<string, unknown>) => tasks.begin({ engine, model: `${name}/${MODEL}`, ...asked });
  const run = async (asked: Record<string, unknown>) => {
    const { id } = await begin(asked);
    const events = await tasks.events(id);
    expect(upstream.refused).toEqual([]);
    return { id, events, task: await tasks.get(id) };
  };
  const artifact = async (id: string, path: string) => (await tasks.raw("GET", `/v1/task/${id}/artifacts/${path}`)).text();
  return { upstream, tasks, begin, run, artifact, key: key.id, secret: key.secret, model: `${name}/${MODEL}` };
}

/** A model's next step: a call of a tool that its agent offers. */
export const call =
  (name: string, input: unknown): Step =>
  (offered) => ({ name: named(offered, name), input });

/** How each agent reads, writes and runs. */
export const TOOLS = {
  "claude-code": {
    read: (path: string) => call("Read", { file_path: `/workspace/${path}` }),
    write: (path: string, content: string) => call("Write", { file_path: `/workspace/${path}`, content }),
    sh: (command: string) => call("Bash", { command, description: "Run it" }),
  },
  codex: {
    read: (path: string) => call("exec_command", { cmd: `cat ${path}` }),
    write: (path: string, text: string) => call("exec_command", { cmd: `cat > ${path} <<'END'\n${text}END` }),
    sh: (cmd: string) => call("exec_command", { cmd }),
  },
};
