import { mkdtempSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Admin, startGateway } from "../support/gateway.ts";

const ANSWER = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_767_607_200,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "sealed" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};

/** Certificates for `localhost` that vouch for themselves, and are good for nothing else. */
const fileOf = (name: string, kind: "key" | "pem") => join(import.meta.dirname, `../support/tls/${name}.${kind}`);

const servers: Server[] = [];
let gateway: Awaited<ReturnType<typeof startGateway>>;

/** A provider over TLS, and where it listens. */
async function provider(name: string): Promise<string> {
  const server = createServer({ key: readFileSync(fileOf(name, "key")), cert: readFileSync(fileOf(name, "pem")) }, (request, response) => {
    request.resume().once("end", () => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(ANSWER));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}/v1`;
}

/** Registers a provider and asks it through the gateway. */
async function ask(name: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const admin = new Admin(gateway);
  await admin.call("POST", "/providers", { name, kind: "openai-compatible", base_url: await provider(name), api_key: "sk-tls" });
  const { secret } = await admin.call<{ secret: string }>("POST", "/keys", { name });
  const answer = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model: `${name}/m`, messages: [{ role: "user", content: "hello" }] }),
  });
  return { status: answer.status, body: await answer.json() };
}

describe("a provider over TLS", () => {
  beforeAll(async () => {
    gateway = await startGateway(mkdtempSync(join(tmpdir(), "tollgate-tls-")), { NODE_EXTRA_CA_CERTS: fileOf("trusted", "pem") });
  }, 60_000);

  afterAll(() => {
    process.kill(-gateway.child.pid!, "SIGKILL");
    for (const server of servers) server.close();
  });

  it("is reached where NODE_EXTRA_CA_CERTS names who vouches for it", async () => {
    expect(await ask("trusted")).toEqual({ status: 200, body: ANSWER });
  });

  it("is told nothing where nobody vouches for it", async () => {
    expect(await ask("stranger")).toMatchObject({ status: 502, body: { error: { code: "upstream_error" } } });
  });
});
