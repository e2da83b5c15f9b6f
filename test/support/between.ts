import { createServer, request as call, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Where between the gateway and the runner a task can be held, in the order that it comes there. */
export const HELD = ["asked", "made", "unheard", "left", "fetching", "ended"] as const;
export type Held = (typeof HELD)[number];

/** So much of a tar passes before it is held amid. */
const SOME_BYTES = 700;

/**
 * Stands between a gateway and a runner, as a network does, and lets no more of a task through than a test wants: by a word in its
 * command. What is held is cut when the test lets go, as a network cuts what its ends have lost; what comes after passes.
 */
export class Between {
  readonly #server: Server;
  /** Which step a job is held at, and whether it has come there. */
  readonly #steps = new Map<string, Held>();
  readonly #reached = new Set<Held>();
  readonly #cut = new Set<() => void>();
  #holding = false;
  /** Where the runner is; another one may take its place. */
  runner = "";

  private constructor() {
    this.#server = createServer((asked, answer) => {
      this.#pass(asked, answer).catch(() => answer.destroy());
    });
  }

  static async start(runner: string): Promise<Between> {
    const between = new Between();
    between.runner = runner;
    await new Promise<void>((resolve) => between.#server.listen(0, "127.0.0.1", resolve));
    return between;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on each task that names a step is held there. */
  hold(): void {
    this.#holding = true;
    this.#reached.clear();
    this.#steps.clear();
  }

  /** The steps that tasks are held at. */
  get reached(): readonly Held[] {
    return HELD.filter((step) => this.#reached.has(step));
  }

  /** Cuts what is held, and lets all through. */
  release(): void {
    this.#holding = false;
    for (const cut of this.#cut) cut();
    this.#cut.clear();
  }

  stop(): void {
    this.release();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of asked as AsyncIterable<Buffer>) parts.push(part);
    const body = Buffer.concat(parts);
    const [, job = "", rest = ""] = /^\/v1\/jobs\/([^/?]+)([^?]*)/.exec(asked.url ?? "") ?? [];
    if (asked.method === "PUT") this.#name(job, body.toString("utf8"));
    const at = (step: Held) => this.#holding && this.#steps.get(job) === step && !this.#reached.has(step);
    const before = { PUT: "asked", "GET/events": "unheard", "GET/artifacts.tar": "left", "DELETE/data": "ended" } as const;
    const step = before[`${asked.method}${rest}` as keyof typeof before];
    if (step && at(step)) return this.#stay(step, answer);
    const heard = await this.#forward(asked, body);
    if (asked.method === "PUT" && at("made")) return this.#stay("made", answer);
    answer.writeHead(heard.statusCode ?? 502, heard.headers);
    answer.flushHeaders();
    answer.once("close", () => heard.destroy());
    let passed = 0;
    for await (const part of heard as AsyncIterable<Buffer>) {
      if (rest === "/artifacts.tar" && at("fetching") && passed + part.length > SOME_BYTES) {
        answer.write(part.subarray(0, SOME_BYTES - passed));
        return this.#stay("fetching", answer);
      }
      passed += part.length;
      answer.write(part);
    }
    answer.end();
  }

  #name(job: string, spec: string): void {
    const step = HELD.find((each) => spec.includes(`hold=${each};`));
    if (step) this.#steps.set(job, step);
  }

  #stay(step: Held, answer: ServerResponse): void {
    this.#reached.add(step);
    this.#cut.add(() => answer.destroy());
  }

  #forward({ method, url, headers }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(this.runner);
      const sent = call({ hostname, port, method, path: url, headers: { ...headers, host: `${hostname}:${port}` } }, resolve);
      sent.once("error", reject);
      sent.end(body);
    });
  }
}
