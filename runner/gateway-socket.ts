import { chmod } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";
import type { Egress } from "./egress.ts";
import { framingOf, HOP_BY_HOP, passed } from "./headers.ts";
import type { JobSpec } from "./protocol.ts";

/** What a job may not say of itself: its credential is ours to give. */
const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-tollgate-api-key", "cookie"];
const NOT_ASKED = new Set([...HOP_BY_HOP, ...CREDENTIALS, "host"]);
const NOT_ANSWERED = new Set(HOP_BY_HOP);
/** Agents count how often they try again, and wait as long as they are told: ten times this is longer than a gateway takes to start. */
const AWAY_S = 5;
/** Of each job: what stands open costs the runner, which all jobs share, a file and often two. */
const CONNECTIONS_MAX = 256;
/** So long a connection is kept for the next call; shorter than whoever answers keeps it. */
const KEPT_MS = 5_000;

/**
 * Listens on a unix socket for one job's calls and makes those of a path calls to the gateway, with the job's credential, which is never
 * inside the sandbox. What is asked of it as of a proxy goes to `egress`, without any credential of ours.
 */
export async function openGatewaySocket(
  path: string,
  { url, authorization }: NonNullable<JobSpec["gateway"]>,
  egress: Egress,
): Promise<http.Server> {
  const base = new URL(url);
  const { Agent, request } = base.protocol === "https:" ? https : http;
  // No two jobs share a connection: what one of them might leave on it no other hears.
  const agent = new Agent({ keepAlive: true, timeout: KEPT_MS });
  const server = http.createServer((asked, answer) => {
    // It stands behind another of its connection that is not answered yet: any number would be open over one.
    if (!answer.socket) return void asked.socket.destroy();
    // The path is the caller's, the origin never: "//elsewhere" stays a path, and "http://elsewhere/" is for the proxy alone.
    if (/^[a-z]+:/i.test(asked.url ?? "")) return void egress.forward(asked, answer);
    if (!asked.url?.startsWith("/")) return tell(answer, 400, { code: "invalid_request", message: "Only paths and hosts are called here" });
    const headers = { ...passed(asked, NOT_ASKED), ...framingOf(asked), host: base.host, authorization };
    const target = {
      agent,
      protocol: base.protocol,
      hostname: base.hostname,
      port: base.port,
      path: `${base.pathname.replace(/\/$/, "")}${asked.url}`,
    };
    const call = request({ ...target, method: asked.method, headers }, (heard) => {
      answer.writeHead(heard.statusCode ?? 502, passed(heard, NOT_ANSWERED));
      pipeline(heard, answer, () => undefined);
    });
    call.on("error", (error) => refuse(answer, error));
    answer.once("close", () => call.destroy());
    pipeline(asked, call, () => undefined);
  });
  server.on("connect", (asked, client, head) => void egress.tunnel(asked, client as Socket, head));
  server.maxConnections = CONNECTIONS_MAX;
  server.once("close", () => agent.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  // Its folder is one job's own; the job's user must be able to connect.
  await chmod(path, 0o666);
  return server;
}

/** What never left may be asked again; what broke off later may have been done. */
function refuse(answer: http.ServerResponse, error: Error): void {
  if (answer.headersSent) return void answer.destroy();
  const unsent = "code" in error && (error.code === "ECONNREFUSED" || error.code === "ENOTFOUND" || error.code === "EHOSTUNREACH");
  if (!unsent) return tell(answer, 502, { code: "upstream_error", message: "The connection to the gateway broke" });
  answer.setHeader("retry-after", String(AWAY_S));
  tell(answer, 503, { code: "overloaded", message: "The gateway cannot be reached" });
}

function tell(answer: http.ServerResponse, status: number, { code, message }: { readonly code: string; readonly message: string }): void {
  const type = status < 500 ? "invalid_request_error" : "api_error";
  answer.writeHead(status, { "content-type": "application/json" });
  answer.end(JSON.stringify({ error: { message, type, param: null, code } }));
}
