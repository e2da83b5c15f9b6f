import { afterAll, beforeAll, inject } from "vitest";
import { Admin } from "../support/gateway.ts";
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

/** Sets the stage for a file. Names carry the file's own word, since all files share one gateway. */
export function stage(word: string): Stage {
  const origin = inject("origin");
  const made = {
    origin,
    admin: new Admin({ origin, adminKey: inject("adminKey") }),
    openai: `${word}-oai`,
    anthropic: `${word}-ant`,
    key: "",
    keyId: "",
  } as Stage;
  beforeAll(async () => {
    made.upstream = await FakeUpstream.start();
    await made.admin.upstream(made.openai, "openai", made.upstream.origin, ["gpt-4o-mini", "text-embedding-3-small"]);
    await made.admin.upstream(made.anthropic, "anthropic", made.upstream.origin, ["claude-sonnet-5"]);
    const { id, secret } = await made.admin.key({ name: word });
    made.key = secret;
    made.keyId = id;
  });
  afterAll(() => made.upstream.stop());
  return made;
}
