import type { Profile, Violation } from "./contract.ts";
import { permit, type Permit } from "./permit.ts";
import { type CallbackReach, parseTask, rootOf, type TaskRequest } from "./request.ts";

/** What a request would run with, null where it would not run, and everything that is in its way. */
export interface Prospect {
  readonly permit: Permit | null;
  /** What can be read of it, without the fields that are wrong. */
  readonly request: TaskRequest | null;
  readonly violations: readonly Violation[];
}

/** What a request comes to under a profile: what is wrong with its form and what the profile has against the rest of it, at once. */
export function prospectOf(body: unknown, profile: Profile | null, reach?: CallbackReach): Prospect {
  const { request, problems } = parseTask(body, reach);
  const met = profile && request && permit(profile, request);
  // What a profile has against a field that is wrong already would only repeat it.
  const wrong = new Set(problems.map(({ name }) => rootOf(name)));
  const against = (met?.violations ?? []).filter(({ field }) => field === null || !wrong.has(rootOf(field)));
  return { permit: problems.length === 0 ? met : null, request, violations: [...problems, ...against] };
}
