import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

interface Document {
  readonly paths: Record<string, Record<string, { readonly servers?: readonly { readonly url: string }[] }>>;
  readonly components: { readonly schemas: Record<string, { readonly properties: Record<string, unknown> }> };
}

const document = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as Document;

it("A9: the document that clients are generated from has every route of tasks, and says where it is", () => {
  const app = readFileSync("src/http/app.ts", "utf8");
  const body = app.slice(app.indexOf("function offerTasks"), app.indexOf("/** One method of a path"));
  const served = [...body.matchAll(/(?:app\.(post|delete)\(|offer\(app, "(\w+)", )(?:base|`\$\{base\}([^`]*)`)/g)].map(
    ([, verb, offered, path = ""]) => `${(verb ?? offered)!.toLowerCase()} /v1/task${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`,
  );
  const described = Object.entries(document.paths)
    .filter(([path]) => path.startsWith("/v1/"))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { servers }]) => [`${method} ${path}`, servers?.[0]?.url] as const),
    );
  expect(served.length).toBeGreaterThan(9);
  expect(described.map(([route]) => route).sort()).toEqual(served.sort());
  expect(described.every(([, url]) => url === "/")).toBe(true);
});
