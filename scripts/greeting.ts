import type { Secrets } from "./state.ts";

/** What the greeting is told of a start. */
export interface Started {
  readonly port: number;
  readonly first: boolean;
  readonly development: boolean;
  readonly secrets: Secrets;
  readonly given: Record<string, string>;
  /** Why no tasks can be run; null where they can. */
  readonly noRunner: string | null;
}

/** Where a gateway is looked for, by the command line and by the guides, unless they are told. */
export const PORT_DEFAULT = 8787;

const REAL = { OPENAI_API_KEY: "openai", ANTHROPIC_API_KEY: "anthropic", OLLAMA_BASE_URL: "ollama" } as const;

function upstreamLine(given: Record<string, string>): string {
  const real = Object.entries(REAL).flatMap(([variable, name]) => (given[variable] ? [name] : []));
  return real.length > 0
    ? `Providers: tollgate (built in), ${real.join(", ")}.`
    : "Providers: tollgate (built in). Set OPENAI_API_KEY or ANTHROPIC_API_KEY and start again for the real ones.";
}

function warnings({ given, development }: Started): string[] {
  const open = given["TOLLGATE_ALLOW_PRIVATE_UPSTREAMS"] === "true" && !development;
  return open ? ["", "WARNING: TOLLGATE_ALLOW_PRIVATE_UPSTREAMS lets providers stand at private addresses and plain http."] : [];
}

/** The two SDKs' own code, with the address and the key in place. */
function snippets(origin: string, key: string): string[] {
  return [
    'import OpenAI from "openai";',
    `const openai = new OpenAI({ baseURL: "${origin}/v1", apiKey: "${key}" });`,
    "const stream = await openai.chat.completions.create({",
    '  model: "tollgate/echo",',
    '  messages: [{ role: "user", content: "Hello, Tollgate" }],',
    "  stream: true,",
    "});",
    'for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");',
    "console.log();",
    "",
    'import Anthropic from "@anthropic-ai/sdk";',
    `const anthropic = new Anthropic({ baseURL: "${origin}", apiKey: "${key}" });`,
    "const message = await anthropic.messages.create({",
    '  model: "tollgate/echo",',
    "  max_tokens: 100,",
    '  messages: [{ role: "user", content: "Hello, Tollgate" }],',
    "});",
    "console.log(message.content);",
  ];
}

/** What a start prints: where the gateway is, a key that works, and, the first time, calls that can be pasted. */
export function greeting(started: Started): string {
  const { port, first, development, secrets } = started;
  const origin = `http://127.0.0.1:${port}`;
  if (!development) return [`Tollgate is up on ${origin} (production).`, ...warnings(started)].join("\n");
  const key = secrets.TOLLGATE_DEV_KEY ?? "";
  const curl = [
    `curl -N ${origin}/v1/chat/completions \\`,
    `  -H "authorization: Bearer ${key}" -H "content-type: application/json" \\`,
    `  -d '{"model":"tollgate/echo","stream":true,"messages":[{"role":"user","content":"Hello, Tollgate"}]}'`,
  ];
  return [
    "",
    `Tollgate is up on ${origin}`,
    "",
    `  OpenAI SDK      base URL  ${origin}/v1`,
    `  Anthropic SDK   base URL  ${origin}`,
    `  API key         ${key}`,
    `  Admin key       in .dev.vars (TOLLGATE_ADMIN_KEY), for ${origin}/admin/v1`,
    "",
    upstreamLine(started.given),
    started.noRunner === null
      ? "Tasks: docs/guides/tasks.md."
      : `Tasks: none, since ${started.noRunner}. RUNNER_URL and RUNNER_SECRET name a runner elsewhere.`,
    "",
    "Try it, in another terminal:",
    "",
    ...curl,
    ...(first ? ["", "Or save this here as hello.mjs, and run: node hello.mjs", "", ...snippets(origin, key)] : []),
    "",
    "What it cost:",
    "",
    `curl ${origin}/v1/key -H "authorization: Bearer ${key}"`,
    "",
    ...(port === PORT_DEFAULT ? [] : ["For npx tollgate, which looks elsewhere:", "", `export TOLLGATE_URL=${origin}`, ""]),
    "Next: README.md, docs/guides, npx tollgate help. Ctrl+C stops it; started again, it goes on where it was.",
    ...warnings(started),
    "",
  ].join("\n");
}
