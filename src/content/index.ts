export { Contents } from "./contents.ts";
export type { Content, Kept } from "./contract.ts";
