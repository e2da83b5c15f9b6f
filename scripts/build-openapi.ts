import { readFileSync, writeFileSync } from "node:fs";
import { openApiDocument } from "#http";

/** Makes docs/openapi.json out of the routes of the admin plane and of tasks. `--check` compares instead of writing. */
const OUTPUT = "docs/openapi.json";
const made = `${JSON.stringify(openApiDocument(), null, 1)}\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(OUTPUT, "utf8") !== made) throw new Error(`${OUTPUT} is stale: run npm run openapi`);
} else writeFileSync(OUTPUT, made);
