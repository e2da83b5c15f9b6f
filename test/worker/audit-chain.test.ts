import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { sha256 } from "#core";
import { platformOf } from "../../src/compose.ts";
import { housekeeping } from "../../src/housekeeping.ts";
import { chain, entriesFor, entriesOf, headOf, newTeam, verify, written } from "../support/chain.ts";
import { deliver } from "../support/events.ts";
import { ADMIN, admin, ask } from "../support/front.ts";

interface Head {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

/** Canonical JSON by RFC 8785, written here once more, as somebody would who trusts no code of ours. */
function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const names = Object.keys(value).toSorted();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`).join()}}`;
}

describe("A58: the chain", () => {
  test("gives every entry of a team a place without gaps, and shows it with its hashes", async () => {
    const team = newTeam();
    await written(team, 3);
    await written(newTeam(), 2);
    await written(team, 2);
    const entries = await entriesOf(team);
    expect(entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(entries[0]?.prev_hash).toBe("0".repeat(64));
    for (const [at, entry] of entries.slice(1).entries()) expect(entry.prev_hash).toBe(entries[at]?.hash);
    expect(await headOf(team)).toMatchObject({ object: "audit_chain", seq: 5, hash: entries[4]?.hash });
    expect(await verify(`chain=${team}`)).toMatchObject({ ok: true, checked: 5, unsealed: 0, fault: null });
  });

  test("a hash is SHA-256 over the one before and the entry as it is shown, in canonical JSON", async () => {
    const team = newTeam();
    await written(team, 2, { subject: { kind: "file", id: "/etc/pass\u0001wd" }, before: { z: [1e21, -0, null], a: true }, after: "text" });
    for (const { object, prev_hash, hash, ...shown } of await entriesOf(team)) {
      expect(object).toBe("audit_entry");
      expect(hash).toBe(await sha256(`${prev_hash}\n${canonical(shown)}`));
    }
  });

  test("seals what an operator does, by the queue's own consumer", async () => {
    const { id } = await admin<{ id: string }>("POST", "/keys", { name: "sealed" });
    const sealed = async () => (await admin<{ data: { hash: string }[] }>("GET", `/audit?subject=${id}`)).data.map(({ hash }) => hash);
    await expect.poll(sealed, { timeout: 15_000, interval: 100 }).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await verify()).toMatchObject({ ok: true, fault: null });
  });

  test("an entry that is underway is counted, is no fault, and gets its place when its message comes again", async () => {
    const team = newTeam();
    await written(team, 1);
    const entries = entriesFor(team, 2);
    const down = () => Promise.reject(new Error("the keeper is down"));
    expect(await deliver(entries, down)).toEqual(["retry", "retry"]);
    expect(await verify(`chain=${team}`)).toMatchObject({ ok: true, checked: 1, unsealed: 2 });
    expect((await entriesOf(team)).map(({ seq, hash }) => [seq, hash === null])).toEqual([[1, false], [null, true], [null, true]]); // prettier-ignore
    await chain.seal(entries.map(({ id }) => id));
    expect(await verify(`chain=${team}`)).toMatchObject({ ok: true, checked: 3, unsealed: 0 });
  });

  test("a part of a chain is verified from any place to any other", async () => {
    const team = newTeam();
    await written(team, 9);
    for (const [from, to, checked] of [
      [1, 9, 9],
      [4, 6, 3],
      [9, 9, 1],
      [5, 99, 5],
    ])
      // prettier-ignore
      expect(await verify(`chain=${team}&from=${from}&to=${to}`)).toMatchObject({ ok: true, checked });
  });

  test("verification goes in steps, of a long chain and of many short ones, and counts each entry once", async () => {
    const teams = Array.from({ length: 60 }, newTeam);
    for (const team of teams) await written(team, 2);
    await written(teams[30]!, 1_098);
    const heads = await chain.heads();
    let steps = 0;
    let checked = 0;
    for (let cursor = ""; ; steps++) {
      const step = await admin<{ checked: number; next_cursor: string | null }>("GET", `/audit/chain/verify?${cursor}`);
      expect(step).toMatchObject({ ok: true, fault: null });
      expect(step.checked).toBeLessThanOrEqual(500);
      checked += step.checked;
      if (step.next_cursor === null) break;
      cursor = `cursor=${encodeURIComponent(step.next_cursor)}`;
    }
    const all = (which: (name: string) => boolean) => heads.filter((head) => which(head.chain)).reduce((sum, { seq }) => sum + seq, 0);
    expect(checked).toBeGreaterThanOrEqual(all(() => true));
    expect(all((name) => teams.includes(name))).toBe(1_218);
    expect(steps).toBeLessThan(10);
  });

  test("hashes that were kept are found in the chains that go on from them", async () => {
    const teams = [newTeam(), newTeam()];
    const kept: string[] = [];
    for (const team of teams) {
      await written(team, 2);
      kept.push((await headOf(team))!.hash);
      await written(team, 2);
    }
    const found = async (query: string) => (await verify(query)).heads_found.toSorted();
    expect(await found(`head=${[...kept, "0".repeat(64)].join()}`)).toEqual(kept.toSorted());
    expect(await found(`chain=${teams[0]}&head=${kept.join()}`)).toEqual([kept[0]]);
    expect(await found("")).toEqual([]);
  });

  test("a hash that was kept is found by who goes on from the place behind it, once, however many steps that takes", async () => {
    const team = newTeam();
    await written(team, 3);
    const { hash } = (await headOf(team))!;
    await written(team, 1_000);
    expect(await verify(`chain=${team}&from=4&head=${hash}`)).toMatchObject({ ok: true, checked: 1_000, heads_found: [hash] });
    expect((await verify(`chain=${team}&from=5&head=${hash}`)).heads_found).toEqual([]);
    expect((await verify(`chain=${team}&head=${hash}`)).heads_found).toEqual([hash]);
  });
});

test("A58, threat 43: an entry that was given a place in a chain which nobody keeps is one that was put there", async () => {
  expect((await verify()).ok).toBe(true);
  const [entry] = entriesFor(newTeam(), 1, { at: 1 });
  expect(await deliver([entry])).toEqual(["ack"]);
  const hash = await sha256("whatever");
  await env.DB.prepare("insert into audit_seals (chain, seq, entry, hash) values (?, 1, ?, ?)").bind(entry!.team, entry!.id, hash).run();
  expect((await verify()).fault).toMatchObject({ kind: "inserted", chain: entry!.team, seq: null, entry: entry!.id });
});

test("threat 43: once a day every webhook, and the audit, is told where each chain ends, whatever number there is", async () => {
  await Promise.all(Array.from({ length: 100 }, () => written(newTeam(), 1)));
  const { id } = await admin<{ id: string }>("POST", "/webhooks", { url: "https://hooks.example.com/x", events: ["audit.checkpoint"] });
  const platform = platformOf({ ...env } as Env);
  const at = (hour: number) => housekeeping({ ...platform, now: () => Date.UTC(2026, 10, 21, hour) });
  const teamsOnly = (heads: readonly Head[]) => heads.filter((head) => head.chain.startsWith("team_chain_"));
  const before = teamsOnly(await chain.heads());
  for (const hour of [0, 4, 23]) await at(hour);
  const letters = async () => (await admin<{ data: { data: { heads: Head[] } }[] }>("GET", "/alerts?type=audit.checkpoint")).data;
  const told = teamsOnly((await letters()).flatMap(({ data }) => data.heads));
  expect(before.length).toBeGreaterThan(100);
  expect(new Map(told.map((head) => [head.chain, head]))).toEqual(
    new Map(before.map(({ chain, seq, hash }) => [chain, { chain, seq, hash }])),
  );
  expect(told).toHaveLength(before.length);
  expect((await admin<{ data: unknown[] }>("GET", `/webhooks/${id}/deliveries`)).data).toHaveLength((await letters()).length);
  const count = (await letters()).length;
  await at(24);
  expect(await letters()).toHaveLength(2 * count);
});

describe("A58: who asks", () => {
  test.each([
    ["from=1", 400, "from"],
    ["to=2", 400, "to"],
    ["chain=team_none", 404, null],
    ["head=abc", 400, "head"],
    ["cursor=x", 400, "cursor"],
    ["cursor=team_none.1", 400, "cursor"],
    ["cursor=@deployment.999999", 400, "cursor"],
    ["chain=@deployment&to=1&cursor=@deployment.2", 400, "cursor"],
    ["chain=@deployment&from=0", 400, "from"],
    ["chain=@deployment&from=3&to=2", 400, "to"],
    ["chain=@deployment&from=999999", 400, "from"],
    ["seq=1", 400, "seq"],
  ])("%s is refused by name", async (query, status, param) => {
    await written(null, 1);
    const answer = await ask("GET", `/admin/v1/audit/chain/verify?${query}`, { as: ADMIN });
    const { error } = await answer.json<{ error: { param: string | null } }>();
    expect([answer.status, error.param ?? null]).toEqual([status, param]);
  });
});
