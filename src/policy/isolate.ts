import { WorkerEntrypoint } from "cloudflare:workers";
import { walk } from "./chain.ts";
import type { Step, Verdict } from "./contract.ts";
import type { Plugin } from "./engine/contract.ts";
import { AskedReader, replyText } from "./engine/crossing.ts";
import { Inside } from "./engine/inside.ts";
import type { Limits } from "./engine/limits.ts";
import module from "./engine/quickjs.wasm";
import type { Registration } from "./engine/registration.ts";
import type { FarIsolate } from "./engine/walls.ts";
import { verdictText } from "./verdict-text.ts";

const reader = new AskedReader<Step>();
// One engine for the isolate's life: what each policy is loaded to is kept, and no policy reaches it.
let inside: Inside<Step, Verdict> | undefined;

function insideOf(limits: string): Inside<Step, Verdict> {
  return (inside ??= new Inside(module, walk, JSON.parse(limits) as Limits));
}

/** The isolate that policies run in: the main module of what the Worker Loader loads, with no binding and no network. */
export class Isolate extends WorkerEntrypoint implements FarIsolate {
  async judge(limits: string, asked: string): Promise<string> {
    const question = reader.read(asked);
    return replyText(await insideOf(limits).judge(question), (verdict) => verdictText(verdict, question.steps));
  }

  register(limits: string, plugin: Plugin): Promise<Registration> {
    return insideOf(limits).register(plugin);
  }
}
