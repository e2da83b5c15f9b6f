import { sha256 } from "#core";
import type { tables } from "#db";

/** An audit entry as it stands in D1; what is JSON there is the text that stands there. */
export type StoredEntry = Omit<typeof tables.auditEntries.$inferSelect, "before" | "after" | "details"> & {
  readonly before: string | null;
  readonly after: string | null;
  readonly details: string | null;
};

/** Where the previous hash would stand, for the first entry of a chain. */
export const NOTHING_BEFORE = "0".repeat(64);

/** The chain of what is no team's: what operators do to the deployment. No team's id has such a mark. */
const DEPLOYMENT = "@deployment";

const DEPTH_MAX = 64;

/** The chain that an entry belongs to: its team's, or the deployment's own. */
export function chainOf(team: string | null): string {
  return team ?? DEPLOYMENT;
}

/**
 * The hash of an entry in its place: SHA-256, in hexadecimal, over the hash before it, a line feed and the entry in canonical JSON (RFC
 * 8785), with the members that the admin plane shows of it, but `object`, `prev_hash` and `hash`. So an export can be held against
 * its hashes by anyone, with nothing of ours.
 */
export function hashOf(previous: string, entry: StoredEntry, seq: number): Promise<string> {
  return sha256(`${previous}\n${canonical(said(entry, seq))}`);
}

/** All of an entry that counts. The names are those of the admin plane for good: another list of them would be another hash. */
function said(entry: StoredEntry, seq: number) {
  const { id, at, type, severity, outcome, actorKind, actorId, subjectKind, subjectId, team, key, request, task } = entry;
  return {
    id,
    seq,
    // What is no time any more becomes null, and so another hash.
    at: new Date(at).toJSON(),
    type,
    severity,
    outcome,
    actor: { kind: actorKind, id: actorId },
    subject: subjectKind === null && subjectId === null ? null : { kind: subjectKind, id: subjectId },
    team,
    key,
    request,
    task,
    before: valueOf(entry.before),
    after: valueOf(entry.after),
    details: valueOf(entry.details),
  };
}

/** What was written is JSON; what is none was put there since, and stands for itself. */
function valueOf(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** RFC 8785: members in the order of UTF-16, and no white space. JavaScript writes numbers and texts as it says. */
function canonical(value: unknown, depth = 0): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  // Entries are a dozen deep at most (`auditEntry`); a forged one must not exhaust the stack of who looks for it.
  if (depth > DEPTH_MAX) return '"too deep"';
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, depth + 1)}`).join(",")}}`;
}
