import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { EXPORTS } from "../src/policy/engine/machine.ts";
import { meter } from "./meter/meter.ts";
import { inspect } from "./meter/verify.ts";

/**
 * Makes what policies run in. src/policy/engine/quickjs.wasm, out of the one that quickjs-wasi ships: every function entry and every turn
 * of a loop burns fuel; the result is looked through by an inspector of its own, and must have the digest that is pinned here. And
 * src/policy/engine/isolate.json: the code of the isolates that the Worker Loader loads. `--check` compares instead of writing.
 */

const ISOLATE = "src/policy/isolate.ts";
const ISOLATE_OUTPUT = "src/policy/engine/isolate.json";
const INPUT = fileURLToPath(import.meta.resolve("quickjs-wasi/quickjs.wasm"));
const OUTPUT = "src/policy/engine/quickjs.wasm";
/** What the package ships, and what must come of it. */
const INPUT_SHA256 = "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9";
const OUTPUT_SHA256 = "3f335b3801f8e326a6ec21339fff32484346e2e7b29bdab0f2d6c6c8de8a3f84";
/** The engine's own stack and data are 18 pages of 64 KiB; the others are the heap of 8 MB. */
const PAGES_MAX = 18 + 128;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function requireDigest(bytes: Uint8Array, expected: string, file: string): void {
  const found = sha256(bytes);
  if (found !== expected) throw new Error(`${file} has the sha-256 ${found}, pinned is ${expected}`);
}

/** The isolate's module as one text, and the digest that names it together with its engine. */
async function isolateText(): Promise<string> {
  const external = ["cloudflare:workers", "*.wasm"];
  const bundled = await build({ entryPoints: [ISOLATE], bundle: true, format: "esm", target: "es2024", external, write: false });
  const source = bundled.outputFiles[0]!.text;
  const digest = sha256(Buffer.from(source + OUTPUT_SHA256)).slice(0, 16);
  return `${JSON.stringify({ digest, source })}\n`;
}

const input = readFileSync(INPUT);
requireDigest(input, INPUT_SHA256, INPUT);
const made = meter(input, { pagesMax: PAGES_MAX, exports: EXPORTS });
const { faults, functions, loops, bulk, pages } = inspect(made);
if (faults.length > 0) throw new Error(`The metered engine has places that pay nothing:\n${faults.join("\n")}`);
requireDigest(made, OUTPUT_SHA256, "What was made");
const isolate = await isolateText();
if (process.argv.includes("--check")) {
  requireDigest(readFileSync(OUTPUT), OUTPUT_SHA256, OUTPUT);
  if (readFileSync(ISOLATE_OUTPUT, "utf8") !== isolate) throw new Error(`${ISOLATE_OUTPUT} is stale: npm run policy-engine`);
} else {
  writeFileSync(OUTPUT, made);
  writeFileSync(ISOLATE_OUTPUT, isolate);
}
console.log(
  `${OUTPUT}: ${functions} functions, ${loops} loops and ${bulk} bulk operations pay, ${pages} pages at most, 0 uncharged places`,
);
