import type { CacheObject } from "./cache.do.ts";
import type { CacheScope, Found, Look, News, Stock, Told } from "./contract.ts";
import { SHELVES } from "./shelf.ts";

/** The shelf that a question's answer stands on, as flows hold it. Every method is one trip. */
export interface Shelf {
  look(look: Look): Promise<Found>;
  tell(flight: string, told: Told): Promise<number | null>;
  next(flight: string, follower: string, offset: number): Promise<News>;
  leave(flight: string, follower: string): Promise<void>;
}

/** The answers of all scopes. */
export interface Cache {
  shelf(scope: CacheScope, digest: string): Shelf;
  /** Drops what is kept of a scope. */
  purge(scope: CacheScope): Promise<Stock>;
  stock(scope: CacheScope): Promise<Stock>;
}

/** The first digits of digests, each of which has an object of its own. */
const DIGITS = Array.from({ length: SHELVES }, (_, digit) => digit.toString(SHELVES));

/** The cache, by the binding of its class. A scope is part of its objects' names, so that no question reaches the answers of another's. */
export function cacheOf(namespace: DurableObjectNamespace<CacheObject>): Cache {
  const object = ({ kind, id }: CacheScope, digit: string) => namespace.getByName(`${kind}:${id}/${digit}`);
  const all = async (scope: CacheScope, ask: (each: DurableObjectStub<CacheObject>) => Promise<Stock>): Promise<Stock> => {
    const stocks = await Promise.all(DIGITS.map((digit) => ask(object(scope, digit))));
    return stocks.reduce((sum, { answers, bytes }) => ({ answers: sum.answers + answers, bytes: sum.bytes + bytes }));
  };
  return {
    shelf(scope, digest) {
      const stub = object(scope, digest[0]!);
      return {
        look: async (look) => stub.look(look),
        tell: async (flight, told) => stub.tell(flight, told),
        next: async (flight, follower, offset) => stub.next(flight, follower, offset),
        leave: async (flight, follower) => stub.leave(flight, follower),
      };
    },
    purge: (scope) => all(scope, async (each) => each.purge()),
    stock: (scope) => all(scope, async (each) => each.stock()),
  };
}
