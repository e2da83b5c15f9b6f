export type { Elsewhere, Here, Json, Kept } from "./contract.ts";
export { conversationOf, inputPage, itemIn, itemsOf, listed, responseOf, type Slice } from "./items.ts";
export { type Responses, responsesOf } from "./responses.ts";
