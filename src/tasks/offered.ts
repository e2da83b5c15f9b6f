import type { Health } from "#runner-protocol";
import type { Effective, Violation } from "./contract.ts";
import { isInstalled, type RunnerHealth } from "./runner-health.ts";

/** Something that a task needs and its runner has not got. */
interface Unoffered extends Violation {
  readonly field: string;
}

/** What a task needs that its runner does not offer. Of one that does not answer nothing is said: it may be back in a moment. */
export async function unoffered({ engine, hosts }: Pick<Effective, "engine" | "hosts">, health: RunnerHealth | null): Promise<Unoffered[]> {
  const installed = isInstalled(engine);
  if (!installed && hosts.length === 0) return [];
  // A container of a task's own has no way out but to the gateway.
  if (!health) return hosts.length > 0 ? [closed(hosts)] : [];
  const found = await health.read();
  if (!found?.ok) return [];
  return [
    ...(installed && !has(found, engine) ? [uninstalled(engine)] : []),
    ...(hosts.length > 0 && !found.egress ? [closed(hosts)] : []),
  ];
}

function has({ agents }: Health, engine: string): boolean {
  return agents.some(({ name }) => name === engine);
}

function uninstalled(engine: string): Unoffered {
  const reason = `${engine} is not installed where tasks run; whoever runs the runner installs it (RUNNER_AGENTS)`;
  return { kind: "engine", name: engine, field: "engine", reason };
}

function closed([name = ""]: readonly string[]): Unoffered {
  const reason = "tasks reach no hosts where they run; whoever runs the runner allows it (RUNNER_EGRESS)";
  return { kind: "host", name, field: "network.hosts", reason };
}
