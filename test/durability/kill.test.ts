import { expect, it } from "vitest";
import { killRepeatedly } from "./kill.ts";

it("kill -9 under load, of the whole tree and of node alone, loses no acknowledged request and bills none twice", async () => {
  const findings = await killRepeatedly(2, 1_000);
  expect(findings).toMatchObject({ lost: [], unbilled: [], doubled: [], difference: 0, reserved: 0, inFlight: 0 });
  expect(findings.answered).toBeGreaterThan(50);
});
