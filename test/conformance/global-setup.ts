import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, exportPKCS8, generateKeyPair } from "jose";
import type { TestProject } from "vitest/node";
import { CANARIES, holding } from "../support/canaries.ts";
import { startGateway } from "../support/gateway.ts";

declare module "vitest" {
  interface ProvidedContext {
    origin: string;
    adminKey: string;
    state: string;
    /** The process that the gateway was started as; workerd is a child of it. */
    gatewayProcess: number;
    /** The private key of the issuer whose tokens the gateway takes, as PKCS #8. */
    signingKey: string;
  }
}

/** Serves the key set of an identity provider. */
async function startIssuer() {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] });
  const server = createServer((_, response) => response.setHeader("content-type", "application/json").end(jwks));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}/jwks`, signingKey: await exportPKCS8(privateKey) };
}

/** One gateway for all conformance tests, started as a user starts it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const state = mkdtempSync(join(tmpdir(), "tollgate-conformance-"));
  const issuer = await startIssuer();
  const { origin, adminKey, child } = await startGateway(state, {
    TOLLGATE_JWT_ISSUER: "https://issuer.test",
    TOLLGATE_JWT_AUDIENCE: "tollgate",
    TOLLGATE_JWKS_URL: issuer.url,
    TOLLGATE_TIMEOUT_IDLE_S: "3",
    TOLLGATE_TIMEOUT_FIRST_BYTE_S: "4",
    TOLLGATE_TIMEOUT_BODY_S: "3",
    // So small that those who try it leave the memory that others measure as it is.
    TOLLGATE_MAX_ANSWER_BYTES: "16777216",
    // Hosts of tasks are tried on loopback.
    RUNNER_EGRESS: "true",
    RUNNER_EGRESS_LOOPBACK: "true",
  });
  project.provide("origin", origin);
  project.provide("adminKey", adminKey);
  project.provide("state", state);
  project.provide("gatewayProcess", child.pid!);
  project.provide("signingKey", issuer.signingKey);
  return async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    issuer.server.close();
    const leaks = Object.values(CANARIES).flatMap((canary) => holding(state, canary).map((file) => `${canary} in ${file}`));
    if (leaks.length > 0) throw new Error(`after the whole suite secrets are found: ${leaks.join(", ")}`);
    rmSync(state, { recursive: true, force: true });
  };
}
