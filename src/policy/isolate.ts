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

/** As many as the policies of most chains; each takes 8 MB of the 128 that an isolate has. */
const MACHINES = 4;

function insideOf(limits: string): Inside<Step> {
  return (inside ??= new Inside(module, walk, JSON.parse(limits) as Limits, MACHINES));
}

/** The isolate that policies run in: the main module of what the Worker Loader loads, with no binding and no network. */
export class Isolate extends WorkerEntrypoint implements FarIsolate {
  async judge(limits: string, asked: string): Promise<string> {
    const here = insideOf(limits);
    const reply = await here.judge(reader.read(asked));
    this.ctx.waitUntil(here.ready());
    return JSON.stringify(reply);
  }

  register(limits: string, plugin: Plugin): Promise<Registration> {
    return insideOf(limits).register(plugin);
  }
}
