import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EXIT_REASONS } from "../../../src/tasks/contract.ts";
import { DEFAULT_PROFILE } from "../../../src/tasks/profiles.ts";
import { prospectOf } from "../../../src/tasks/prospect.ts";

interface Operation {
  readonly servers?: readonly { readonly url: string }[];
  readonly security?: unknown;
  readonly responses: Record<string, unknown>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly security?: unknown;
  readonly components: {
    readonly schemas: Record<string, { readonly properties: Record<string, unknown> }>;
    readonly securitySchemes: Record<string, unknown>;
  };
}

const document = JSON.parse(readFileSync("docs/openapi.json", "utf8")) as Document;

it("A4, A9: the document that clients are generated from has every route of tasks, and says where it is", () => {
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
  // A task's own hook is no client's.
  const offered = served.filter((route) => route !== "post /v1/task/hook");
  expect(offered.length).toBeGreaterThan(9);
  expect(described.map(([route]) => route).sort()).toEqual(offered.sort());
  expect(described.every(([, url]) => url === "/")).toBe(true);
});

it("whoever views the document has a place for a key of either kind, and is told what an error looks like", () => {
  expect(Object.keys(document.components.securitySchemes)).toEqual(["adminKey", "apiKey"]);
  expect(document.security).toEqual([{ adminKey: [] }]);
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { security, responses }] of Object.entries(methods)) {
      expect([path, method, security]).toEqual([path, method, path.startsWith("/v1/") ? [{ apiKey: [] }] : undefined]);
      expect(responses["default"]).toMatchObject({ content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } } });
    }
});

it("A22: the document closes the set of reasons that a task can end by, and every one has words", () => {
  const named = (schema: string) => document.components.schemas[schema]!.properties["exit_reason"] as { readonly enum: readonly unknown[] };
  expect(named("Task").enum).toEqual([...EXIT_REASONS, null]);
  expect(named("TaskOverview").enum).toEqual([...EXIT_REASONS, null]);
  expect(EXIT_REASONS).toEqual(["ok", "error", "timeout", "cancelled", "oom", "budget", "policy", "runner_lost"]);
  const guide = readFileSync("docs/guides/tasks.md", "utf8");
  expect(EXIT_REASONS.filter((reason) => !guide.includes(`\`${reason}\``))).toEqual([]);
});

it("A9: a request has the fields that the document names", () => {
  const names = Object.keys(document.components.schemas["TaskRequest"]!.properties);
  expect(names.length).toBeGreaterThan(15);
  const unknown = names.filter((name) => {
    const { violations } = prospectOf({ [name]: {} }, DEFAULT_PROFILE);
    return violations.some(({ field, reason }) => field === name && reason === "is not a known field");
  });
  expect(unknown).toEqual([]);
});
