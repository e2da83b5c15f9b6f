import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { build } from "esbuild";

/**
 * Bundles a policy into one module that stands alone, the SDK inside it. The same text gives the same bytes on every machine, so the hash
 * of a bundle names what was reviewed. `text` is what the file says, where it is not yet written.
 */
export async function bundlePolicy(file: string, text: string = readFileSync(file, "utf8")): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: text, sourcefile: file, resolveDir: resolve(dirname(file)), loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2024",
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
    write: false,
  });
  return outputFiles[0]!.text;
}
