import type { Scope } from "#core";

/** Scopes that cut across teams. Each has a ledger of its own, beside those of the teams. */
const WIDER: ReadonlySet<Scope["kind"]> = new Set(["deployment", "tag", "end_user"]);

/** The name of the ledger that enforces a scope across teams; null for a scope inside one. */
export function widerLedger({ kind, id }: Scope): string | null {
  if (!WIDER.has(kind)) return null;
  return kind === "deployment" ? kind : `${kind}:${id}`;
}

/** Whether a ledger's name is that of a scope across teams; teams are named `team_…`. */
export function isWider(ledger: string): boolean {
  return ledger === "deployment" || ledger.startsWith("tag:") || ledger.startsWith("end_user:");
}

/** Who and what a request is for, as far as it may be bound across teams. */
export interface Bearer {
  readonly tags: readonly string[];
  readonly endUser: string | null;
}

/** The scopes across teams that have budgets. */
export class WiderScopes {
  readonly #ledgers: ReadonlySet<string> | null;

  /** `ledgers` is null where there are too many to list: then each that a request names is asked. */
  constructor(ledgers: readonly string[] | null) {
    this.#ledgers = ledgers && new Set(ledgers);
  }

  /** The ledgers that bind a request, beside its team's. */
  of({ tags, endUser }: Bearer): string[] {
    if (this.#ledgers?.size === 0) return [];
    const scopes: Scope[] = [
      { kind: "deployment", id: "" },
      ...[...new Set(tags)].map((id) => ({ kind: "tag" as const, id })),
      ...(endUser === null ? [] : [{ kind: "end_user" as const, id: endUser }]),
    ];
    const names = scopes.map((scope) => widerLedger(scope)!);
    return this.#ledgers ? names.filter((name) => this.#ledgers!.has(name)) : names;
  }
}
