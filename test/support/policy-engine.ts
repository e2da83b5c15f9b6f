import { readFileSync } from "node:fs";

/** The types are those of the platform, where nobody compiles: Node does. */
const { Module } = WebAssembly as unknown as { readonly Module: new (bytes: Uint8Array) => WebAssembly.Module };

/** The metered engine, compiled in Node. */
export const compiledEngine = new Module(readFileSync("src/policy/engine/quickjs.wasm"));
