import { hex } from "#core";
import { hmac } from "./secret.ts";

/** What callbacks about a key's tasks are signed with. It is stored nowhere: the pepper and the key's id give the same one each time. */
export async function callbackSecret(pepper: string, key: string): Promise<string> {
  const digest = await hmac(pepper, `callback:${key}`);
  return `whsec_${hex(digest)}`;
}
