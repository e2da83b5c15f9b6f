import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Row, ROWS } from "../../../src/http/inference/surfaces.ts";

/** A row as the guide prints it. */
function printed(row: Row): string {
  const method = row.method === "any" ? "" : `${row.method} `;
  const fate = "capability" in row ? "passed on" : "answers" in row ? "answered here" : "refused";
  const why = "capability" in row ? row.metered : "answers" in row ? row.answers : row.refused;
  return `| ${row.vendor} | \`${method}${row.path}\` | ${fate} | ${why} |`;
}

describe("the table of routes", () => {
  it("is what the guide prints", () => {
    const page = readFileSync("docs/guides/surfaces.md", "utf8");
    const head = "| Of | Route | Is | Metered by, or refused because |\n|---|---|---|---|";
    expect(page).toContain([head, ...ROWS.map(printed)].join("\n"));
  });

  it("has each route once", () => {
    const routes = ROWS.map(({ method, path }) => `${method} ${path}`);
    expect(routes.filter((route, at) => routes.indexOf(route) !== at)).toEqual([]);
  });
});
