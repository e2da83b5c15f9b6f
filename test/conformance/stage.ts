import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { Admin, startGateway } from "../support/gateway.ts";
import { FakeUpstream } from "../support/upstream/server.ts";

/** What a conformance file plays on: the gateway, an upstream of its own under two provider names, and a key. */
export interface Stage {
  readonly origin: string;
  readonly admin: Admin;
  upstream: FakeUpstream;
  /** Provider names: one that speaks OpenAI's dialects, one that speaks Anthropic's. */
  readonly openai: string;
  readonly anthropic: string;
  key: string;
  keyId: string;
}

/** A gateway of a file's own, for what all of a deployment share. */
async function ownGateway() {
  const state = mkdtempSync(join(tmpdir(), "tollgate-own-"));
  const { origin, adminKey, child } = await startGateway(state);
  const stop = async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(state, { recursive: true, force: true });
  };
  return { origin, admin: new Admin({ origin, adminKey }), stop };
}

/** Sets the stage for a file. Names carry the file's own word, since all files share one gateway; `alone` starts another for this one. */
export function stage(word: string, { alone = false } = {}): Stage {
  const origin = inject("origin");
  const made = {
    origin,
    admin: new Admin({ origin, adminKey: inject("adminKey") }),
    stop: async () => undefined,
    openai: `${word}-oai`,
    anthropic: `${word}-ant`,
    key: "",
    keyId: "",
  } as Stage & { stop(): Promise<void> };
  beforeAll(async () => {
    if (alone) Object.assign(made, await ownGateway());
    made.upstream = await FakeUpstream.start();
    await made.admin.upstream(made.openai, "openai", made.upstream.origin, ["gpt-4o-mini", "text-embedding-3-small"]);
    await made.admin.upstream(made.anthropic, "anthropic", made.upstream.origin, ["claude-sonnet-5"]);
    const { id, secret } = await made.admin.key({ name: word });
    made.key = secret;
    made.keyId = id;
  });
  afterAll(async () => {
    await made.upstream.stop();
    await made.stop();
  });
  return made;
}
