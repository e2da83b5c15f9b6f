import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";

/**
 * Runs inside the sandbox before a tool of an agent does: `node hook.ts URL`. What it reads is asked of the gateway, and the gateway's
 * verdict is what it writes. Without one it exits with 2, which agents take for a no: to the HTTP hooks of their own, silence is a yes.
 */
const [url = ""] = process.argv.slice(2);
const asked = await text(process.stdin);

/** A question may be held until a person has decided; one that is broken off is asked again, and is the same by its `tool_use_id`. */
const TRIES = 60;
const AGAIN_MS = 500;
const HELD_MS = 5_000;

function ask(): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(asked) };
    const call = request(url, { method: "POST", headers }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    });
    call.once("error", reject).end(asked);
  });
}

function isVerdict(body: string): boolean {
  try {
    const said = JSON.parse(body) as { readonly hookSpecificOutput?: { readonly permissionDecision?: unknown } } | null;
    return ["allow", "deny"].includes(String(said?.hookSpecificOutput?.permissionDecision));
  } catch {
    return false;
  }
}

let reason = "";
for (let failures = 0; failures < TRIES; await wait(AGAIN_MS)) {
  const began = Date.now();
  const { status, body } = await ask().catch((error: unknown) => ({ status: 0, body: error instanceof Error ? error.message : "" }));
  if (status === 200 && isVerdict(body)) {
    process.stdout.write(body);
    process.exit(0);
  }
  reason = status === 0 ? body : `it answered ${status}: ${body.slice(0, 500)}`;
  if (status !== 0 && status < 500) break;
  failures = Date.now() - began > HELD_MS ? 1 : failures + 1;
}
process.stderr.write(`The gateway gave no verdict: ${reason}\n`);
process.exit(2);
