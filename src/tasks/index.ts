export { CONTAINER_GATEWAY } from "./container.ts";
export type { Profile, TaskView } from "./contract.ts";
export type { TaskFilter } from "./oversight.ts";
export { type ProfileRow, ProfileStore } from "./profiles.ts";
export { DIMENSIONS, type Tally, taskReport } from "./report.ts";
export { taskShape, verdictShape } from "./shape.ts";
export { TASK_BYTES_MAX } from "./request.ts";
export { Tasks } from "./tasks.ts";
