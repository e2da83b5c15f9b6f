import { agentName, type Health, health } from "#runner-protocol";
import type { Engine } from "./engines/contract.ts";

/** How long a finding stands, so that whoever asks cannot load the runner. */
const FOUND_MS = 2_000;
const ASK_MS_MAX = 2_000;

/** What the deployment's runner says of itself. */
export class RunnerHealth {
  readonly #url: string;
  readonly #now: () => number;
  #found: { readonly at: number; readonly health: Health | null } | null = null;

  constructor(url: string, now: () => number) {
    this.#url = url;
    this.#now = now;
  }

  /** Its health, at most a moment old; null where it does not answer. */
  async read(): Promise<Health | null> {
    if (this.#found && this.#now() - this.#found.at <= FOUND_MS) return this.#found.health;
    const found = await this.#ask();
    this.#found = { at: this.#now(), health: found };
    return found;
  }

  /** The engines that it can run of some; null where it does not answer. */
  async able(engines: readonly Engine[]): Promise<Engine[] | null> {
    const found = await this.read();
    if (!found) return null;
    return engines.filter((engine) => found.ok && (!isInstalled(engine) || found.agents.some(({ name }) => name === engine)));
  }

  async #ask(): Promise<Health | null> {
    try {
      const answer = await fetch(`${this.#url}/healthz`, { signal: AbortSignal.timeout(ASK_MS_MAX) });
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
      return health.parse(await answer.json());
    } catch (error) {
      // Anybody may ask how the gateway does, and learns that its runner is down; why is for whoever reads the log.
      // oxlint-disable-next-line no-console -- the log is where it is told.
      console.error(JSON.stringify({ level: "error", code: "runner_down", reason: String(error) }));
      return null;
    }
  }
}

/** Whether an engine is a program that somebody has to install. */
export function isInstalled(engine: Engine): boolean {
  return agentName.options.some((name) => name === engine);
}
