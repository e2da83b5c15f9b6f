import { GATEWAY_INSIDE, type JobSpec } from "#runner-protocol";
import type { Effective } from "./contract.ts";
import { base64Of } from "./engines/base64.ts";
import type { Assignment } from "./engines/contract.ts";
import { adapterOf } from "./engines/engines.ts";
import { matches } from "./permissions/glob.ts";
import type { TaskRequest } from "./request.ts";

/** Of each task; generous for a command, and nothing to fear. */
const PROCESSES = 256;
const FILES = 100_000;
const OUTPUT_BYTES = 4 * 2 ** 20;
/** An agent writes down each result of each tool, and what it came to last. */
const AGENT_OUTPUT_BYTES = 32 * 2 ** 20;

/** Where each vendor's SDK and CLI look for an address and a key. The key opens nothing: what it stands for is put on outside. */
const TO_THE_GATEWAY = {
  OPENAI_BASE_URL: `${GATEWAY_INSIDE}/v1`,
  OPENAI_API_KEY: "the-gateway-knows",
  ANTHROPIC_BASE_URL: GATEWAY_INSIDE,
  ANTHROPIC_API_KEY: "the-gateway-knows",
};

/** The proxy to hosts is where the gateway is. Each program looks for it by a name of its own; Node by none, unless it is told to. */
const TO_HOSTS = {
  ...Object.fromEntries(["HTTP_PROXY", "HTTPS_PROXY"].flatMap((name) => [name, name.toLowerCase()]).map((name) => [name, GATEWAY_INSIDE])),
  ...Object.fromEntries(["NO_PROXY", "no_proxy"].map((name) => [name, "localhost,127.0.0.1,::1"])),
  NODE_USE_ENV_PROXY: "1",
};

/** What the runner is told of a task. */
export function specOf(request: TaskRequest, effective: Effective, { gateway, strict }: Pick<JobSpec, "gateway" | "strict">): JobSpec {
  const assignment = assignmentOf(request, effective);
  const { argv, env, files, home = [], agent = null } = adapterOf(request.engine).launch(assignment);
  return {
    v: 1,
    argv,
    env: { ...(gateway && TO_THE_GATEWAY), ...(effective.hosts.length > 0 ? TO_HOSTS : {}), ...env },
    files: [...assignment.files, ...files],
    home,
    workingDirectory: request.working_directory,
    filesystem: effective.filesystem,
    limits: {
      wallMs: Math.ceil(effective.timeoutS * 1000),
      cpuCores: effective.cpuCores,
      memoryBytes: effective.memoryMb * 2 ** 20,
      processes: PROCESSES,
      diskBytes: effective.diskMb * 2 ** 20,
      files: FILES,
      outputBytes: agent === null ? OUTPUT_BYTES : AGENT_OUTPUT_BYTES,
    },
    gateway,
    hosts: [...effective.hosts],
    agent,
    strict,
  };
}

function assignmentOf(
  { argv, prompt, model, files, output_schema: outputSchema, max_turns: turnsMax }: TaskRequest,
  { tools, agents, skills }: Effective,
): Assignment {
  return {
    argv: argv ?? [],
    prompt: prompt ?? "",
    model: model ?? null,
    outputSchema: outputSchema ?? null,
    turnsMax: turnsMax ?? null,
    files: files.map((file) => ({ path: file.path, base64: file.base64 ?? base64Of(file.text ?? "") })),
    tools,
    mayCall: (agent) => agents.some((pattern) => matches(pattern, agent)),
    mayUse: (skill) => skills.some((pattern) => matches(pattern, skill)),
  };
}
