export type { Answer, Conversation, Echo, Message, Part, Step, TextPart } from "./conversation.ts";
export { Fields } from "./fields.ts";
export { Ledger, LOSSES, type Tongue } from "./losses.ts";
export { TONGUES } from "./tongues.ts";
export { type Pair, StreamTranslator, translateAnswer, translateError, translateRequest } from "./translate.ts";
