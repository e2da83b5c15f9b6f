export type { Arrival, Directions, Gateway } from "./contract.ts";
export { DirectoryCache, type DirectorySource } from "./directory.ts";
export { quote, type Quote } from "./quote.ts";
export { type Named, StoredResponses } from "./stored.ts";
export { barrier } from "./barrier.ts";
export { serve } from "./serve.ts";
export { Timers } from "./timers.ts";
export { explain, type Explanation } from "./explain.ts";
