import { describe, expect, it } from "vitest";
import { type Row, ROWS } from "../../src/http/inference/surfaces.ts";
import { routesOf } from "../support/sdk-routes.ts";
import { stage } from "./stage.ts";

const set = stage("surfaces");

function fits(pattern: string, path: string): boolean {
  if (pattern.endsWith("/*")) return path === pattern.slice(0, -2) || path.startsWith(pattern.slice(0, -1));
  const [steps, own] = [pattern.split("/"), path.split("/")];
  return steps.length === own.length && steps.every((step, at) => step === own[at] || step === "{id}");
}

/** The row that speaks of a route; the first that fits counts. */
function rowOf(route: string): Row | undefined {
  const [method, path = ""] = route.split(" ");
  return ROWS.find((row) => (row.method === "any" || row.method === method) && fits(row.path, path));
}

const ask = (route: string, headers: Record<string, string>) => {
  const [method, path = ""] = route.split(" ");
  const body = method === "GET" || method === "DELETE" ? {} : { body: "{}" };
  return fetch(`${set.origin}${path}`, { method: method!, headers: { "content-type": "application/json", ...headers }, ...body });
};

describe("threat 40: no route of a vendor's escapes the table", () => {
  const [openai, anthropic] = [routesOf("openai", "/v1"), routesOf("@anthropic-ai/sdk", "")];
  // A socket has no method in the sources; the results of a batch are read from an address that its answer names.
  const sockets = ["GET /v1/realtime", "GET /v1/live/sessions/x", "GET /v1/realtime/translations"];
  const routes = [...openai.routes, ...anthropic.routes, ...sockets, "POST /v1/rerank", "POST /v1/complete"];

  it("the SDKs' sources tell hundreds of routes, and none that could not be read but the results of batches", () => {
    expect(openai.routes.length).toBeGreaterThan(300);
    expect(anthropic.routes.length).toBeGreaterThan(200);
    expect([openai.unread, anthropic.unread]).toEqual([0, 2]);
    for (const known of ["POST /v1/images/edits", "POST /v1/batches", "GET /v1/files/x/content", "POST /v1/messages/batches"])
      expect(routes).toContain(known);
  });

  it("each has a row, and no row is of a route that nobody has", () => {
    expect(routes.filter((route) => rowOf(route) === undefined)).toEqual([]);
    const used = new Set(routes.map(rowOf));
    expect(ROWS.filter((row) => !used.has(row)).map(({ path }) => path)).toEqual(["/messages"]);
  });

  it("each is answered as its row says: passed on, or refused by name and with the reason, in the caller's envelope", async () => {
    for (const route of routes) {
      const row = rowOf(route)!;
      const [method, path = ""] = route.split(" ");
      const own =
        row.vendor === "Anthropic" ? { "x-api-key": set.key, "anthropic-version": "2023-06-01" } : { authorization: `Bearer ${set.key}` };
      const answer = await ask(route, own as Record<string, string>);
      const told = (await answer.json()) as { type?: string; error?: { type: string; code: string; message: string } };
      if ("refused" in row) {
        expect([route, answer.status, told.error?.code]).toEqual([route, 404, "not_found"]);
        expect(told.error!.message).toBe(`${method} ${path} is not offered here: ${row.refused}`);
        expect([route, told.type]).toEqual([route, row.vendor === "Anthropic" ? "error" : undefined]);
      } else {
        // An empty body is wrong everywhere, and is told so by name: the route is there.
        const there = "capability" in row ? [400] : [200, 400, 404];
        expect([route, there.includes(answer.status), answer.status]).toEqual([route, true, answer.status]);
        expect(told.error?.message ?? "").not.toContain("There is no route");
      }
    }
  });

  it("a path that no vendor has is 404 and named", async () => {
    const answer = await ask("POST /v1/pictures", { authorization: `Bearer ${set.key}` });
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { message: "There is no route POST /v1/pictures here" } }]);
  });
});
