import type { tables } from "#db";

type Row = typeof tables.requestContents.$inferSelect;

/** One text of a conversation, and who said it. */
export interface Said {
  readonly role: string;
  readonly text: string;
}

/** What one side of a request said, as it is handed over to be kept. */
export interface Content extends Pick<Row, "request" | "side" | "at" | "key" | "team" | "mode"> {
  readonly said: readonly Said[];
}

/** The same as it was kept. */
export interface Kept extends Content {
  /** Something of it was masked, or cut off for its length: it is not what was said to the letter. */
  readonly altered: boolean;
}
