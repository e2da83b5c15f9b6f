import { WorkerEntrypoint } from "cloudflare:workers";
import { walk } from "./chain.ts";
import type { Step } from "./contract.ts";
import type { Plugin } from "./engine/contract.ts";
import { AskedReader } from "./engine/crossing.ts";
import { Inside } from "./engine/inside.ts";
import type { Limits } from "./engine/limits.ts";
import module from "./engine/quickjs.wasm";
import type { Registration } from "./engine/registration.ts";
import type { FarIsolate } from "./engine/walls.ts";

const reader = new AskedReader<Step>();
// One engine for the isolate's life: what each policy is loaded to is kept, and no policy reaches it.
let inside: Inside<Step> | undefined;

function insideOf(limits: string): Inside<Step> {
  return (inside ??= new Inside(module, walk, JSON.parse(limits) as Limits));
}

/** The isolate that policies run in: the main module of what the Worker Loader loads, with no binding and no network. */
export class Isolate extends WorkerEntrypoint implements FarIsolate {
  async judge(limits: string, asked: string): Promise<string> {
    return JSON.stringify(await insideOf(limits).judge(reader.read(asked)));
  }

  register(limits: string, plugin: Plugin): Promise<Registration> {
    return insideOf(limits).register(plugin);
  }
}
