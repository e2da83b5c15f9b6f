import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fileIn, streamOf } from "../../../src/tasks/tar.ts";

const LONG = `${"d".repeat(120)}/${"f".repeat(120)}.txt`;
let folder = "";
let tar: Buffer;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tollgate-tar-"));
  mkdirSync(join(folder, "d".repeat(120)));
  writeFileSync(join(folder, "a.txt"), "one");
  writeFileSync(join(folder, "empty"), "");
  writeFileSync(join(folder, "big"), Buffer.alloc(70_000, "x"));
  writeFileSync(join(folder, LONG), "far");
  symlinkSync("/etc/passwd", join(folder, "link"));
  linkSync(join(folder, "a.txt"), join(folder, "second"));
  tar = execFileSync("tar", ["--create", "--file=-", "--sort=name", "--numeric-owner", "."], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Reads in pieces, as they are stored. */
const read = (from: number, length: number) =>
  Uint8Array.from(tar.subarray(from, Math.min(from + length, (Math.floor(from / 700) + 1) * 700)));

async function textOf(path: string): Promise<string | null> {
  const place = fileIn(read, tar.length, path);
  return place && new Response(streamOf(read, place)).text();
}

it("finds each file by its path, whole, however long its name and wherever its pieces end", async () => {
  expect(await textOf("a.txt")).toBe("one");
  expect(await textOf("empty")).toBe("");
  expect((await textOf("big"))?.length).toBe(70_000);
  expect(await textOf(LONG)).toBe("far");
});

it("what is no regular file, or not there, is none", async () => {
  for (const path of ["link", "second", "none", ".", "", "../a.txt", "a.txt/", "d".repeat(120)]) expect(await textOf(path)).toBeNull();
});
