import { D1PreparedQuery, drizzle } from "drizzle-orm/d1";
import * as schema from "./schema.ts";

/**
 * What fails, fails in D1's own words, which name tables and columns. Drizzle's message repeats the statement with its parameters: names,
 * digests, what people wrote. It would stand in every log that an error comes to, the platform's own included.
 */
Object.assign(D1PreparedQuery.prototype, {
  queryWithCache: (_statement: string, _parameters: readonly unknown[], ask: () => Promise<unknown>) => ask(),
});

/** Opens the typed view of the D1 binding; it holds no state of its own. */
export function connect(binding: D1Database) {
  return drizzle(binding, { schema });
}

/** The typed database that rooms receive. */
export type Db = ReturnType<typeof connect>;
