import { createServer, type IncomingMessage, request as requestHttp, type Server, type ServerResponse } from "node:http";
import { request as requestHttps } from "node:https";
import { chmod } from "node:fs/promises";
import { pipeline } from "node:stream";
import type { JobSpec } from "./protocol.ts";

/** Headers of one connection, which say nothing of the next. */
const HOP_BY_HOP = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"];
/** What a job may not say of itself: its credential is ours to give. */
const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-tollgate-api-key", "cookie", "proxy-authorization"];
const NOT_ASKED = new Set([...HOP_BY_HOP, ...CREDENTIALS, "host"]);
const NOT_ANSWERED = new Set(HOP_BY_HOP);

/**
 * Listens on a unix socket for one job's calls and makes them calls to the gateway, with the job's credential. The credential is never
 * inside the sandbox, and nothing but the gateway is ever called.
 */
export async function openGatewaySocket(path: string, { url, authorization }: NonNullable<JobSpec["gateway"]>): Promise<Server> {
  const base = new URL(url);
  const send = base.protocol === "https:" ? requestHttps : requestHttp;
  const server = createServer((asked, answer) => {
    const headers = { ...passed(asked, NOT_ASKED), host: base.host, authorization };
    // The path is the caller's, the origin never: "//elsewhere" stays a path.
    const target = {
      protocol: base.protocol,
      hostname: base.hostname,
      port: base.port,
      path: `${base.pathname.replace(/\/$/, "")}${asked.url ?? "/"}`,
    };
    const call = send({ ...target, method: asked.method, headers }, (heard) => {
      answer.writeHead(heard.statusCode ?? 502, passed(heard, NOT_ANSWERED));
      pipeline(heard, answer, () => undefined);
    });
    call.on("error", (error) => refuse(answer, error));
    answer.once("close", () => call.destroy());
    pipeline(asked, call, () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  // Its folder is one job's own; the job's user must be able to connect.
  await chmod(path, 0o666);
  return server;
}

function passed({ headers }: IncomingMessage, dropped: ReadonlySet<string>): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !dropped.has(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

/** What never left may be asked again; what broke off later may have been done. */
function refuse(answer: ServerResponse, error: Error): void {
  if (answer.headersSent) return void answer.destroy();
  const unsent = "code" in error && (error.code === "ECONNREFUSED" || error.code === "ENOTFOUND" || error.code === "EHOSTUNREACH");
  const [status, code, message] = unsent
    ? [503, "overloaded", "The gateway cannot be reached"]
    : [502, "upstream_error", "The connection to the gateway broke"];
  answer.writeHead(status, { "content-type": "application/json", ...(unsent ? { "retry-after": "1" } : {}) });
  answer.end(JSON.stringify({ error: { message, type: "api_error", param: null, code } }));
}
