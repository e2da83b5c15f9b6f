import { expect, test } from "vitest";
import { certified, digest, equalText, mint, parse } from "../../../src/keys/secret.ts";

const PEPPER = "a pepper that is long enough to be one";

test("a minted key parses back, certifies itself and has the digest that is stored", async () => {
  const minted = await mint(PEPPER);
  expect(minted.text).toMatch(/^sk-tg-[a-z0-9]{12}-[A-Za-z0-9]{43}$/);
  const parts = parse(minted.text)!;
  expect(parts).toEqual({ id: minted.id, secret: minted.secret });
  expect(await certified(PEPPER, parts.id)).toBe(true);
  expect(await digest(PEPPER, parts)).toBe(minted.digest);
  expect(minted.digest).toMatch(/^[0-9a-f]{64}$/);
});

test("threat 2: another pepper neither certifies nor digests the same", async () => {
  const minted = await mint(PEPPER);
  expect(await certified(`${PEPPER}!`, minted.id)).toBe(false);
  expect(await digest(`${PEPPER}!`, minted)).not.toBe(minted.digest);
});

test("every foreign character of a public id breaks its certificate", async () => {
  const { id } = await mint(PEPPER);
  for (let at = 0; at < id.length; at++) {
    const forged = id.slice(0, at) + (id[at] === "a" ? "b" : "a") + id.slice(at + 1);
    expect(await certified(PEPPER, forged)).toBe(false);
  }
});

test("text that is not a key is null, whatever its length", () => {
  for (const text of ["", "sk-tg-", "sk-tg-' OR 1=1 --", "x".repeat(65_536), `sk-tg-${"a".repeat(12)}-${"_".repeat(43)}`])
    expect(parse(text)).toBeNull();
});

test("equalText is equality", () => {
  expect(equalText("abc", "abc")).toBe(true);
  expect(equalText("abc", "abd")).toBe(false);
  expect(equalText("abc", "abcd")).toBe(false);
  expect(equalText("", "a")).toBe(false);
});
