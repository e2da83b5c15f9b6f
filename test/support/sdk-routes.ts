import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A call to an SDK's client, with the path as it is written there. */
const CALL = /\b_?client\s*\.(get|post|put|patch|delete|getAPIList)\(\s*(?:path\s*)?([`'"])(.*?)\2/gs;
const ANY_CALL = /\b_?client\s*\.(?:get|post|put|patch|delete|getAPIList)\(/g;

/**
 * Every route that a vendor's SDK can call, read out of its sources: `POST /v1/files`, with `x` for what is
 * filled in. `unread` counts calls whose path is no text there.
 */
export function routesOf(sdk: string, prefix: string): { readonly routes: readonly string[]; readonly unread: number } {
  const folder = join("node_modules", sdk);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".mjs"));
  const sources = files.map((file) => readFileSync(join(folder, file), "utf8"));
  const routes = sources.flatMap((source) =>
    [...source.matchAll(CALL)].map(([, method, , path]) => {
      const plain = path!.replace(/\$\{[^}]*\}/g, "x").replace(/\?.*/s, "");
      return `${method === "getAPIList" ? "GET" : method!.toUpperCase()} ${prefix}${plain}`;
    }),
  );
  const calls = sources.reduce((sum, source) => sum + [...source.matchAll(ANY_CALL)].length, 0);
  return { routes: [...new Set(routes)].toSorted(), unread: calls - routes.length };
}
