import { describe, expect, it } from "vitest";
import type { Approval, Task } from "../../../src/tasks/contract.ts";
import { unbegun } from "../../../src/tasks/end.ts";

const task = { createdAt: Date.now(), effective: { timeoutS: 60 } } as Task;
const asked: Approval = { id: "apr_1", tool: "Bash", input: {}, askedAt: 0, word: null };
const said = (decision: "approve" | "deny"): Approval => ({ ...asked, word: { decision, reason: null, at: 1 } });
const next = (approval: Approval | null, cancelling: boolean) => {
  const found = unbegun(task, { dry: false, approval, cancelling });
  return typeof found === "number" ? "waits" : (found?.reason ?? "begins");
};

describe("a task before its job", () => {
  it.each<[string, Approval | null, boolean, string]>([
    ["asked nothing", null, false, "begins"],
    ["waits", asked, false, "waits"],
    ["approved", said("approve"), false, "begins"],
    ["denied", said("deny"), false, "policy"],
    ["cancelled", asked, true, "cancelled"],
    ["approved after it was cancelled", said("approve"), true, "cancelled"],
    ["denied after it was cancelled", said("deny"), true, "policy"],
  ])("%s: %j, cancelled %s: %s", (_, approval, cancelling, expected) => {
    expect(next(approval, cancelling)).toBe(expected);
  });
});
