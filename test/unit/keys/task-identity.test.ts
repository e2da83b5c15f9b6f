import { describe, expect, it } from "vitest";
import { isTaskIdentity, mintTaskIdentity, readTaskIdentity } from "../../../src/keys/task-identity.ts";

const PEPPER = "p".repeat(32);
const OF = { task: `task_${"a1".repeat(12)}`, key: "key_abcdefghijkl" };
const UNTIL = 1_800_000_000_000;

describe("A8: a task's credential", () => {
  it("names its task and its key until its time is over", async () => {
    const text = await mintTaskIdentity(PEPPER, OF, UNTIL);
    expect(isTaskIdentity(text)).toBe(true);
    expect(await readTaskIdentity(PEPPER, text, UNTIL - 1)).toEqual(OF);
    await expect(readTaskIdentity(PEPPER, text, UNTIL)).rejects.toMatchObject({ code: "invalid_api_key" });
  });

  it("is refused with any one character changed, and under another pepper", async () => {
    const text = await mintTaskIdentity(PEPPER, OF, UNTIL);
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + (text[at] === "b" ? "c" : "b") + text.slice(at + 1);
      await expect(readTaskIdentity(PEPPER, changed, 0), changed).rejects.toMatchObject({ code: "invalid_api_key" });
    }
    await expect(readTaskIdentity("q".repeat(32), text, 0)).rejects.toMatchObject({ code: "invalid_api_key" });
  });
});
