import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signClaim } from "../../runner/claim.ts";
import { CLAIM_AUDIENCE, type Incident, KILLED_FOR_CALL } from "../../runner/protocol.ts";
import { FOREIGN_CALL, knowsForeignCalls } from "../support/foreign-call.ts";
import { SECRET, TestRunner, UNABLE } from "../support/runner.ts";

let runner: TestRunner;
beforeAll(async () => {
  if (UNABLE === null) runner = await TestRunner.start();
});
afterAll(() => runner?.stop());

/** A claim as it was signed some minutes ago. */
function old(job: string): Promise<string> {
  const at = Math.floor(Date.now() / 1000) - 300;
  const claim = new SignJWT({ op: "cancel" }).setProtectedHeader({ alg: "HS256" }).setAudience(CLAIM_AUDIENCE).setSubject(job);
  return claim
    .setIssuedAt(at)
    .setExpirationTime(at + 120)
    .sign(new TextEncoder().encode(SECRET));
}

describe.skipIf(UNABLE)("A38, A56: what of a job is a matter of security", () => {
  it("a claim upon it that is missing, forged, over, or of something else is told in its events, each once", async () => {
    const id = runner.id();
    await runner.create(id, { argv: ["sleep", "60"] });
    const claims = [
      "",
      await signClaim("another-secret-that-is-long-enough-0123", { job: id, op: "cancel" }),
      await old(id),
      await signClaim(SECRET, { job: "other", op: "cancel" }),
      await signClaim(SECRET, { job: id, op: "events" }),
    ];
    for (const claim of [...claims, ...claims]) expect((await runner.call("DELETE", `/${id}`, { op: "cancel", claim })).status).toBe(401);
    const body = JSON.stringify({ v: 1 });
    const claim = await signClaim(SECRET, { job: id, op: "create", spec: "of-another-body" });
    expect((await runner.call("PUT", `/${id}`, { op: "create", body, claim })).status).toBe(401);
    await runner.call("DELETE", `/${id}`, { op: "cancel" });
    const { events } = await runner.outcome(id);
    const told = events.flatMap((each): Incident[] => (each.type === "security" ? [each.data] : []));
    const refused = (op: "cancel" | "create", reason: string) => ({ event: "claim_refused", op, reason });
    expect(told).toEqual([
      ...["missing", "forged", "expired", "rebound"].map((reason) => refused("cancel", reason)),
      refused("create", "rebound"),
    ]);
  });

  it.skipIf(!knowsForeignCalls())(
    "a command that the filter kills says so by its exit code, with a way to the gateway and without",
    async () => {
      const gateway = { url: "http://127.0.0.1:1", authorization: "x" };
      for (const way of [null, gateway]) {
        const { exit } = await runner.run({ argv: ["./foreign"], files: [FOREIGN_CALL], gateway: way });
        expect([exit.reason, exit.code]).toEqual(["error", KILLED_FOR_CALL]);
      }
    },
  );
});
