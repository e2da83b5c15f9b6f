export { readAsk } from "./ask.ts";
export { readDescribed } from "./described.ts";
export type { Ask, Edits, Reported, ShownCost } from "./contract.ts";
export { addCostToStream, cutUsageChunk, spliceCost } from "./edit-stream.ts";
export { errorBody, streamError } from "./envelope.ts";
export { reportedFromJson, StreamReader } from "./report.ts";
export { rewrite } from "./rewrite.ts";
export { screened } from "./screen-stream.ts";
export { redactAnswer, redactRequest, saidInAnswer, saidInRequest } from "./texts.ts";
