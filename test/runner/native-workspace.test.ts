import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ToolError } from "../../runner/native/tool-error.ts";
import { Workspace } from "../../runner/native/workspace.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "tollgate-workspace-")));
const root = join(base, "workspace");
const workspace = new Workspace(root, join(root, "dir"));

beforeAll(() => {
  mkdirSync(join(root, "dir/below"), { recursive: true });
  mkdirSync(join(base, "workspace-beside"));
  for (const path of ["secret", "workspace-beside/secret", "workspace/file", "workspace/dir/file", "workspace/dir/below/file"])
    writeFileSync(join(base, path), path);
  symlinkSync(base, join(root, "up"));
  symlinkSync(join(base, "secret"), join(root, "dir/link"));
  symlinkSync("../..", join(root, "dir/below/up"));
  symlinkSync("file", join(root, "dir/inner"));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const part = fc.constantFrom(
  "..",
  ".",
  "",
  "dir",
  "below",
  "file",
  "link",
  "up",
  "inner",
  "secret",
  "workspace",
  "workspace-beside",
  "new",
);
const start = fc.constantFrom("", "/", `${root}/`, `${root}-beside/`, `${base}/`, `${root}/dir/`, "/proc/self/root/", "//");
const path = fc.tuple(start, fc.array(part, { maxLength: 5 })).map(([from, parts]) => from + parts.join("/"));

/** What a workspace gave, or null where it refused by a word for the model. */
async function given<Value>(ask: Promise<Value>): Promise<Value | null> {
  return ask.catch((error: unknown) => {
    if (error instanceof ToolError) return null;
    throw error;
  });
}

describe("A37: a workspace", () => {
  it("opens nothing that lies outside, and nothing by a link, whatever it is asked for", async () => {
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(path, async (asked) => {
        await using file = await given(workspace.open(asked, "read"));
        if (!file) return;
        opened++;
        const text = (await file.readFile()).toString();
        expect([asked, text]).toEqual([asked, expect.stringMatching(/^workspace\//)]);
        expect(readFileSync(join(base, text), "utf8")).toBe(text);
        expect(asked).not.toMatch(/\.\.|link|inner|up/);
      }),
      { numRuns: 2_000, examples: [["file"], [join(root, "file")], ["below/file"]] },
    );
    expect(opened).toBeGreaterThan(10);
  });

  it("makes nothing outside either", async () => {
    await fc.assert(
      fc.asyncProperty(path, async (asked) => {
        await using file = await given(workspace.make(`${asked}/made`));
        if (!file) return;
        expect(readlinkSync(`/proc/self/fd/${file.fd}`)).toMatch(new RegExp(`^${root}/.*made$`));
        expect(asked).not.toContain("..");
      }),
      { numRuns: 500 },
    );
    expect(readFileSync(join(base, "secret"), "utf8")).toBe("secret");
    for (const outside of [base, join(base, "workspace-beside")]) expect(() => readFileSync(join(outside, "made"))).toThrow("ENOENT");
  });
});
