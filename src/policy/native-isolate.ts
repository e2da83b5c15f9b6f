import { WorkerEntrypoint } from "cloudflare:workers";
import { STAGES } from "./engine/contract.ts";
import type { NativeIsolate, NativeQuestion, NativeSaid } from "./engine/native.ts";

type Members = Readonly<Record<string, unknown>>;
type Method = (...given: readonly unknown[]) => unknown;

/** Policies that were loaded, by module and settings. A class has an instance for each; an object is one for all. */
const loaded = new Map<string, Promise<Members>>();
/** More than operators have; what is loaded beyond is loaded again each time. */
const LOADED_MAX = 256;

/** The isolate of native policies: the main module of what the Worker Loader loads, with no binding and no network. */
export class Native extends WorkerEntrypoint implements NativeIsolate {
  /** In order, each to its end: what one does is never in the midst of what another does for the same request. */
  async ask(questions: readonly NativeQuestion[]): Promise<readonly NativeSaid[]> {
    const said: NativeSaid[] = [];
    for (const { module, settings, stage, context } of questions)
      said.push(
        await told(async () => {
          const policy = await loadedWith(module, settings);
          return call(policy, stage, { ...(JSON.parse(context) as Members), config: configOf(policy, settings) });
        }),
      );
    return said;
  }

  async describe(module: string): Promise<NativeSaid> {
    return told(async () => {
      const policy = await opened(module);
      const { name, version, priority, compose, needs, config, tests } = policy;
      const stages = STAGES.filter((stage) => typeof policy[stage] === "function");
      return { name, version, priority, compose, needs, config, tests, stages };
    });
  }

  async close(module: string, settings: string): Promise<NativeSaid> {
    return told(async () => {
      // A policy that needs settings cannot be loaded without: then there is nothing to unload.
      const policy = await loadedWith(module, settings).catch(() => null);
      if (policy !== null) await call(policy, "onUnload");
      return null;
    });
  }
}

function loadedWith(module: string, settings: string): Promise<Members> {
  const name = `${module}\n${settings}`;
  const known = loaded.get(name);
  if (known) return known;
  const made = opened(module).then(async (policy) => {
    await call(policy, "onLoad", configOf(policy, settings));
    return policy;
  });
  if (loaded.size < LOADED_MAX) loaded.set(name, made);
  return made;
}

async function opened(module: string): Promise<Members> {
  const { default: given } = (await import(module)) as { readonly default?: unknown };
  const policy: unknown = typeof given === "function" ? new (given as new () => unknown)() : given;
  if (policy === null || typeof policy !== "object") throw new TypeError("the module must have a policy as its default export");
  return policy as Members;
}

function call(policy: Members, member: string, ...given: readonly unknown[]): unknown {
  const method = policy[member];
  return typeof method === "function" ? (method as Method).apply(policy, [...given]) : undefined;
}

/** Settings as the policy reads them, made anew each time: what is done to them, none other sees. */
function configOf(policy: Members, settings: string): Members {
  const { properties = {} } = (policy["config"] ?? {}) as { readonly properties?: Readonly<Record<string, Members>> };
  const defaults = Object.entries(properties).flatMap(([name, property]) => ("default" in property ? [[name, property["default"]]] : []));
  return { ...(structuredClone(Object.fromEntries(defaults)) as Members), ...(JSON.parse(settings) as Members) };
}

async function told(work: () => Promise<unknown>): Promise<NativeSaid> {
  try {
    const text = JSON.stringify(await work()) as string | undefined;
    return text === undefined ? { kind: "invalid", text: "must be an object with allowed" } : { kind: "done", text };
  } catch (error) {
    return { kind: "threw", text: error instanceof Error ? `${error.name}: ${error.message}` : "threw what is no error" };
  }
}
