/**
 * Characters of one message, and of all requests of a socket that run. Half of what the platform takes in: an object has 128 MB, and text is
 * held as it came, as what it says and as what is sent on.
 */
export const MESSAGE_MAX = 16_777_216;
/** Requests of one socket that run at once. */
export const REQUESTS_MAX = 128;
/** Sockets, and sessions that wait to be resumed, of one key. */
export const PLACES = 32;
/** Characters that may be said and not acknowledged before the providers' streams stand still. */
export const WINDOW = 1_048_576;
/** What may be waiting beyond the window, where nothing can stand still: a client that asks and never reads is shut out there. */
export const UNREAD_MAX = 2 * WINDOW;
/** How long a reader may leave the window full. */
export const STALL_MS = 30_000;
/** How long what was said stays to be said again, and a session without its connection stays to be resumed. */
export const RESUME_MS = 60_000;
/** How long a socket may be silent, pings aside, and how often an idle one's key is looked at. */
export const IDLE_MS = 600_000;

/** Why the gateway closes a socket, by WebSocket's close codes. */
export const CLOSED = {
  restarted: { code: 1012, reason: "The gateway restarted; connect again" },
  replaced: { code: 4001, reason: "The session goes on over another connection" },
  refused: { code: 4401, reason: "The API key is not valid any more" },
  idle: { code: 4408, reason: "Nothing was heard for ten minutes; send a ping" },
  stalled: { code: 4413, reason: "Too much is not acknowledged; read, and send an ack" },
} as const;

/** One of the reasons. */
export type Closed = (typeof CLOSED)[keyof typeof CLOSED];
