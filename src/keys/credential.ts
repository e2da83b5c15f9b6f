import { refuseKey } from "./refusal.ts";

const PLAIN = ["x-api-key", "api-key", "x-goog-api-key"] as const;
const SUBPROTOCOL = "openai-insecure-api-key.";

/**
 * The one credential of a request, wherever the client's SDK puts it. `x-tollgate-api-key` leaves Authorization free for the
 * upstream's own use; two different credentials elsewhere are refused, so that no hop may judge another one than the next.
 * @throws TollgateError `invalid_api_key`.
 */
export function readCredential(headers: Headers): string {
  const own = headers.get("x-tollgate-api-key");
  const found = [own, own ? null : bearer(headers), ...PLAIN.map((name) => headers.get(name)), subprotocol(headers)];
  const distinct = new Set(found.filter((value) => value !== null && value !== ""));
  const [credential] = distinct;
  if (!credential) throw refuseKey("no credential");
  if (distinct.size > 1) throw refuseKey("conflicting credentials");
  return credential;
}

function bearer(headers: Headers): string | null {
  const match = /^bearer +(.+)$/is.exec(headers.get("authorization") ?? "");
  return match ? match[1]!.trim() : null;
}

function subprotocol(headers: Headers): string | null {
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((part) => part.trim());
  const keys = new Set(offered.filter((part) => part.startsWith(SUBPROTOCOL)).map((part) => part.slice(SUBPROTOCOL.length)));
  if (keys.size > 1) throw refuseKey("conflicting credentials");
  const [key] = keys;
  return key ?? null;
}
