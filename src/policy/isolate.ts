import { WorkerEntrypoint } from "cloudflare:workers";
import { walk } from "./chain.ts";
import type { Step, Verdict } from "./contract.ts";
import type { Plugin } from "./engine/contract.ts";
import type { Registration } from "./engine/registration.ts";
import type { Limits } from "./engine/limits.ts";
import { type Asked, Inside } from "./engine/inside.ts";
import type { FarIsolate } from "./engine/walls.ts";
import module from "./engine/quickjs.wasm";

// One engine for the isolate's life: what each policy is loaded to is kept, and no policy reaches it.
let inside: Inside<Step, Verdict> | undefined;

/** The isolate that policies run in: the main module of what the Worker Loader loads, with no binding and no network. */
export class Isolate extends WorkerEntrypoint<object, Limits> implements FarIsolate {
  async judge(asked: string): Promise<string> {
    return JSON.stringify(await this.#inside.judge(JSON.parse(asked) as Asked<Step>));
  }

  register(plugin: Plugin): Promise<Registration> {
    return this.#inside.register(plugin);
  }

  /** The limits are part of the isolate's name, so all who ask it say the same. */
  get #inside(): Inside<Step, Verdict> {
    return (inside ??= new Inside(module, walk, this.ctx.props));
  }
}
