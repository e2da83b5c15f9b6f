import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Place, TarScan } from "../../../src/tasks/tar.ts";

const LONG = `${"d".repeat(120)}/${"f".repeat(120)}.txt`;
const STRANGE = ["new\nline", "größe 漢字 🙂", "..x", "-rf", "a:b", "back\\slash", " ", "%2e%2e"];
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
  for (const name of STRANGE) writeFileSync(join(folder, name), "strange");
  const inner = mkdtempSync(join(tmpdir(), "tollgate-inner-"));
  writeFileSync(join(inner, "inner.txt"), "inner");
  writeFileSync(join(folder, "evil.tar"), execFileSync("tar", ["--create", "--file=-", "."], { cwd: inner }));
  rmSync(inner, { recursive: true });
  tar = execFileSync("tar", ["--create", "--file=-", "--sort=name", "--numeric-owner", "."], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where files lie, as bytes pass in parts of one length. */
function placesBy(length: number): Map<string, Place> {
  const places = new Map<string, Place>();
  const scan = new TarScan((path, place) => places.set(path, place));
  for (let at = 0; at < tar.length; at += length) scan.pass(tar.subarray(at, at + length));
  expect(scan.bytes).toBe(tar.length);
  return places;
}

function textOf(path: string, length = 700): string | null {
  const place = placesBy(length).get(path);
  return place ? tar.subarray(place.from, place.from + place.length).toString("utf8") : null;
}

it.each([1, 511, 512, 700, 1_000_000])("finds each file by its path, whole, however long its name, in parts of %i bytes", (length) => {
  expect(textOf("a.txt", length)).toBe("one");
  expect(textOf("empty", length)).toBe("");
  expect(textOf("big", length)).toBe("x".repeat(70_000));
  expect(textOf(LONG, length)).toBe("far");
});

it("a file that looks like a tar hides no file in it, and strange names are what they are", () => {
  expect(textOf("inner.txt")).toBeNull();
  expect(textOf("evil.tar")).toContain("inner.txt");
  for (const name of STRANGE) expect(textOf(name)).toBe("strange");
});

it("what is no regular file, or not there, is none", () => {
  for (const path of ["link", "second", "none", ".", "", "../a.txt", "a.txt/", "d".repeat(120)]) expect(textOf(path)).toBeNull();
});
