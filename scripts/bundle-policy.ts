import { build } from "esbuild";

/**
 * Bundles a policy into one module that stands alone, the SDK inside it. The same file gives the same bytes on every machine, so the hash
 * of a bundle names what was reviewed.
 */
export async function bundlePolicy(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file],
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
