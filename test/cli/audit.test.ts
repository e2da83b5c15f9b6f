import { expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });

it("A57: audit search shows exactly the API's objects, by words, type, subject and time, from either end", async () => {
  const { id } = await admin().call<{ id: string }>("POST", "/keys", { name: "zanzibar clove" });
  await admin().call("PATCH", `/keys/${id}`, { name: "zanzibar pepper" });
  const search = ["audit", "search", "--subject", id];
  await expect.poll(async () => (await rows(search)).length, { timeout: 15_000, interval: 500 }).toBe(2);
  const { data } = await admin().call<{ data: { type: string }[] }>("GET", `/audit?subject=${id}`);
  expect(data.map(({ type }) => type)).toEqual(["key.update", "key.create"]);
  expect(await rows(search)).toEqual(data);
  expect(await rows([...search, "--order", "asc"])).toEqual(data.toReversed());
  expect(await rows(["audit", "search", "--q", "zanzibar pepper"])).toEqual([data[0]]);
  expect(await rows(["audit", "search", "--q", '"zanzibar clove"', "--type", "key.create", "--from", "1h"])).toEqual([data[1]]);
  expect(await rows([...search, "--to", "1h"])).toEqual([]);
  const { out } = await tollgate(search);
  expect(out.split("\n")[0]).toMatch(/^AT +SEQ +SEVERITY +TYPE +OUTCOME +ACTOR +SUBJECT +TASK +DETAILS$/);
  expect(out).toContain("key.update");
});

it("A57: audit search says what is wrong with words that hold none, and where nothing is found", async () => {
  const wordless = await tollgate(["audit", "search", "--q", "!! ?"]);
  expect([wordless.code, wordless.out, wordless.err]).toEqual([1, "", expect.stringContaining("--q")]);
  expect(wordless.err).toContain("a word has a letter or a digit");
  const none = await tollgate(["audit", "search", "--q", "nobody wrote zzyzx"]);
  expect([none.code, none.out, none.err]).toEqual([0, "", "There are no such entries.\n"]);
});

it("A58: audit chain shows where each chain ends, and audit verify that it goes on from there; without, it ends with 4", async () => {
  const { id: team } = await admin().call<{ id: string }>("POST", "/teams", { name: "chained" });
  const { id } = await admin().call<{ id: string }>("POST", "/keys", { name: "chained", team });
  const seals = async () => (await rows<{ seq: number | null }>(["audit", "search", "--subject", id])).map(({ seq }) => typeof seq);
  await expect.poll(seals, { timeout: 15_000, interval: 500 }).toEqual(["number"]);
  const ends = await rows<{ chain: string; seq: number; hash: string }>(["audit", "chain"]);
  expect(ends).toContainEqual(expect.objectContaining({ object: "audit_chain", seq: expect.any(Number) as number }));
  const [{ chain, seq, hash } = { chain: "", seq: 0, hash: "" }] = ends;
  const verified = await rows(["audit", "verify", "--head", hash]);
  expect(verified).toEqual([
    expect.objectContaining({ object: "audit_verification", ok: true, heads_found: [hash], heads_missing: [], fault: null }),
  ]);
  const part = await tollgate(["audit", "verify", "--chain", chain, "--from", String(seq), "--to", String(seq)]);
  expect([part.code, part.out.split("\n")[0]]).toEqual([0, "1 checked: all are what was sealed."]);
  const lost = await tollgate(["audit", "verify", "--head", "0".repeat(64)]);
  expect([lost.code, lost.out]).toEqual([4, expect.stringContaining(`no chain holds ${"0".repeat(64)}`)]);
  const wrong = await tollgate(["audit", "verify", "--from", "3"]);
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("--from")]);
});
