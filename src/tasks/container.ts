import type { RunnerAt } from "./runner.ts";

/** Where the image listens (`runner/Dockerfile`). */
const PORT = 8790;
/** What a runner in a container calls the gateway by: a name that leads to it and to nothing else. */
export const CONTAINER_GATEWAY = "http://gateway.tollgate";

/** What of the platform's container is used. */
type Platform = Pick<Container, "running" | "start" | "destroy" | "getTcpPort" | "interceptOutboundHttp">;

/** A runner of one task's own, in a container that holds nothing else and can reach the gateway alone. */
export class OwnRunner {
  readonly #container: Platform;
  readonly #gateway: Fetcher;
  readonly #secret: () => string;

  constructor(container: Platform, gateway: Fetcher, secret: () => string) {
    this.#container = container;
    this.#gateway = gateway;
    this.#secret = secret;
  }

  /** Starts it where it does not run. It listens some seconds later; until then a call to it fails as to any runner that is away. */
  async start(): Promise<void> {
    await this.open();
    if (this.#container.running) return;
    const env = { RUNNER_SECRET: this.#secret(), RUNNER_HOST: "0.0.0.0", RUNNER_PORT: String(PORT), RUNNER_JOBS_MAX: "1" };
    this.#container.start({ enableInternet: false, env });
  }

  /** Opens the way to the gateway, and no other: whoever holds a container that runs already has not told it of the way yet. */
  async open(): Promise<void> {
    await this.#container.interceptOutboundHttp(new URL(CONTAINER_GATEWAY).host, this.#gateway);
  }

  /** How it is reached. */
  get at(): RunnerAt {
    const fetch = (url: string, init: RequestInit) => this.#container.getTcpPort(PORT).fetch(url, init);
    return { url: "http://runner", secret: this.#secret(), fetch };
  }

  /** Ends it with all that is in it. */
  async end(): Promise<void> {
    if (this.#container.running) await this.#container.destroy();
  }
}

/** The secret of a container's runner: its task's alone, and as old as the task. */
export function secretIn({ kv }: DurableObjectStorage): string {
  const secret = kv.get<string>("secret") ?? crypto.randomUUID() + crypto.randomUUID();
  kv.put("secret", secret);
  return secret;
}
