import { expect, it } from "vitest";
import { Failure } from "../../../cli/failure.ts";
import { failureJson, failureLines } from "../../../cli/report.ts";

const violations = [
  { kind: "tool", name: "Rocket", field: "allow_tools.0", reason: "Rocket is not in the profile default" },
  { kind: "limit", name: "timeout_s", field: "timeout_s", reason: "the profile default allows 300" },
];

it("what the message says already is not said again, and a program is told all of it", () => {
  const message = violations.map(({ field, reason }) => `${field}: ${reason}`).join("; ");
  const failure = new Failure("failed", message, { code: "permission_denied", status: 403, details: { violations } });
  expect(failureLines(failure, null)).toEqual([message, "  code  permission_denied (403)"]);
  expect(JSON.parse(failureJson(failure))).toMatchObject({ error: { message, details: { violations } } });
});

it("what it does not say stands in lines, each of a list in one, and nothing of it as JSON", () => {
  const attempts = [
    { provider: "one", status: 500 },
    { provider: "two", status: null },
  ];
  const failure = new Failure("failed", "No provider answered", { code: "upstream_error", status: 502, details: { attempts, violations } });
  const lines = failureLines(failure, null);
  expect(lines.slice(0, 5)).toEqual([
    "No provider answered",
    "  code  upstream_error (502)",
    "  provider  status",
    "  one          500",
    "  two            -",
  ]);
  expect(lines.join("\n")).toContain("Rocket is not in the profile default");
  expect(lines.join("\n")).not.toMatch(/[{}[\]]/);
});
