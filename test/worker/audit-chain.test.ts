import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { type AuditFacts, auditChainOf, auditEntry, sealEntries } from "#audit";
import { ADMIN, admin, ask } from "../support/front.ts";
import { deliver } from "../support/events.ts";

interface Verified {
  readonly ok: boolean;
  readonly checked: number;
  readonly unsealed: number;
  readonly head_found: boolean | null;
  readonly fault: { readonly kind: string; readonly chain: string; readonly seq: number | null; readonly entry: string | null } | null;
  readonly next_cursor: string | null;
}

interface Head {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

interface Entry extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly seq: number;
  readonly prev_hash: string | null;
  readonly hash: string;
}

const chain = auditChainOf(env.CHAIN);
const ACTOR = { kind: "user", id: "user_chain" } as const;
let teams = 0;
const newTeam = () => `team_chain_${++teams}`;

/** Entries as the queue brings them, sealed as the consumer does. */
async function written(team: string | null, count: number, facts: Partial<AuditFacts> = {}): Promise<string[]> {
  const entries = Array.from({ length: count }, (_, at) =>
    auditEntry({ type: "chain.test", actor: ACTOR, team, at: Date.now(), details: { at, note: 'say "ü" \u2028' }, ...facts }),
  );
  expect(await deliver(entries, (events) => sealEntries(chain, events))).toEqual(entries.map(() => "ack"));
  return entries.map(({ id }) => id);
}

/** A verification from its first step to its last. */
async function verify(query = ""): Promise<Verified> {
  let checked = 0;
  let headFound = false;
  for (let cursor = ""; ;) {
    const step = await admin<Verified>("GET", `/audit/chain/verify?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    checked += step.checked;
    headFound ||= step.head_found === true;
    if (step.next_cursor === null) return { ...step, checked, head_found: step.head_found === null ? null : headFound };
    cursor = step.next_cursor;
  }
}

const heads = async () => (await admin<{ data: Head[] }>("GET", "/audit/chain")).data;
const headOf = async (name: string) => (await heads()).find(({ chain }) => chain === name);
const entriesOf = async (team: string) => (await admin<{ data: Entry[] }>("GET", `/audit?team=${team}&order=asc&limit=1000`)).data;

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

  test("seals what an operator does, by the queue's own consumer", async () => {
    const { id } = await admin<{ id: string }>("POST", "/keys", { name: "sealed" });
    const sealed = async () => (await admin<{ data: Entry[] }>("GET", `/audit?subject=${id}`)).data.map(({ hash }) => hash);
    await expect.poll(sealed, { timeout: 15_000, interval: 100 }).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await verify()).toMatchObject({ ok: true, fault: null });
  });
});

describe("A58: who asks", () => {
  test.each([
    ["from=1", 400, "from"],
    ["to=2", 400, "to"],
    ["chain=team_none", 404, null],
    ["head=abc", 400, "head"],
    ["cursor=x", 400, "cursor"],
    ["chain=deployment&from=0", 400, "from"],
    ["chain=deployment&from=3&to=2", 400, "to"],
    ["chain=deployment&from=999999", 400, "from"],
    ["seq=1", 400, "seq"],
  ])("%s is refused by name", async (query, status, param) => {
    await written(null, 1);
    const answer = await ask("GET", `/admin/v1/audit/chain/verify?${query}`, { as: ADMIN });
    const { error } = await answer.json<{ error: { param: string | null } }>();
    expect([answer.status, error.param ?? null]).toEqual([status, param]);
  });
});
