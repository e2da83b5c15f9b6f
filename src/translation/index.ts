export type { Tongue } from "./losses.ts";
export { type Pair, StreamTranslator, translateAnswer, translateError, translateRequest } from "./translate.ts";
