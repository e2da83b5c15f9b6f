import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";

const SDK = join(import.meta.dirname, "../plugins/sdk.ts");

/** A place in a file of an author's; lines and columns from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A policy's one module, and where what stands in it was written. */
export interface Bundled {
  readonly source: string;
  /** The author's place of one in the bundle; null for what no file says. */
  readonly placeOf: (line: number, column: number) => Place | null;
}

/** The SDK by its name, wherever the policy's file lies: it is the checkout's, and its path stands in no bundle. */
const sdk: Plugin = {
  name: "plugin-sdk",
  setup(build) {
    build.onResolve({ filter: /^#plugin-sdk$/ }, () => ({ path: "sdk", namespace: "plugin" }));
    build.onLoad({ filter: /^sdk$/, namespace: "plugin" }, () => ({ contents: readFileSync(SDK, "utf8"), loader: "ts" }));
  },
};

/**
 * Bundles a policy into one module that stands alone, the SDK inside it. The same text gives the same bytes on every machine, so the hash
 * of a bundle names what was reviewed. `text` is what the file says, where it is not yet written.
 */
export async function bundlePolicy(file: string, text?: string): Promise<string> {
  return (await bundledPolicy(file, text)).source;
}

/** The same, with where everything was written. @throws esbuild's BuildFailure, whose errors name places. */
export async function bundledPolicy(file: string, text: string = readFileSync(file, "utf8")): Promise<Bundled> {
  const folder = resolve(dirname(file));
  const { outputFiles } = await build({
    stdin: { contents: text, sourcefile: basename(file), resolveDir: folder, loader: "ts" },
    absWorkingDir: folder,
    bundle: true,
    format: "esm",
    target: "es2024",
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
    sourcemap: "external",
    outfile: `${folder}/policy.js`,
    plugins: [sdk],
    write: false,
  });
  const [map, bundle] = [outputFiles.find(({ path }) => path.endsWith(".map"))!, outputFiles.find(({ path }) => path.endsWith(".js"))!];
  const places = new SourceMap(JSON.parse(map.text) as ConstructorParameters<typeof SourceMap>[0]);
  const placeOf = (line: number, column: number): Place | null => {
    const found = places.findEntry(line - 1, column - 1);
    if (!("originalSource" in found)) return null;
    return { file: resolve(folder, found.originalSource), line: found.originalLine + 1, column: found.originalColumn + 1 };
  };
  return { source: bundle.text, placeOf };
}
