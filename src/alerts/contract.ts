import { tables } from "#db";

/** Every type of alert there is; a webhook may name those that it wants. */
export const ALERTS = tables.alerts.type.enumValues;

/** An alert as stored. */
export type AlertRow = typeof tables.alerts.$inferSelect;

/** Something that somebody should know of, once for its subject, threshold and window. */
export type Alert = Pick<
  AlertRow,
  "type" | "severity" | "subjectKind" | "subjectId" | "threshold" | "windowStart" | "team" | "key" | "data"
>;

/** What is looked at of a finished request. */
export interface Finished {
  readonly invocation: {
    readonly at: number;
    readonly team: string;
    readonly key: string;
    readonly provider: string | null;
    readonly model: string | null;
    readonly outcome: string;
  };
  readonly cost: { readonly priceState: string } | null;
  readonly refusedBy?: { readonly budget: string; readonly windowStart: number | null } | null | undefined;
  readonly policies?:
    | readonly {
        readonly policy: string;
        readonly version: string;
        readonly mode: "shadow" | "canary" | "enforce";
        readonly stage: string;
        readonly failure: string | null;
      }[]
    | undefined;
  readonly charges: readonly { readonly budget: string; readonly windowStart: number | null; readonly spent?: number | undefined }[];
}
