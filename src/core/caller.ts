/** What an authenticated credential may be, from most to least. A key holder acts only for its own key. */
export const ROLES = ["owner", "operator", "analyst", "auditor", "key_holder"] as const;
export type Role = (typeof ROLES)[number];

/** Where a budget stands. `deployment` has the empty id. */
export interface Scope {
  readonly kind: "deployment" | "team" | "user" | "key" | "tag" | "end_user";
  readonly id: string;
}

/** Limits of pace on one key; null means none. */
export interface PaceLimits {
  /** Requests per sliding minute. */
  readonly rpm: number | null;
  /** Tokens, input and output, per sliding minute. */
  readonly tpm: number | null;
  /** Requests in flight. */
  readonly concurrency: number | null;
}

/**
 * Who is calling: the facts of one key, as read from the control plane at `epoch`. An isolate may hold them for long,
 * because every admission carries the epoch to the ledger, which answers `stale` when the key has changed since.
 */
export interface Caller {
  /** `key_` and the public id. */
  readonly key: string;
  readonly name: string;
  readonly team: string;
  readonly user: string | null;
  readonly role: Role;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly models: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly limits: PaceLimits;
  readonly unknownPrice: "charge_dearest" | "refuse";
  readonly contentLogging: "off" | "redacted" | "full";
  readonly cache: "off" | "key" | "team";
  /** Whether answers of Responses are kept for later turns; a request may say that its own is not. */
  readonly responses: "kept" | "off";
  /** Names what the key's tasks may do; null: it may run none. */
  readonly profile: string | null;
  /** The task that calls, in the name of its key; null where the key itself does. */
  readonly task: string | null;
  /** Milliseconds; null means never. */
  readonly expiresAt: number | null;
  /** Grows with every change of the key. */
  readonly epoch: number;
}
