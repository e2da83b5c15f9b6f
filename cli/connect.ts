import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { EVERYWHERE } from "./command.ts";
import { misuse } from "./failure.ts";
import type { Connection } from "./gateway.ts";
import type { Given } from "./option.ts";

const ORIGIN_DEFAULT = "http://127.0.0.1:8787";
const TIMEOUT_S_DEFAULT = 30;
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** What the program is started in. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * The gateway to talk to and the credentials to show it, with what their owner should hear about them.
 * @throws Failure `usage` for an address that is none.
 */
export function connect(
  given: Given<typeof EVERYWHERE>,
  { env, folder, signal }: Surroundings,
): Connection & { readonly warnings: readonly string[] } {
  const url = addressOf(given["base-url"] ?? (env["TOLLGATE_URL"] || ORIGIN_DEFAULT));
  const local = LOOPBACK.has(url.hostname);
  const adminKey = given["admin-key"] ?? (env["TOLLGATE_ADMIN_KEY"] || (local ? developmentKey(folder) : null));
  const apiKey = given["api-key"] ?? (env["TOLLGATE_KEY"] || null);
  const shown = (["admin-key", "api-key"] as const).filter((name) => given[name] !== undefined);
  const warnings = shown.map((name) => {
    const variable = name === "admin-key" ? "TOLLGATE_ADMIN_KEY" : "TOLLGATE_KEY";
    return `--${name} puts a secret into the shell's history and the process list; set ${variable} instead`;
  });
  if (url.protocol === "http:" && !local) warnings.push(`${url.origin} is not https: credentials travel in the clear`);
  const timeoutMs = (given.timeout ?? TIMEOUT_S_DEFAULT) * 1000;
  const origin = url.origin + url.pathname.replace(/(\/v1)?\/*$/, "");
  return { origin, adminKey, apiKey, timeoutMs, signal, warnings };
}

/** A base URL, also in the form that the OpenAI SDK takes, which ends in `/v1`. */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const wrong = (why: string) => misuse(`The gateway's address (--base-url or TOLLGATE_URL) ${why}`, "--base-url");
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong("must be an http or https URL");
  if (url.username !== "" || url.password !== "") throw wrong("must hold no credentials");
  if (url.search !== "" || url.hash !== "") throw wrong("must hold no query");
  return url;
}

/** The admin key that `npm start` wrote beside the checkout; it is shown to nobody but a gateway on this machine. */
function developmentKey(folder: string): string | null {
  const file = join(folder, ".dev.vars");
  if (!existsSync(file)) return null;
  return parseEnv(readFileSync(file, "utf8"))["TOLLGATE_ADMIN_KEY"] || null;
}
