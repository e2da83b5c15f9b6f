import { type Caller, newId } from "#core";
import type { Effective, Profile, Task } from "./contract.ts";
import type { TaskRequest } from "./request.ts";

interface Making {
  readonly profile: Profile;
  readonly request: TaskRequest;
  readonly effective: Effective;
  readonly now: number;
}

/** A task as it stands before anything of it has begun. */
export function newTask({ key, team }: Caller, { profile, request, effective, now }: Making): Task {
  const id = newId("task", now);
  const made = { id, key, team, profile: profile.name, status: "pending" as const };
  const { model = null, metadata, output_schema: outputSchema = null } = request;
  const asked = { effective, model, metadata, outputSchema, callbackUrl: request.callback_url ?? null };
  return { ...made, ...asked, createdAt: now, startedAt: null, end: null, spentNano: null };
}
