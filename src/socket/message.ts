import { TollgateError } from "#core";
import { governed, readObject, wrong } from "#wire";
import { readHeaders } from "./headers.ts";

/** A request as a socket's client asks it. */
export interface Ask {
  readonly type: "request";
  readonly id: string;
  /** With its query, where it has one. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it stands in the message, character by character. */
  readonly body: string;
}

/** What a client may say. */
export type Message =
  | Ask
  | { readonly type: "cancel"; readonly id: string }
  | { readonly type: "ack"; readonly seq: number }
  | { readonly type: "ping" };

const ID = /^[\w.:-]{1,64}$/;
const PATH_MAX = 200;
const FIELDS = ["type", "id", "path", "headers", "body", "seq"] as const;
const TAKES: Readonly<Record<Message["type"], readonly string[]>> = {
  request: ["id", "path", "headers", "body"],
  cancel: ["id"],
  ack: ["seq"],
  ping: [],
};

/** The id of a text that may be no message at all, so that its refusal can bear it; null where it has none. */
export function idOf(text: string): string | null {
  try {
    const { id } = JSON.parse(text) as { id?: unknown };
    return typeof id === "string" && ID.test(id) ? id : null;
  } catch {
    return null;
  }
}

/**
 * Reads one message. Fields that nobody knows, or that stand twice, are refused: two readers would not take the same one.
 * @throws TollgateError `invalid_request` naming the field.
 */
export function readMessage(text: string): Message {
  const value = readObject(text, "The message");
  const members = governed(text, 0, new Set(FIELDS));
  const type = readType(value);
  for (const name of Object.keys(value)) {
    if (name !== "type" && !TAKES[type].includes(name)) throw wrong(name.slice(0, 64), `is nothing that a message of type ${type} has`);
  }
  switch (type) {
    case "ping":
      return { type };
    case "ack":
      return { type, seq: readSeq(value["seq"]) };
    case "cancel":
      return { type, id: readId(value["id"]) };
    case "request": {
      const body = members.get("body");
      const ask = { type, id: readId(value["id"]), path: readPath(value["path"]), headers: readHeaders(value["headers"] ?? {}) } as const;
      if (!body) throw wrong("body", "is missing");
      if (text[body.valueStart] !== "{") throw wrong("body", "must be a JSON object");
      return { ...ask, body: text.slice(body.valueStart, body.valueEnd) };
    }
  }
}

function readType({ type = "request" }: Readonly<Record<string, unknown>>): Message["type"] {
  if (typeof type === "string" && Object.hasOwn(TAKES, type)) return type as Message["type"];
  throw wrong("type", `must be one of ${Object.keys(TAKES).join(", ")}`);
}

function readId(id: unknown): string {
  if (typeof id === "string" && ID.test(id)) return id;
  throw wrong("id", id === undefined ? "is missing" : "must hold 1 to 64 letters, digits, or any of . : _ -");
}

function readPath(path: unknown): string {
  if (typeof path !== "string") throw wrong("path", path === undefined ? "is missing" : "must be a string");
  // A second slash would begin another host.
  if (/^\/(?!\/)[!-~]*$/.test(path) && path.length <= PATH_MAX) return path;
  throw new TollgateError("invalid_request", `path must be a route's, such as /v1/messages, of at most ${PATH_MAX} characters`, {
    param: "path",
  });
}

/**
 * A number as a client acknowledges it.
 * @throws TollgateError `invalid_request` naming `seq`.
 */
export function readSeq(seq: unknown): number {
  if (typeof seq === "number" && Number.isSafeInteger(seq) && seq >= 0) return seq;
  throw wrong("seq", "must be the number of a message: a whole number from 0 up");
}
