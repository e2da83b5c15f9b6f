import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { EXPORTS, FLOOR } from "../src/policy/engine/machine.ts";
import { bundlePolicy } from "./bundle-policy.ts";
import { meter } from "./meter/meter.ts";
import { inspect } from "./meter/verify.ts";

/**
 * Makes what policies run in. src/policy/engine/quickjs.wasm, out of the one that quickjs-wasi ships: every function entry and every turn
 * of a loop burns fuel; the result is looked through by an inspector of its own, and must have the digest that is pinned here. And
 * src/policy/engine/isolate.json: the code of the isolates that the Worker Loader loads; and src/policy/engine/natives.json: the sources
 * of policies that plugins/native.json names, which run natively. `--check` compares instead of writing.
 */

const ISOLATE = "src/policy/isolate.ts";
const NATIVE_ISOLATE = "src/policy/native-isolate.ts";
const ISOLATE_OUTPUT = "src/policy/engine/isolate.json";
const NATIVES = "plugins/native.json";
const NATIVES_OUTPUT = "src/policy/engine/natives.json";
const INPUT = fileURLToPath(import.meta.resolve("quickjs-wasi/quickjs.wasm"));
const OUTPUT = "src/policy/engine/quickjs.wasm";
/** What the package ships, and what must come of it. */
const INPUT_SHA256 = "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9";
const OUTPUT_SHA256 = "c48830bcf0e8cc6131aac07629c8b31b43a81afd511839482e2d9022045b5d2e";
/** The engine's own stack and data are 18 pages of 64 KiB; the others are the heap of 8 MB. */
const PAGES_MAX = 18 + 128;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function requireDigest(bytes: Uint8Array, expected: string, file: string): void {
  const found = sha256(bytes);
  if (found !== expected) throw new Error(`${file} has the sha-256 ${found}, pinned is ${expected}`);
}

/** The isolates' modules as one text each, and the digests that name them together with their engine. */
async function isolateText(): Promise<string> {
  const [metered, native] = await Promise.all([moduleOf(ISOLATE), moduleOf(NATIVE_ISOLATE)]);
  return `${JSON.stringify({ ...metered, native })}\n`;
}

async function moduleOf(entry: string): Promise<{ readonly digest: string; readonly source: string }> {
  const external = ["cloudflare:workers", "*.wasm"];
  const bundled = await build({ entryPoints: [entry], bundle: true, format: "esm", target: "es2024", external, write: false });
  const source = bundled.outputFiles[0]!.text;
  return { digest: sha256(Buffer.from(source + OUTPUT_SHA256)).slice(0, 16), source };
}

/** The policies that the operator lets run natively, bundled as an upload would be: by the same hash. */
async function nativesText(): Promise<string> {
  const names = JSON.parse(readFileSync(NATIVES, "utf8")) as readonly string[];
  const bundles = await Promise.all(names.map((name) => bundlePolicy(`plugins/${name}/index.ts`)));
  return `${JSON.stringify(bundles.map((source) => ({ hash: `sha256:${sha256(Buffer.from(source))}`, source })))}\n`;
}

const input = readFileSync(INPUT);
requireDigest(input, INPUT_SHA256, INPUT);
const made = meter(input, { pagesMax: PAGES_MAX, floor: FLOOR, exports: EXPORTS });
const { faults, functions, loops, bulk, stores, pages, floor } = inspect(made);
if (floor !== FLOOR) throw new Error(`What was made has its floor at ${floor}, wanted is ${FLOOR}`);
if (faults.length > 0) throw new Error(`The metered engine has places that pay nothing:\n${faults.join("\n")}`);
requireDigest(made, OUTPUT_SHA256, "What was made");
const texts = { [ISOLATE_OUTPUT]: await isolateText(), [NATIVES_OUTPUT]: await nativesText() };
if (process.argv.includes("--check")) {
  requireDigest(readFileSync(OUTPUT), OUTPUT_SHA256, OUTPUT);
  for (const [file, text] of Object.entries(texts))
    if (readFileSync(file, "utf8") !== text) throw new Error(`${file} is stale: npm run policy-engine`);
} else {
  writeFileSync(OUTPUT, made);
  for (const [file, text] of Object.entries(texts)) writeFileSync(file, text);
}
console.log(
  `${OUTPUT}: ${functions} functions, ${loops} loops and ${bulk} bulk operations pay, ${stores} stores stay above ${floor}, ${pages} pages at most, 0 uncharged places`,
);
