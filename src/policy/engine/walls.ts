import { type Evaluation, type Facts, type Judged, type Plugin, reached, type Walk, walked } from "./contract.ts";
import { askedText } from "./crossing.ts";
import { written } from "./facts.ts";
import { Inside, type Asked, type Reply } from "./inside.ts";
import built from "./isolate.json" with { type: "json" };
import { fnv1a } from "./fnv1a.ts";
import { type Limits, LIMITS } from "./limits.ts";
import { failed } from "./read.ts";
import type { Registration } from "./registration.ts";
import { Steady } from "./steady.ts";
import { LATE, within } from "./within.ts";

/** A chain as a flow asks it. `plugins` holds every policy of its steps; their sources travel only where they are not known. */
export interface Chain<Step extends Judged> extends Omit<Asked<Step>, "facts"> {
  readonly tenant: string;
  readonly facts: Facts;
}

/** Where policies run: behind two walls, or, where there is no Worker Loader, behind the inner one. */
export interface Walls<Step extends Judged, Outcome> {
  /** Walks a whole chain in one call. It never throws: what breaks is a failure of every step. */
  judge(chain: Chain<Step>): Promise<Outcome>;
  /** Loads a policy for the first time, runs its tests, and says what it is. */
  register(plugin: Plugin): Promise<Registration>;
}

/** What the walls are made of. `loader` is missing where the platform has none. */
export interface Stones<Step extends Judged, Outcome> {
  readonly module: WebAssembly.Module;
  readonly walk: Walk<Step, Outcome>;
  readonly loader?: WorkerLoader | undefined;
  readonly limits?: Limits;
}

/**
 * Isolates that there are at most. Open-source workerd never lets go of a named one, so tenants share them by the hash of their names:
 * between two that do stands the inner wall, which wipes all that its guest had before each evaluation.
 */
const SLOTS = 32;
const MAIN = "isolate.js";
const ENGINE = "engine/quickjs.wasm";
const REGISTRY = "registry";
/** The platform's date for what is loaded: the gateway's own. */
export const COMPATIBILITY_DATE = "2026-08-15";
/** For the platforms that keep them; the fuel holds everywhere, and ends long before. */
const PLATFORM_LIMITS = { cpuMs: 2_000, subRequests: 0 };

/** Builds the walls that can be built here. */
export function wallsOf<Step extends Judged, Outcome>(stones: Stones<Step, Outcome>): Walls<Step, Outcome> {
  const { limits = LIMITS } = stones;
  const isolateOf = stones.loader ? loadedBy<Step>(stones.loader, { ...stones, limits }) : own({ ...stones, limits });
  const steady = new Steady(limits);
  return {
    async judge({ tenant, plugins, facts, ...chain }) {
      const { steps } = chain;
      const asking = { ...chain, facts: written(facts) };
      const names = steady.namesOf({ ...asking, tenant });
      const known = steady.recall(names, chain.known);
      const outcomeOf = (evaluations: readonly (Evaluation | null)[]) =>
        reached(stones.walk(steps), (step) => evaluations[steps.indexOf(step)] ?? null);
      const foreseen = outcomeOf(known);
      if (foreseen) return foreseen.outcome;
      const isolate = isolateOf(tenant);
      const ask = async () => {
        const asked = { ...asking, known };
        const reply = await isolate.judge({ ...asked, plugins: [] });
        if (reply.kind === "judged") return reply.evaluations;
        const missing = plugins.filter(({ hash }) => reply.hashes.includes(hash));
        const again = await isolate.judge({ ...asked, plugins: missing });
        if (again.kind === "missing") throw new Error(`a chain names policies that came without a source: ${again.hashes.join(", ")}`);
        return again.evaluations;
      };
      const answer = async () => {
        const evaluations = await ask();
        const found = outcomeOf(evaluations);
        if (!found) throw new Error("a chain was not walked to its end");
        steady.keep(names, evaluations);
        return found.outcome;
      };
      const end = (evaluation: Evaluation["result"]) => walked(stones.walk(steps), () => ({ fuel: 0, result: evaluation }));
      return within(answer(), limits.timeoutMs).then(
        (outcome) => (outcome === LATE ? end(failed("timeout", "did not answer in time")) : outcome),
        () => end(failed("threw", "the isolate that it runs in broke")),
      );
    },
    async register(plugin) {
      return isolateOf(REGISTRY).register(plugin);
    },
  };
}

/** What an isolate answers, near or far. */
interface Isolate<Step extends Judged> {
  judge(asked: Asked<Step>): Promise<Reply>;
  register(plugin: Plugin): Promise<Registration>;
}

/** What a loaded isolate answers. `limits` are JSON, and the same whoever asks: they are part of its name. */
export interface FarIsolate {
  judge(limits: string, asked: string): Promise<string>;
  register(limits: string, plugin: Plugin): Promise<Registration>;
}

type Cut<Step extends Judged, Outcome> = Required<Pick<Stones<Step, Outcome>, "module" | "walk" | "limits">>;

function own<Step extends Judged, Outcome>({ module, walk, limits }: Cut<Step, Outcome>): (tenant: string) => Isolate<Step> {
  let inside: Inside<Step> | undefined;
  return () => (inside ??= new Inside(module, walk, limits));
}

function loadedBy<Step extends Judged>(loader: WorkerLoader, { module, limits }: Pick<Cut<Step, unknown>, "module" | "limits">) {
  const code: WorkerLoaderWorkerCode = {
    compatibilityDate: COMPATIBILITY_DATE,
    mainModule: MAIN,
    modules: { [MAIN]: built.source, [ENGINE]: { wasm: module } },
    limits: PLATFORM_LIMITS,
    // No binding to misuse, no network to speak to: whoever broke out of the machine would stand in an empty room.
    env: {},
    globalOutbound: null,
  };
  const told = JSON.stringify(limits);
  const name = `policies-${built.digest}-${fnv1a(told).toString(36)}`;
  return (tenant: string): Isolate<Step> => {
    // The same tenant always finds the isolate that has loaded its policies.
    const stub = loader.get(`${name}-${fnv1a(tenant) % SLOTS}`, () => code);
    const far = stub.getEntrypoint("Isolate") as unknown as FarIsolate;
    return {
      judge: async (asked) => JSON.parse(await far.judge(told, askedText(asked))) as Reply,
      register: (plugin) => far.register(told, plugin),
    };
  };
}
