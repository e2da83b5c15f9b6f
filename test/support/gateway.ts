import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { CANARIES } from "./canaries.ts";

/** A gateway that was started as a user starts it. */
export interface Running {
  readonly origin: string;
  readonly adminKey: string;
  readonly state: string;
}

export const ADMIN_KEY = "admin-key-of-the-tests-0123456789";

/** Below the ports that the system gives to outgoing connections. */
const PORTS = { from: 20_000, count: 10_000 };

/** A port of loopback that nobody uses, and that stays free between two starts. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * PORTS.count);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Starts `npm start`'s script and resolves when it says that it is up. */
export async function startGateway(
  state: string,
  env: Record<string, string> = {},
): Promise<Running & { readonly child: ChildProcess; readonly output: () => string }> {
  const port = Number(env["PORT"] ?? (await freePort()));
  const origin = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, ["scripts/start.ts"], {
    env: { ...process.env, TOLLGATE_ADMIN_KEY: ADMIN_KEY, ...env, PORT: String(port), TOLLGATE_STATE: state },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that a test can end the whole tree at once.
    detached: true,
  });
  let output = "";
  const up = new Promise<void>((resolve, reject) => {
    const take = (text: Buffer) => {
      output += text.toString("utf8");
      appendFileSync(join(state, "gateway.log"), text);
      if (output.includes("Tollgate is up")) resolve();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}:\n${output}`)));
  });
  await up;
  return { origin, adminKey: ADMIN_KEY, state, child, output: () => output };
}

/** The admin plane of a running gateway. Throws where it does not answer with success. */
export class Admin {
  readonly origin: string;
  readonly #key: string;

  constructor({ origin, adminKey }: Pick<Running, "origin" | "adminKey">) {
    this.origin = origin;
    this.#key = adminKey;
  }

  async call<Answer = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.origin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as Answer;
  }

  /** A new key without limits of pace, unless they are given. */
  async key(fields: Record<string, unknown> = {}): Promise<{ id: string; secret: string }> {
    const limits = { rpm: null, tpm: null, concurrency: null };
    return this.call("POST", "/keys", { name: "test", limits, ...fields });
  }

  /** Registers an upstream, with prices for its models. */
  async upstream(name: string, kind: string, origin: string, models: readonly string[]): Promise<void> {
    const base_url = kind === "anthropic" ? origin : `${origin}/v1`;
    await this.call("POST", "/providers", { name, kind, base_url, api_key: `${CANARIES.upstream}${name}` });
    for (const model of models) {
      await this.call("POST", "/prices", { provider: name, model, rates: { input: "1", output: "2", web_search: "0.01" }, source: "test" });
    }
  }

  /** A route; the targets are `provider/model` by their place in the list. */
  async route(name: string, targets: readonly string[], fields: Record<string, unknown> = {}): Promise<string> {
    const named = targets.map((target) => ({
      provider: target.slice(0, target.indexOf("/")),
      model: target.slice(target.indexOf("/") + 1),
    }));
    return (await this.call<{ id: string }>("POST", "/routes", { name, targets: named, ...fields })).id;
  }

  /** The record of a request, once it has reached the database. */
  async record(request: string): Promise<Record<string, unknown> & { actual_usd: string; status: string; usage: Record<string, number> }> {
    const until = Date.now() + 10_000;
    for (;;) {
      const answer = await fetch(`${this.origin}/admin/v1/costs/records/${request.replace("req_", "cost_")}`, {
        headers: { authorization: `Bearer ${this.#key}` },
      });
      if (answer.ok) return answer.json() as never;
      if (Date.now() > until) throw new Error(`no cost record of ${request} within ten seconds`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
