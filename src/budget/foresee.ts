import type { Admission, KeyStatus, Refusal } from "./contract.ts";
import { type Grant, grant } from "./grant.ts";
import { paceRefusal } from "./pace.ts";

/**
 * What an admission would be told where a key's status is as given. Nothing is held, so that the real admission, later, may be told
 * otherwise.
 */
export function foresee(
  status: KeyStatus,
  admission: Pick<Admission, "floor" | "likely" | "ceiling" | "stream">,
  now: number,
): Grant | Refusal {
  if (!status.active) return { kind: "inactive" };
  const { limits, rpm, tpm, inFlight, budgets } = status;
  const used = (pace: typeof rpm) => (pace ? pace.limit - pace.remaining : 0);
  const recent = { seconds: [], requests: used(rpm), tokens: used(tpm), inFlight, lent: { requests: 0, tokens: 0, slots: 0 } };
  const refused = paceRefusal(limits, recent, admission.likely.tokens, now);
  if (refused) return refused;
  const path = budgets.map(({ budget, spent, reserved, over }) => ({ budget, balance: { spent, reserved, over } }));
  return grant(admission, path, now);
}
