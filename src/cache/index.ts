export type { CacheScope, Ended, Facts, Found, News } from "./contract.ts";
export { digestOf, isRepeatable } from "./question.ts";
export { type Cache, cacheOf, type Shelf } from "./stub.ts";
