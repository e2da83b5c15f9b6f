import type { Evaluation, Judged, Stage } from "./contract.ts";
import { readSaid, type Said } from "./describe.ts";
import { contextsOf, written } from "./facts.ts";
import { fnv1a } from "./fnv1a.ts";
import type { Limits } from "./limits.ts";
import { failed, readDecision } from "./read.ts";
import { faultOfTest, type Registration, type TestRun } from "./registration.ts";
import { type Chain, COMPATIBILITY_DATE } from "./walls.ts";
import { LATE, within } from "./within.ts";

/** A policy of the operator's own that came with the deployment, and runs as the platform runs any code. */
export interface DeployedPolicy {
  readonly hash: string;
  readonly source: string;
}

/** One question to a native policy: all of it is text, but for the stage. */
export interface NativeQuestion {
  /** Where its module stands in the isolate. */
  readonly module: string;
  readonly settings: string;
  readonly stage: Stage;
  readonly context: string;
}

/** What a native policy said: JSON, or why there is none. */
export type NativeSaid = { readonly kind: "done" | "threw" | "invalid"; readonly text: string };

/** What the isolate of native policies answers. */
export interface NativeIsolate {
  ask(questions: readonly NativeQuestion[]): Promise<readonly NativeSaid[]>;
  describe(module: string): Promise<NativeSaid>;
  close(module: string, settings: string): Promise<NativeSaid>;
}

/** What native policies are run by. `code` is the isolate's main module, named by a digest. */
export interface NativeStones {
  readonly loader: WorkerLoader | undefined;
  readonly deployed: readonly DeployedPolicy[];
  readonly limits: Limits;
  readonly code: { readonly digest: string; readonly source: string };
}

const MAIN = "native.js";

/**
 * Policies that run natively: at full speed, with whatever JavaScript has, and with no fuel that ends them. Which do is said by the
 * deployment alone: a version runs here if its hash is that of a source that was deployed, and it is the deployed source that runs.
 */
export class NativeWalls {
  readonly #isolate: (() => NativeIsolate) | null;
  readonly #modules: ReadonlyMap<string, string>;
  readonly #limits: Limits;

  constructor({ loader, deployed, limits, code }: NativeStones) {
    this.#modules = new Map(deployed.map(({ hash }, at) => [hash, `./policy-${at}.js`]));
    this.#limits = limits;
    const sources = deployed.map(({ source }, at) => [`policy-${at}.js`, source]);
    const worker: WorkerLoaderWorkerCode = {
      compatibilityDate: COMPATIBILITY_DATE,
      mainModule: MAIN,
      modules: { [MAIN]: code.source, ...Object.fromEntries(sources) },
      limits: { cpuMs: limits.nativeCpuMs, subRequests: 0 },
      // The operator's own code all the same: what decides about requests has nothing to tell to anybody else.
      env: {},
      globalOutbound: null,
    };
    const name = `natives-${code.digest}-${fnv1a(JSON.stringify([limits, [...this.#modules]])).toString(36)}`;
    this.#isolate = loader ? () => loader.get(name, () => worker).getEntrypoint("Native") as unknown as NativeIsolate : null;
  }

  /** Whether a version of this hash runs natively. */
  has(hash: string): boolean {
    return this.#modules.has(hash);
  }

  /** Asks the native ones among the steps of a chain, all in one call; null for each of the others. It never throws. */
  async evaluations({ stage, steps, facts }: Pick<Chain<Judged>, "stage" | "steps" | "facts">): Promise<readonly (Evaluation | null)[]> {
    const contextOf = contextsOf(written(facts));
    const native = steps.filter(({ hash }) => this.has(hash));
    const asked = native.map((step) => ({ ...step, stage, context: contextOf(step) }));
    const evaluations = await this.#asked(asked);
    return steps.map((step) => evaluations[native.indexOf(step)] ?? null);
  }

  /** Loads a policy for the first time, reads what it says of itself, and runs its own tests. */
  async register(hash: string): Promise<Registration> {
    const described = await this.#said((isolate, module) => isolate.describe(module), hash);
    if (described.kind !== "done") return refused("load", described);
    const said = readSaid(described.text);
    if (typeof said === "string") return { kind: "refused", message: said };
    const runs = await this.#tested(hash, said);
    const settings = JSON.stringify(said.tests[0]?.settings ?? {});
    const unloaded = await this.#said((isolate, module) => isolate.close(module, settings), hash);
    if (unloaded.kind !== "done") return refused("onUnload", unloaded);
    const failed = runs.filter(({ fault }) => fault !== null).length;
    const { tests: _, ...rest } = said;
    return { kind: "described", described: { ...rest, loadFuel: 0, tests: { passed: runs.length - failed, failed } }, runs };
  }

  async #tested(hash: string, { tests }: Said): Promise<TestRun[]> {
    const asked = tests.map(({ stage, settings, context }) => ({ hash, stage, settings, context: JSON.stringify(context) }));
    const evaluations = await this.#asked(asked);
    return tests.map((test, at) => {
      const [{ stage, settings, context }, evaluation] = [asked[at]!, evaluations[at]!];
      return { name: test.name, stage, settings, context, evaluation, fault: faultOfTest(test, evaluation) };
    });
  }

  async #asked(
    asked: readonly (Pick<Judged, "hash" | "settings"> & Pick<NativeQuestion, "stage" | "context">)[],
  ): Promise<readonly Evaluation[]> {
    const questions = asked.map(({ hash, settings, stage, context }): NativeQuestion => ({
      module: this.#modules.get(hash)!,
      settings: JSON.stringify(settings),
      stage,
      context,
    }));
    const said = await this.#heard((isolate) => isolate.ask(questions));
    return questions.map((_, at) => ({ fuel: 0, result: "failure" in said ? said : this.#read(said.answer[at]) }));
  }

  #read(said: NativeSaid | undefined): Evaluation["result"] {
    if (said === undefined || said.kind === "invalid") return failed("invalid_decision", said?.text ?? "answered what cannot be read");
    if (said.kind === "threw") return failed("threw", said.text);
    const { resultBytes } = this.#limits;
    const most = said.text.length > resultBytes;
    return most ? failed("invalid_decision", `holds more than ${resultBytes} bytes`) : readDecision(said.text);
  }

  async #said(ask: (isolate: NativeIsolate, module: string) => Promise<NativeSaid>, hash: string): Promise<NativeSaid> {
    const said = await this.#heard((isolate) => ask(isolate, this.#modules.get(hash)!));
    return "failure" in said ? { kind: "threw", text: said.message } : said.answer;
  }

  /** Waits for the isolate no longer than policies have. Locally nothing ends code that loops; there the timer only answers the caller. */
  async #heard<Answer>(ask: (isolate: NativeIsolate) => Promise<Answer>): Promise<{ readonly answer: Answer } | ReturnType<typeof failed>> {
    if (this.#isolate === null) return failed("threw", "there is no Worker Loader for it to run natively");
    try {
      const answer = await within(ask(this.#isolate()), this.#limits.timeoutMs);
      return answer === LATE ? failed("timeout", "did not answer in time") : { answer };
    } catch {
      return failed("threw", "the isolate that it runs in broke");
    }
  }
}

function refused(when: string, { text }: NativeSaid): Registration {
  return { kind: "refused", message: `${when}: ${text}` };
}
