import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { type AuditChain, auditChainOf, type AuditFacts, auditEntry, sealEntries } from "#audit";
import { admin } from "./front.ts";
import { deliver } from "./events.ts";

/** Chains of the audit: entries that come into them, and what the admin plane says of them. */

export interface Verified {
  readonly ok: boolean;
  readonly checked: number;
  readonly unsealed: number;
  readonly heads_found: readonly string[];
  readonly fault: {
    readonly kind: string;
    readonly chain: string;
    readonly seq: number | null;
    readonly entry: string | null;
    readonly message: string;
  } | null;
  readonly next_cursor: string | null;
}

export interface Entry extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly seq: number;
  readonly prev_hash: string | null;
  readonly hash: string;
}

/** The one that the deployment has. */
export const chain = auditChainOf(env.CHAIN);

let teams = 0;
export const newTeam = () => `team_chain_${++teams}`;

export function entriesFor(team: string | null, count: number, facts: Partial<AuditFacts> = {}) {
  const actor = { kind: "user", id: "user_chain" } as const;
  const details = (at: number) => ({ at, 10: "ten", 9: "nine", share: 0.1, note: 'say "ü" \u2028 \ud800' });
  return Array.from({ length: count }, (_, at) => auditEntry({ type: "chain.test", actor, team, details: details(at), ...facts }));
}

/** Entries as the queue brings them, sealed as the consumer has it done; their ids. */
export async function written(team: string | null, count: number, facts: Partial<AuditFacts> = {}, keeper: AuditChain = chain) {
  const entries = entriesFor(team, count, facts);
  for (let at = 0; at < count; at += 100) {
    const batch = entries.slice(at, at + 100);
    expect(await deliver(batch, (events) => sealEntries(keeper, events))).toEqual(batch.map(() => "ack"));
  }
  return entries.map(({ id }) => id);
}

/** A verification from its first step to its last. */
export async function verify(query = ""): Promise<Verified> {
  let checked = 0;
  const heads: string[] = [];
  for (let cursor = ""; ;) {
    const step = await admin<Verified>("GET", `/audit/chain/verify?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    checked += step.checked;
    heads.push(...step.heads_found);
    if (step.next_cursor === null) return { ...step, checked, heads_found: heads };
    cursor = step.next_cursor;
  }
}

/** The oldest entries of a team, as the audit shows them. */
export async function entriesOf(team: string): Promise<Entry[]> {
  return (await admin<{ data: Entry[] }>("GET", `/audit?team=${team}&order=asc&limit=1000`)).data;
}

/** Where a chain ends. */
export async function headOf(name: string): Promise<{ readonly seq: number; readonly hash: string } | undefined> {
  const { data } = await admin<{ data: { chain: string; seq: number; hash: string }[] }>("GET", "/audit/chain");
  return data.find((head) => head.chain === name);
}
