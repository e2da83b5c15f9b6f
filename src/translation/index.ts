export type { Answer, Conversation, Message, Part, Step, TextPart } from "./conversation.ts";
export { FAILED } from "./fits.ts";
export { Fields } from "./fields.ts";
export { Losses, LOSSES, type Tongue } from "./losses.ts";
export type { Spaces } from "./namespaces.ts";
export { isPacked } from "./seal.ts";
export { TONGUES, tongueOf } from "./tongues.ts";
export { type Pair, StreamTranslator, translateAnswer, translateError, translateRequest } from "./translate.ts";
