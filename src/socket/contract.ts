import * as z from "zod";

const visitor = z.object({
  /** The key's own text. */
  credential: z.string(),
  /** As the platform saw it; null where it named none. */
  address: z.string().nullable(),
  /** Headers that hold for every request. */
  headers: z.record(z.string(), z.string()),
});

/** Who holds a socket, as each of its requests is asked for. Never leaves memory. */
export type Visitor = Readonly<z.infer<typeof visitor>>;

/** An upgrade on its way to the object that is to hold the socket. */
export const upgrade = z.object({
  v: z.literal(1),
  visitor,
  /** The id of the session that begins where none goes on. */
  session: z.string(),
  /** The session that is to go on, and the number that its client has read up to; null for a new one. */
  resume: z.object({ session: z.string(), after: z.number() }).nullable(),
});

/** What the schema reads. */
export type Upgrade = Readonly<z.infer<typeof upgrade>>;

/** A connection, as a session speaks to it. */
export interface Line {
  send(text: string): void;
  close(code: number, reason: string): void;
}

/** What a session stands on: given, never reached for. */
export interface Ground {
  /** The door that a request over HTTP comes through. */
  readonly serve: (request: Request) => Promise<Response>;
  /** Has storage know which requests are open: a restart says of each that it was lost. */
  readonly remember: (open: readonly string[]) => void;
  /** Has the sleeping socket know the number said last. */
  readonly note: () => void;
  /** The session is over: its place is free. */
  readonly over: () => void;
}

/** The header that carries an upgrade to its object; no client's request ever reaches one. */
export const UPGRADE = "x-socket";
/** What an object answers where it does not take a socket in. */
export const HERE = { unknown: 404, taken: 409 } as const;
