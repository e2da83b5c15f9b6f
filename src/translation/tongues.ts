import type { Capability, Surface } from "#core";
import { readChatAnswer, writeChatAnswer } from "./chat-answer.ts";
import type { Answer, Conversation, Echo } from "./conversation.ts";
import type { Dress } from "./dress.ts";
import type { Fields, Json } from "./fields.ts";
import { ChatHearer, type Hearer } from "./hear-chat.ts";
import { MessagesHearer } from "./hear-messages.ts";
import { ResponsesHearer } from "./hear-responses.ts";
import type { Losses, Tongue } from "./losses.ts";
import { readMessagesAnswer, writeMessagesAnswer } from "./messages-answer.ts";
import { readChat } from "./read-chat.ts";
import { readMessages } from "./read-messages.ts";
import { readResponses } from "./read-responses.ts";
import { readResponsesAnswer, writeResponsesAnswer } from "./responses-answer.ts";
import { ChatTeller, type Teller, type Telling } from "./tell-chat.ts";
import { MessagesTeller } from "./tell-messages.ts";
import { ResponsesTeller } from "./tell-responses.ts";
import { writeChat } from "./write-chat.ts";
import { writeMessages } from "./write-messages.ts";
import { writeResponses } from "./write-responses.ts";

/** All that a dialect can do: understand and make requests, whole answers and streams. */
interface Speaker {
  /** What a provider is asked in it. */
  readonly surface: Exclude<Capability, Surface>;
  readonly read: (body: Fields, losses: Losses) => Conversation;
  readonly write: (asked: Conversation, losses: Losses, dress: Dress) => Json;
  readonly readAnswer: (value: Json) => Answer | null;
  readonly writeAnswer: (answer: Answer, created: number, echo?: Echo) => Json;
  readonly hearer: () => Hearer;
  readonly teller: (telling: Telling) => Teller;
}

/** The dialects, by name. */
export const TONGUES: Readonly<Record<Tongue, Speaker>> = {
  "openai-chat": {
    surface: "chat.completions",
    read: readChat,
    write: writeChat,
    readAnswer: readChatAnswer,
    writeAnswer: writeChatAnswer,
    hearer: () => new ChatHearer(),
    teller: (telling) => new ChatTeller(telling),
  },
  "openai-responses": {
    surface: "responses",
    read: readResponses,
    write: writeResponses,
    readAnswer: readResponsesAnswer,
    writeAnswer: writeResponsesAnswer,
    hearer: () => new ResponsesHearer(),
    teller: (telling) => new ResponsesTeller(telling),
  },
  anthropic: {
    surface: "messages",
    read: readMessages,
    write: writeMessages,
    readAnswer: readMessagesAnswer,
    writeAnswer: writeMessagesAnswer,
    hearer: () => new MessagesHearer(),
    teller: (telling) => new MessagesTeller(telling),
  },
};

/** The dialect that a capability is asked in, where it can be translated; null where it has no counterpart. */
export function tongueOf(capability: Capability): Tongue | null {
  return ALL.find((tongue) => TONGUES[tongue].surface === capability) ?? null;
}

const ALL = Object.keys(TONGUES) as Tongue[];
