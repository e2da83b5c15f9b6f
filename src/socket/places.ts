import { hex } from "#core";
import { PLACES } from "./bounds.ts";
import { UPGRADE, type Upgrade, type Visitor } from "./contract.ts";
import type { SocketObject } from "./socket.do.ts";

const SESSION = /^ses_(\d{2})[0-9a-f]{32}$/;

/** Where a client wants to go on. */
export interface Resume {
  readonly session: string;
  readonly after: number;
}

/** The sockets of the keys of this deployment. */
export interface Places {
  /** Has a socket taken in, for the session that it names or for a new one; null where all places of the key are taken. */
  connect(key: string, visitor: Visitor, resume: Resume | null): Promise<Response | null>;
}

/**
 * A key has so many places, each an object of that name. So a session is bound to its key, what names one of another key names none, and
 * a key never has more than its places, with nothing to count and nothing to clean up.
 */
export function placesOf(namespace: DurableObjectNamespace<SocketObject>): Places {
  return {
    async connect(key, visitor, resume) {
      const ask = (place: number, resume: Resume | null) =>
        namespace.getByName(`${key}/${place}`).fetch("https://socket.internal/", {
          headers: { upgrade: "websocket", [UPGRADE]: written({ v: 1, visitor, session: newSession(place), resume }) },
        });
      const place = placeOf(resume);
      if (resume && place !== null) {
        const answer = await ask(place, resume);
        if (answer.status === 101) return answer;
      }
      const first = crypto.getRandomValues(new Uint8Array(1))[0]!;
      for (let at = 0; at < PLACES; at++) {
        const answer = await ask((first + at) % PLACES, null);
        if (answer.status === 101) return answer;
      }
      return null;
    },
  };
}

/** The place that a session names; null where it names none. */
function placeOf(resume: Resume | null): number | null {
  const place = Number(SESSION.exec(resume?.session ?? "")?.[1] ?? -1);
  return place >= 0 && place < PLACES ? place : null;
}

function newSession(place: number): string {
  return `ses_${String(place).padStart(2, "0")}${hex(crypto.getRandomValues(new Uint8Array(16)))}`;
}

/** As text that any header can hold. */
function written(upgrade: Upgrade): string {
  return encodeURIComponent(JSON.stringify(upgrade));
}
