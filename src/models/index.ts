export { PriceBook } from "./book.ts";
export { bounds, LIKELY_OUTPUT_TOKENS, outputCap } from "./bounds.ts";
export { listModels, type ModelCard } from "./cards.ts";
export * from "./contract.ts";
export { receipt } from "./receipt.ts";
export { allowed, resolveModel } from "./resolve.ts";
export { type ModelRow, ModelStore } from "./store.ts";
export { PriceStore } from "./price-store.ts";
