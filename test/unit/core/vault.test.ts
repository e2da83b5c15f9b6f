import { expect, it } from "vitest";
import { aadOf, open, rewrap, seal } from "#core";

const FIRST = "first-master-key-0123456789abcdefghij";
const SECOND = "second-master-key-0123456789abcdefghi";
const aad = aadOf("team_a", "prv_a", 1);

it("opens what it sealed, and not for another row, version or master key", async () => {
  const sealed = await seal("sk-secret", FIRST, aad);
  expect(sealed).toMatch(/^v1\.[\w-]+\.[\w-]+$/);
  expect(await open(sealed, [SECOND, FIRST], aad)).toBe("sk-secret");
  await expect(open(sealed, [FIRST], aadOf("team_a", "prv_b", 1))).rejects.toThrow("none of the master keys");
  await expect(open(sealed, [FIRST], aadOf("team_a", "prv_a", 2))).rejects.toThrow("none of the master keys");
  await expect(open(sealed, [SECOND], aad)).rejects.toThrow("none of the master keys");
  await expect(open("sk-secret", [FIRST], aad)).rejects.toThrow("not a sealed credential");
});

it("refuses a ciphertext swapped in from another secret", async () => {
  const [one, two] = [await seal("one", FIRST, aad), await seal("two", FIRST, aad)];
  const mixed = [...one.split(".").slice(0, 2), two.split(".")[2]].join(".");
  await expect(open(mixed, [FIRST], aad)).rejects.toThrow("was changed");
});

it("rotates to a new master key without touching the ciphertext", async () => {
  const sealed = await seal("sk-secret", FIRST, aad);
  const rotated = await rewrap(sealed, [SECOND, FIRST], aad);
  expect(rotated.split(".")[2]).toBe(sealed.split(".")[2]);
  expect(await open(rotated, [SECOND], aad)).toBe("sk-secret");
  await expect(open(rotated, [FIRST], aad)).rejects.toThrow("none of the master keys");
});

it("repeats no IV over 10,000 seals", { timeout: 30_000 }, async () => {
  const ivs = new Set<string>();
  for (let batch = 0; batch < 10; batch++) {
    const sealed = await Promise.all(Array.from({ length: 1000 }, () => seal("same", FIRST, aad)));
    for (const text of sealed) for (const part of text.split(".").slice(1)) ivs.add(part.slice(0, 16));
  }
  expect(ivs.size).toBe(20_000);
});
