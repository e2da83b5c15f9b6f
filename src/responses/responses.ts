import { TollgateError } from "#core";
import type { Kept } from "./contract.ts";
import type { ResponseObject } from "./responses.do.ts";
import { open, placeOf, seal } from "./seal.ts";

/** What each key may name again. An id of another key is, by construction, one that is not there. */
export interface Responses {
  /** Keeps it until a time; stands on disk when it returns. @throws TollgateError `payload_too_large`, `overloaded`. */
  keep(owner: Owner, kept: Kept, until: number): Promise<void>;
  find(owner: Owner): Promise<Kept | null>;
  forget(owner: Owner): Promise<void>;
}

/** An id and the key whose it is. */
export interface Owner {
  readonly key: string;
  readonly id: string;
}

/** A message between isolates holds 32 MiB; more than half of it no conversation needs. */
const BYTES_MAX = 16 * 1024 * 1024;
/** Ids as vendors make them; what is none names nothing. */
const ID = /^[\w-]{1,256}$/;

/** The responses of a deployment, by the binding of their class. */
export function responsesOf(namespace: DurableObjectNamespace<ResponseObject>, pepper: string): Responses {
  return {
    keep: async ({ key, id }, kept, until) => {
      const place = await placeOf(pepper, key, id);
      const sealed = await seal(place, JSON.stringify(kept));
      if (sealed.length > BYTES_MAX) throw new TollgateError("payload_too_large", `A response of over ${BYTES_MAX} bytes is not kept`);
      await asked(() => namespace.getByName(place.name).keep(sealed, until));
    },
    find: async ({ key, id }) => {
      if (!ID.test(id)) return null;
      const place = await placeOf(pepper, key, id);
      const sealed = await asked(() => namespace.getByName(place.name).read());
      return sealed && (JSON.parse(await open(place, new Uint8Array(sealed))) as Kept);
    },
    forget: async ({ key, id }) => {
      const { name } = await placeOf(pepper, key, id);
      await asked(() => namespace.getByName(name).forget());
    },
  };
}

/** Once more where the object went away, which is safe as every call may be repeated. */
async function asked<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Error && "retryable" in error && error.retryable === true)) throw unreachable(error);
    return call().catch((cause: unknown) => {
      throw unreachable(cause);
    });
  }
}

function unreachable(cause: unknown): TollgateError {
  const message = "Responses cannot be read at the moment; try again";
  return new TollgateError("overloaded", message, { cause, retryAfterMs: 1_000, reason: "responses" });
}
