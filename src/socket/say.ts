import type { TollgateError } from "#core";
import { errorBody } from "#wire";
import { IDLE_MS, MESSAGE_MAX, REQUESTS_MAX, RESUME_MS, WINDOW } from "./bounds.ts";

/** The messages of the gateway, as text. What is numbered is said again after a drop; the others are not. */

/** The first message of every connection. */
export function sessionMessage(session: string, state: { readonly resumed: boolean; readonly seq: number }): string {
  return JSON.stringify({
    type: "session",
    session,
    resumed: state.resumed,
    seq: state.seq,
    limits: {
      message: MESSAGE_MAX,
      requests: REQUESTS_MAX,
      unacknowledged: WINDOW,
      resume_s: RESUME_MS / 1_000,
      idle_s: IDLE_MS / 1_000,
    },
  });
}

/** An answer begins; `body` is there where it is JSON, and all of it. */
export function responseMessage(seq: number, id: string, response: Response, body: string | null): string {
  const head = JSON.stringify({ type: "response", id, seq, status: response.status, headers: Object.fromEntries(response.headers) });
  return body === null ? head : `${head.slice(0, -1)},"body":${asJson(body)}}`;
}

/** One event of an answer's stream, its data as the dialect has it. */
export function eventMessage(seq: number, id: string, { event, data }: { readonly event: string; readonly data: string }): string {
  return `{"type":"event","id":"${id}","seq":${seq},"event":${event === "" ? "null" : JSON.stringify(event)},"data":${asJson(data)}}`;
}

/** How a request of a socket may end, beside what its answer says of itself. */
export type Outcome = "complete" | "cancelled" | "lost";

/** The last message of every request. */
export function endMessage(seq: number, id: string, outcome: Outcome): string {
  return JSON.stringify({ type: "end", id, seq, outcome });
}

/** The refusal of a message: nothing began. */
export function errorMessage(seq: number, id: string | null, error: TollgateError): string {
  const { error: body } = JSON.parse(errorBody("openai", error, "")) as { error: unknown };
  return JSON.stringify({ type: "error", id, seq, status: error.status, error: body });
}

/** JSON stays as it is, letter by letter; what is none becomes a string of it. */
function asJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}
