export { CONTAINER_GATEWAY } from "./container.ts";
export type { Profile, TaskView, Violation } from "./contract.ts";
export type { Permit } from "./permit.ts";
export { type ProfileRow, ProfileStore } from "./profiles.ts";
export { DIMENSIONS, type Tally, taskReport } from "./report.ts";
export { TASK_BYTES_MAX } from "./request.ts";
export { RunnerHealth } from "./runner-health.ts";
export { Tasks } from "./tasks.ts";
