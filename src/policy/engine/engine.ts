import type { Evaluation, Plugin, Stage } from "./contract.ts";
import { readSaid, type Said } from "./describe.ts";
import { textOf } from "./facts.ts";
import { FIXED, type Limits, LIMITS } from "./limits.ts";
import { type Image, Machine, OutOfMemory } from "./machine.ts";
import { type Answer, failed, OUT_OF_FUEL, readAnswer, readDecision } from "./read.ts";
import { faultOfTest, type Registration, type TestRun } from "./registration.ts";
import { Shelf } from "./shelf.ts";
import { atOnce, counted, type Turns } from "./turns.ts";

/** What one policy is asked. `context` is JSON: the facts that it declared. */
export interface Question {
  readonly hash: string;
  readonly stage: Stage;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly context: string;
}

interface Failed {
  readonly kind: "failed";
  readonly failure: Extract<Evaluation["result"], { kind: "failed" }>["failure"];
  readonly message: string;
}

/** A machine made ready, and what that burnt. */
type Opened = ({ readonly image: Image } | Failed) & { readonly fuel: number };

/** An image has some 300 KB: there is room for eighty, and for the sources of half as many that are no smaller. */
const SOURCES_BYTES = 16 * 1024 * 1024;
const IMAGES_BYTES = 24 * 1024 * 1024;
const FAILURE_BYTES = 1_024;
const FILENAME = "policy.js";
const OUT_OF_MEMORY = failed("memory", "needs more memory than policies have");

/**
 * Runs policies. Each evaluation begins from an image of its policy, loaded once with its settings: nothing that one leaves behind
 * reaches another, be it of the same policy. Everything here is bounded by fuel, and done in turns: between two of them, whoever drives
 * the work may let others have the thread.
 */
export class Engine {
  readonly #machine: Machine;
  readonly #limits: Limits;
  readonly #sources = new Shelf<string>(SOURCES_BYTES);
  readonly #images = new Shelf<Opened>(IMAGES_BYTES);

  /** @param module the metered engine, compiled. */
  constructor(module: WebAssembly.Module, limits: Limits = LIMITS) {
    this.#machine = new Machine(module, limits);
    this.#limits = limits;
  }

  /** Whether a policy's source is here. */
  knows(hash: string): boolean {
    return this.#sources.has(hash);
  }

  /** Takes a policy's source in, for whatever evaluations name its hash. */
  keep({ hash, source }: Plugin): void {
    this.#sources.put(hash, source, source.length * 2);
  }

  /** Asks one policy, at once. It burns at most `fuel`, and at most what one evaluation may. */
  evaluate(question: Question, fuel?: number): Evaluation {
    return atOnce(this.evaluating(question, fuel));
  }

  /** Asks one policy, in turns: it is loaded and given its settings where that has not been done, each a turn of its own. */
  *evaluating({ hash, settings, context, stage }: Question, fuel: number = this.#limits.evaluationFuel): Turns<Evaluation> {
    const opened = yield* this.#configured(hash, settings);
    if (!("image" in opened)) return { fuel: 0, result: failedOf(opened) };
    if (context.length > this.#limits.contextBytes) return { fuel: 0, result: failed("memory", "is given more than a context may hold") };
    const run = this.#run(opened.image, Math.min(fuel, this.#limits.evaluationFuel), () => this.#answer("ask", [context, stage]));
    yield run.fuel;
    const result = run.answer.kind === "done" ? readDecision(run.answer.body) : failedOf(run.answer);
    return { fuel: run.fuel, result, ...(run.answer.logs === "" ? {} : { logs: run.answer.logs }) };
  }

  /** Loads a policy for the first time, reads what it says of itself, and runs its own tests, at once. */
  register(plugin: Plugin): Registration {
    return atOnce(this.registering(plugin));
  }

  /** The same in turns. At its end the policy is told that nothing will ask it any more: what fails then is found here, and not later. */
  *registering(plugin: Plugin): Turns<Registration> {
    this.keep(plugin);
    const loaded = yield* this.#loaded(plugin.hash);
    if (!("image" in loaded)) return refused("load", loaded);
    const run = this.#run(loaded.image, this.#limits.evaluationFuel, () => this.#answer("describe", []));
    yield run.fuel;
    if (run.answer.kind === "failed") return refused("describe", run.answer);
    const said = readSaid(run.answer.body);
    if (typeof said === "string") return { kind: "refused", message: said };
    const runs = yield* this.#tested(plugin.hash, said);
    const unloaded = yield* this.#unloaded(plugin.hash, said);
    if (unloaded.kind === "failed") return refused("onUnload", unloaded);
    const failed = runs.filter(({ fault }) => fault !== null).length;
    const { tests: _, ...described } = said;
    const tests = { passed: runs.length - failed, failed };
    return { kind: "described", described: { ...described, loadFuel: loaded.fuel, tests }, runs };
  }

  /** Runs a policy's own tests. What loading it with their settings burns is theirs as well, so that many tests are no way around a limit. */
  *#tested(hash: string, { tests }: Said): Turns<TestRun[]> {
    let left = this.#limits.testsFuel;
    const runs: TestRun[] = [];
    for (const test of tests) {
      const { name, stage, settings } = test;
      const asked = { stage, settings, context: JSON.stringify(test.context) };
      const evaluation = yield* counted(this.evaluating({ ...asked, hash }, left), (fuel) => (left -= fuel));
      const run = { ...asked, name, evaluation, fault: faultOfTest(test, evaluation) };
      runs.push(run);
      if (left > 0) continue;
      const late = failed("fuel", `the tests burn more than the ${this.#limits.testsFuel} that they have together`);
      return [...runs.slice(0, -1), { ...run, evaluation: { fuel: evaluation.fuel, result: late }, fault: `fuel: ${late.message}` }];
    }
    return runs;
  }

  /** Tells a policy that nothing will ask it any more, with the settings of its first test. */
  *#unloaded(hash: string, { tests }: Said): Turns<Answer> {
    const opened = yield* this.#configured(hash, tests[0]?.settings ?? {});
    // A policy that needs settings cannot be loaded without: then there is nothing to unload.
    if (!("image" in opened)) return { kind: "done", body: "", logs: "" };
    const { answer, fuel } = this.#run(opened.image, this.#limits.loadFuel, () => this.#answer("close", []));
    yield fuel;
    return answer;
  }

  /** The image of a policy with its settings, made where there is none. A failure is remembered too: it would come again. */
  *#configured(hash: string, settings: Question["settings"]): Turns<Opened> {
    const text = textOf(settings);
    const name = `${hash}\n${text}`;
    const known = this.#images.get(name);
    if (known) return known;
    const loaded = yield* this.#loaded(hash);
    if (!("image" in loaded)) return loaded;
    return yield* this.#made(name, loaded.image, () => this.#answer("configure", [text]));
  }

  /** The image of a policy without settings, for whatever settings it is given. */
  *#loaded(hash: string): Turns<Opened> {
    const known = this.#images.get(hash);
    if (known) return known;
    const source = this.#sources.get(hash);
    if (source === undefined) throw new Error(`the policy ${hash} was not kept here`);
    return yield* this.#made(hash, this.#machine.empty, () => {
      const module = this.#machine.module(source, FILENAME);
      return typeof module === "string" ? { ...failed("threw", module), logs: "" } : this.#answer("open", [module]);
    });
  }

  *#made(name: string, from: Image, work: () => Answer): Turns<Opened> {
    const { answer, fuel } = this.#run(from, this.#limits.loadFuel, work);
    const made = { ...this.#imageAfter(answer), fuel };
    this.#images.put(name, made, "image" in made ? made.image.bytes : FAILURE_BYTES);
    yield fuel;
    return made;
  }

  #imageAfter(answer: Answer): { readonly image: Image } | Failed {
    if (answer.kind === "failed") return failedOf(answer);
    const image = this.#machine.snapshot();
    return image.bytes > FIXED.imageBytes ? failed("memory", "fills too much memory when it is loaded") : { image };
  }

  /** Runs work on a machine that was just made from an image. A trap is an answer as well; what was burnt is always known. */
  #run(image: Image, fuel: number, work: () => Answer): { answer: Answer; fuel: number } {
    this.#machine.restore(image);
    this.#machine.grant(Math.max(fuel, 0));
    let answer: Answer;
    try {
      answer = work();
    } catch (trap) {
      answer = { ...this.#trapped(trap), logs: "" };
    }
    return { answer, fuel: Math.max(fuel, 0) - this.#machine.fuel };
  }

  #trapped(trap: unknown): Failed {
    if (this.#machine.fuel === 0) return OUT_OF_FUEL;
    if (trap instanceof OutOfMemory) return OUT_OF_MEMORY;
    return failed("threw", "stopped the engine that it runs in");
  }

  #answer(command: string, values: readonly (string | number)[]): Answer {
    const answer = readAnswer(this.#machine.command(command, values, this.#limits.resultBytes), this.#limits);
    // Where there is no room for an error that says so, the engine throws null.
    const unsaid = answer.kind === "failed" && answer.failure === "threw" && this.#machine.full;
    return unsaid ? { ...OUT_OF_MEMORY, logs: answer.logs } : answer;
  }
}

function failedOf({ failure, message }: Failed): Failed {
  return { kind: "failed", failure, message };
}

function refused(when: string, { failure, message }: Failed): Registration {
  return { kind: "refused", message: `${when}: ${failure === "threw" ? message : `${failure}: ${message}`}` };
}
