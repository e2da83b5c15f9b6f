export { Features } from "./features.ts";
export { tokensOf } from "./tokens.ts";
