import { base64Of, textOf } from "./media.ts";

/** Anthropic takes no other characters in the id of a call. */
const PLAIN = /^[a-zA-Z0-9_-]+$/;
const PREFIX = "tgid_";

/** A call's id as Anthropic takes it: itself, or all of it in other letters, so that two calls never become one. */
export function toolIdFor(id: string): string {
  return PLAIN.test(id) ? id : PREFIX + base64Of(id).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The id that a call had before {@link toolIdFor}. */
export function toolIdFrom(id: string): string {
  if (!id.startsWith(PREFIX)) return id;
  return textOf(id.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/")) ?? id;
}

/** An answer's id under the prefix that its reader expects. */
export function answerIdFor(prefix: "chatcmpl-" | "msg_" | "resp_", id: string): string {
  return id.startsWith(prefix) ? id : prefix + id.replace(/^(chatcmpl-|msg_|resp_)/, "");
}
