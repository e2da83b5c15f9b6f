import { WorkerEntrypoint } from "cloudflare:workers";
import { walk } from "./chain.ts";
import type { Step, Verdict } from "./contract.ts";
import type { Plugin } from "./engine/contract.ts";
import type { Registration } from "./engine/engine.ts";
import { type Asked, Inside, type Reply } from "./engine/inside.ts";
import module from "./engine/quickjs.wasm";

// One engine for the isolate's life: what each policy is loaded to is kept, and no policy reaches it.
let inside: Inside<Step, Verdict> | undefined;

/** The isolate that policies run in: the main module of what the Worker Loader loads, with no binding and no network. */
export class Isolate extends WorkerEntrypoint {
  judge(asked: Asked<Step>): Reply<Verdict> {
    inside ??= new Inside(module, walk);
    return inside.judge(asked);
  }

  register(plugin: Plugin): Registration {
    inside ??= new Inside(module, walk);
    return inside.register(plugin);
  }
}
