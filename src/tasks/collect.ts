import type { Artifacts } from "./artifacts.ts";
import type { Task } from "./contract.ts";
import { type RunnerJob, RunnerRefusal } from "./runner.ts";

const TRIES = 3;
/** Headers, names and padding of as many files as a workspace may hold. */
const PACKING_BYTES = 256 * 2 ** 20;

/** What a task left, in the bucket. */
export function keyOf({ team, id }: Pick<Task, "team" | "id">): string {
  return `artifacts/${team}/${id}.tar`;
}

/** Keeps what a task's job left; what of it could not be kept, in words. */
export async function collect(task: Task, job: RunnerJob, artifacts: Artifacts): Promise<string | null> {
  const { filesystem, diskMb } = task.effective;
  if (filesystem === "none") return null;
  // A sparse file says that it is larger than the disk.
  const bytesMax = diskMb * 2 ** 20 + PACKING_BYTES;
  for (let tries = 1; ; tries++) {
    try {
      return (await artifacts.keep(await job.artifacts(), keyOf(task), bytesMax)) ? null : "what it left is too large and was not kept";
    } catch (error) {
      if (error instanceof RunnerRefusal) return `what it left could not be kept: ${error.message}`;
      if (tries === TRIES) return "what it left could not be fetched";
    }
  }
}
