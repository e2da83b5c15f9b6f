export { createApp } from "./app.ts";
export { errorResponse } from "./envelope.ts";
export type { Platform } from "./platform.ts";
