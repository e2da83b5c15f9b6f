import { masked, sha256 } from "#core";
import { abridged } from "./abridge.ts";
import type { AuditEvent } from "./contract.ts";
import { type Deed, deedsOf } from "./deeds.ts";
import { auditEntry } from "./entry.ts";

/** One call of a tool, as a model asks for it or an agent is about to make it. */
export interface ToolCall {
  /** Who calls: `claude-code`, `codex`, `native`, or what a task's own program is known by. */
  readonly agent: string;
  readonly tool: string;
  /** What the tool is given, as it stands on the wire: the text of a JSON value, or a text in the tool's own form. */
  readonly input: string;
  /** `ask` waits for a person's word; of a `dry_run` nothing is executed. */
  readonly verdict: "allowed" | "denied" | "ask" | "dry_run";
  /** Why it is denied. */
  readonly reason?: string;
}

/**
 * Whose a call is, and its place. Within a task neither `at` nor, within one millisecond, `order` goes back: the audit lists calls by
 * them. The request (without one the task) and `order` name a call: told again, it stands there once.
 */
export interface CallPlace {
  readonly task: string;
  readonly key: string;
  readonly team: string;
  readonly request: string | null;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly order: number;
}

/** Characters that are kept of what a tool was given; the digest is of all of it. */
const INPUT_CHARACTERS = 4_096;
const NAME_CHARACTERS = 256;

/**
 * The audit entries of one call: a `tool_call`, beside it a `file_access`, `bash_command`, `agent_call` or `skill_call` where the tool
 * is known for one, and a `permission_denied` where it is denied. A command that may not run is critical, other refusals are warnings.
 */
export async function toolCallEntries(call: ToolCall, place: CallPlace): Promise<AuditEvent[]> {
  const { tool, verdict, reason } = call;
  const input = read(call.input);
  const deeds = deedsOf(tool, input).map((deed) => ({ ...deed, details: shortened(deed.details) }));
  const kept = abridged(input, INPUT_CHARACTERS);
  const told = {
    input: kept.value,
    input_cut: kept.cut,
    input_bytes: new TextEncoder().encode(call.input).length,
    input_sha256: await sha256(call.input),
  };
  const subject = { kind: "tool", id: tool } as const;
  const denied = verdict === "denied";
  const severity = deeds.some(({ type }) => type === "bash_command") ? "critical" : "warning";
  const entries = [
    { type: "tool_call", subject, details: told },
    ...deeds,
    ...(denied ? [{ type: "permission_denied", subject, details: shortened({ reason: reason ?? null }), severity } as const] : []),
  ];
  const marked = verdict === "allowed" ? {} : { outcome: verdict, ...(denied && { severity: "warning" as const }) };
  return entries.map((entry, part) => ({ ...entryOf({ ...marked, ...entry }, call, place), id: idOf(place, part) }));
}

type Facts = Pick<AuditEvent, "type" | "details"> &
  Partial<Pick<AuditEvent, "outcome" | "severity">> & { readonly subject: Deed["subject"] };

function entryOf({ subject, details, ...facts }: Facts, { agent, tool }: ToolCall, { order, ...whose }: CallPlace): AuditEvent {
  const named = { agent: short(agent), tool: short(tool), order };
  return auditEntry({
    ...facts,
    ...whose,
    actor: { kind: "task", id: whose.task },
    subject: { kind: subject.kind, id: short(subject.id) },
    details: { ...named, ...details },
  });
}

function shortened(details: Deed["details"]): Record<string, unknown> {
  return abridged(details, INPUT_CHARACTERS).value as Record<string, unknown>;
}

/** Sorts by the place of a call, then by the place of an entry among those of its call. */
function idOf({ request, task, order }: CallPlace, part: number): string {
  const of = (request ?? task).replace(/^[a-z]+_/, "");
  return `aud_${String(order).padStart(9, "0")}${part}_${of}`;
}

/** A name on one line: no control characters, no secrets, no more than a column holds. */
function short(name: string): string {
  return masked(name.slice(0, 2 * NAME_CHARACTERS))
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, NAME_CHARACTERS)
    .toWellFormed();
}

/** What is no JSON is a text in the tool's own form, such as a patch. */
function read(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
