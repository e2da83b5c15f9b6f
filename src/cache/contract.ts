import type { Capability } from "#core";

/** Whose answers may be given to whom: those of one key, or of every key of a team that shares them. */
export interface CacheScope {
  readonly kind: "key" | "team";
  readonly id: string;
}

/** A request as its provider would get it: what two requests must have in common to be the same question. */
export interface Question {
  readonly scope: CacheScope;
  /** The dialect that the caller speaks, and the one that the provider is asked in. */
  readonly asked: Capability;
  readonly capability: Capability;
  readonly provider: string;
  readonly kind: string;
  readonly baseUrl: string;
  readonly model: string;
  /** The body's text as it would be sent. */
  readonly body: string;
  /** The headers that would be sent. */
  readonly headers: Headers;
  readonly search: string;
}

/** What is known of an answer before its bytes. */
export interface Facts {
  readonly contentType: string;
  /** Milliseconds UTC: when the provider began to answer. */
  readonly madeAt: number;
  /** The request that it was made for. */
  readonly request: string;
  /** The provider's credential that it was made with; null for its first. What the provider keeps of it, no other can name. */
  readonly account: string | null;
}

/** What an answer may take up, and for how long it is kept. */
export interface Room {
  readonly ttlMs: number;
  readonly answerBytesMax: number;
  /** Of all answers of the scope together. */
  readonly scopeBytesMax: number;
}

/** A request that asks whether its answer is there. */
export interface Look {
  readonly digest: string;
  /** An older answer will not do; null where any will that is still kept. */
  readonly ageMsMax: number | null;
  /** Wants an answer made anew, whatever is kept. */
  readonly refresh: boolean;
  readonly room: Room;
}

/** What a look finds: the answer; that the asker is to make it; or that somebody makes it at this moment. */
export type Found =
  | { readonly kind: "hit"; readonly facts: Facts; readonly bytes: Uint8Array; readonly savedUsd: string }
  | { readonly kind: "lead"; readonly flight: string }
  | { readonly kind: "follow"; readonly flight: string; readonly follower: string };

/** How an answer in the making ended: whole, at what it cost in USD, or not. */
export type Ended = { readonly kind: "whole"; readonly costUsd: string } | { readonly kind: "broken" };

/** What the one who makes an answer tells of it, as it comes. */
export interface Told {
  readonly facts: Facts | null;
  readonly bytes: Uint8Array;
  readonly ended: Ended | null;
}

/** What a follower has not heard yet. */
export interface News {
  readonly facts: Facts | null;
  readonly bytes: Uint8Array;
  readonly ended: Ended | null;
}

/** What stands on shelves. */
export interface Stock {
  readonly answers: number;
  readonly bytes: number;
}
