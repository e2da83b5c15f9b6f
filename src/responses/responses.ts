import { TollgateError } from "#core";
import type { Kept } from "./contract.ts";
import type { ResponseObject, Sealed } from "./responses.do.ts";
import { open, pepperOf, type Place, placeOf, seal } from "./seal.ts";

/** What each key may name again. An id of another key is, by construction, one that is not there. */
export interface Responses {
  /** Keeps the same under some ids of a key until a time; stands on disk when it returns. @throws TollgateError `payload_too_large`, `overloaded`. */
  keep(under: { readonly key: string; readonly ids: readonly string[] }, kept: Kept, until: number): Promise<void>;
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
  let drawing: Promise<CryptoKey> | null = null;
  const place = async ({ key, id }: Owner) => placeOf(await (drawing ??= pepperOf(pepper)), key, id);
  return {
    keep: async ({ key, ids }, kept, until) => {
      const text = JSON.stringify(kept);
      const rows = await Promise.all(ids.map(async (id) => sealedAt(await place({ key, id }), text)));
      const shelves = Map.groupBy(rows, ({ object }) => object);
      await Promise.all(
        [...shelves].map(([object, own]) =>
          asked(() =>
            namespace.getByName(object).keep(
              own.map(({ row }) => row),
              until,
            ),
          ),
        ),
      );
    },
    find: async (owner) => {
      if (!ID.test(owner.id)) return null;
      const its = await place(owner);
      const sealed = await asked(() => namespace.getByName(its.object).read(its.name));
      return sealed && (JSON.parse(await open(its, new Uint8Array(sealed))) as Kept);
    },
    forget: async (owner) => {
      const { object, name } = await place(owner);
      await asked(() => namespace.getByName(object).forget(name));
    },
  };
}

/** A text as it is kept at a place. @throws TollgateError `payload_too_large`. */
async function sealedAt({ object, ...place }: Place, text: string): Promise<{ readonly object: string; readonly row: Sealed }> {
  const sealed = await seal(place, text);
  if (sealed.length > BYTES_MAX) throw new TollgateError("payload_too_large", `A response of over ${BYTES_MAX} bytes is not kept`);
  return { object, row: { name: place.name, sealed } };
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
