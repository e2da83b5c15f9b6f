import { TollgateError } from "#core";
import type { Platform } from "./platform.ts";

const PROTOCOL = "tollgate";

/** Whether a request asks for a WebSocket. */
export function isUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

/**
 * Refuses a page of a site that the operator does not name. Browsers let any page open a WebSocket to anywhere, and say only where it
 * comes from; they send no key of their own accord, so what this stops is a page that was given one.
 */
export function checkOrigin(request: Request, { config }: Platform): void {
  const origin = request.headers.get("origin");
  if (origin === null || origin === new URL(request.url).origin) return;
  if (config.TOLLGATE_SOCKET_ORIGINS.includes(origin)) return;
  if (config.development && /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin)) return;
  throw new TollgateError(
    "permission_denied",
    "Pages of this origin may not open a socket here; TOLLGATE_SOCKET_ORIGINS names those that may",
    {
      param: "origin",
    },
  );
}

/** The subprotocol that the client offers beside its key; null where it offers none. A browser that offers anything wants an answer, and the key is none that may be sent back. */
export function chosenProtocol(headers: Headers): string | null {
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((each) => each.trim());
  if (offered.includes(PROTOCOL)) return PROTOCOL;
  if (offered.every((each) => each === "")) return null;
  throw new TollgateError("invalid_request", `A client that offers subprotocols must offer ${PROTOCOL} among them`, {
    param: "sec-websocket-protocol",
  });
}

/** The answer that hands a client its end of a socket. */
export function upgraded(webSocket: WebSocket | null, protocol: string | null): Response {
  return new Response(null, { status: 101, webSocket, headers: protocol === null ? {} : { "sec-websocket-protocol": protocol } });
}
