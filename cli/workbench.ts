import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { type Complaint, type Described, faultOf, type TestRun, Workbench } from "#policy-workbench";
import { Failure } from "./failure.ts";
import { type Problem, problemsOfBundling } from "./problem.ts";

/** A policy that was tried: what it says of itself and how its tests ran, or why there is none. */
export type Tried = { readonly file: string } & (
  | { readonly kind: "described"; readonly hash: string; readonly described: Described; readonly runs: readonly TestRun[] }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] }
);

const ENTRIES = ["index.ts", "index.js"];
const ENGINE = join(import.meta.dirname, "../src/policy/engine/quickjs.wasm");
/** The types are those of the platform, where nobody compiles: Node does. */
const { Module } = WebAssembly as unknown as { readonly Module: new (bytes: Uint8Array) => WebAssembly.Module };

/** The engine of the gateway, in this process. */
export function workbench(): Workbench {
  return new Workbench(new Module(readFileSync(ENGINE)));
}

/**
 * The files of the policies that names stand for: a file, a folder with an `index.ts`, or a folder of such folders.
 * @throws Failure that names what is none.
 */
export function policyFiles(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (!existsSync(name)) throw none(name, "is not there");
    if (!statSync(name).isDirectory()) return [name];
    const own = entryOf(name);
    if (own !== null) return [own];
    const folders = readdirSync(name, { withFileTypes: true }).filter((each) => each.isDirectory());
    const found = folders.map((folder) => entryOf(join(name, folder.name))).filter((file) => file !== null);
    if (found.length === 0) throw none(name, `holds no policy: a policy is a file, or a folder with ${ENTRIES[0]}`);
    return found.toSorted();
  });
}

function entryOf(folder: string): string | null {
  return ENTRIES.map((entry) => join(folder, entry)).find((file) => existsSync(file)) ?? null;
}

function none(name: string, why: string): Failure {
  return new Failure("failed", `[file|folder]…: ${name} ${why}`, { code: "file", param: "[file|folder]…" });
}

/** Bundles a file and does with it what an upload does. What is found wrong is said by the author's own lines. */
export async function tryFile(file: string, bench: Workbench): Promise<Tried> {
  const { bundledPolicy } = await import("../scripts/bundle-policy.ts");
  try {
    const { source, placeOf } = await bundledPolicy(file);
    const tried = bench.try(file, source);
    if (tried.kind === "described") return { ...tried, file, hash: file };
    if (tried.kind === "refused") return { file, kind: "refused", problems: [{ file, line: null, column: null, message: tried.message }] };
    return { file, kind: "refused", problems: tried.complaints.map((complaint) => problemOf(complaint, file, placeOf)) };
  } catch (error) {
    const problems = problemsOfBundling(error, file);
    if (problems === null) throw error;
    return { file, kind: "refused", problems };
  }
}

type PlaceOf = (line: number, column: number) => { readonly file: string; readonly line: number; readonly column: number } | null;

function problemOf({ message, line, column }: Complaint, file: string, placeOf: PlaceOf): Problem {
  const place = placeOf(line, column);
  return place === null ? { file, line: null, column: null, message } : { ...place, file: relative("", place.file), message };
}

/** Whether a policy would be registered, and passes all its tests. */
export function passes(tried: Tried): boolean {
  return tried.kind === "described" && tried.runs.every((run) => faultOf(run) === null);
}
