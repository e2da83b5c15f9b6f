export { openApiDocument } from "./admin/index.ts";
export { createApp } from "./app.ts";
export { errorResponse } from "./envelope.ts";
export { pruneIdempotency } from "./admin/idempotency.ts";
export { checkPricesDaily } from "./price-check.ts";
export type { Platform } from "./platform.ts";
export { throughDoor } from "./socket.ts";
