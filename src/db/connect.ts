import { drizzle } from "drizzle-orm/d1";
import * as schema from "./schema.ts";

/** Opens the typed view of the D1 binding; it holds no state of its own. */
export function connect(binding: D1Database) {
  return drizzle(binding, { schema });
}

/** The typed database that rooms receive. */
export type Db = ReturnType<typeof connect>;
