import { expect, it } from "vitest";
import type { Profile } from "../../../src/tasks/contract.ts";
import { permit } from "../../../src/tasks/permit.ts";
import { DEFAULT_PROFILE } from "../../../src/tasks/profiles.ts";
import { readTask } from "../../../src/tasks/request.ts";

const profile: Profile = { ...DEFAULT_PROFILE, deniedCommands: ["curl *", "*sudo*", "rm -rf /"], timeoutS: 60 };
const ask = (fields: object) => permit(profile, readTask({ engine: "command", argv: ["true"], ...fields }));

it("a request gets what it names, up to the profile's, and the profile's for what it does not", () => {
  const { effective, violations } = ask({ timeout_s: 5, max_cost_usd: "0.25" });
  expect(violations).toEqual([]);
  expect(effective).toMatchObject({ timeoutS: 5, memoryMb: DEFAULT_PROFILE.memoryMb, maxCostNano: 250_000_000, filesystem: "readwrite" });
});

it("every limit that is exceeded is a violation of its own field", () => {
  const { violations } = ask({ timeout_s: 61, cpu_cores: 2, memory_mb: 10_000, disk_mb: 10_000, max_cost_usd: "9" });
  expect(violations.map(({ field }) => field).sort()).toEqual(["cpu_cores", "disk_mb", "max_cost_usd", "memory_mb", "timeout_s"]);
});

it.each([
  [["curl", "https://example.test"], true],
  [["curling"], false],
  [["sh", "-c", "sudo ls"], true],
  [["rm", "-rf", "/"], true],
  [["rm", "-rf", "/tmp/x"], false],
])("the command %j is denied: %s", (argv, denied) => {
  expect(ask({ argv }).violations.length > 0).toBe(denied);
});

it("a pattern full of stars on a long command takes no time", () => {
  const starry = { ...profile, deniedCommands: [`${"*a".repeat(100)}*b`] };
  const before = performance.now();
  permit(starry, readTask({ engine: "command", argv: ["a".repeat(100_000)] }));
  expect(performance.now() - before).toBeLessThan(200);
});

it("an engine that the profile does not name may not be used, and analysis only reads", () => {
  const none = permit({ ...profile, engines: [] }, readTask({ engine: "command", argv: ["true"] }));
  expect(none.violations).toMatchObject([{ kind: "engine", field: "engine" }]);
  expect(ask({ mode: "analysis_only" }).effective.filesystem).toBe("readonly");
  expect(
    permit({ ...profile, filesystem: "none" }, readTask({ engine: "command", argv: ["x"], mode: "analysis_only" })).effective.filesystem,
  ).toBe("none");
});
