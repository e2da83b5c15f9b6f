import type { Decision, Described, Evaluation, Plugin, Stage } from "./contract.ts";
import { meets, type PolicyTest, readSaid, type Said } from "./describe.ts";
import { type Limits, LIMITS } from "./limits.ts";
import { type Image, Machine, OutOfMemory } from "./machine.ts";
import { type Answer, failed, readAnswer, readDecision } from "./read.ts";
import { Shelf } from "./shelf.ts";

/** What registering a policy came to. `failures` are its own tests that it does not pass, a sentence each. */
export type Registration =
  | { readonly kind: "described"; readonly described: Described; readonly failures: readonly string[] }
  | { readonly kind: "refused"; readonly message: string };

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

type Opened = { readonly image: Image } | Failed;

/** An image has some 300 KB: there is room for fifty, and for the sources of as many that are no smaller. */
const SOURCES_BYTES = 16 * 1024 * 1024;
const IMAGES_BYTES = 16 * 1024 * 1024;
const FILENAME = "policy.js";
const OUT_OF_MEMORY = failed("memory", "needs more memory than policies have");

/**
 * Runs policies. Each evaluation begins from an image of its policy, loaded once with its settings: nothing that one leaves behind
 * reaches another, be it of the same policy. Everything here is synchronous, and bounded by fuel.
 */
export class Engine {
  readonly #machine: Machine;
  readonly #limits: Limits;
  readonly #sources = new Shelf<string>(SOURCES_BYTES);
  readonly #images = new Shelf<Opened>(IMAGES_BYTES);

  /** @param module the metered engine, compiled. */
  constructor(module: WebAssembly.Module, limits: Limits = LIMITS) {
    this.#machine = new Machine(module);
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

  /** Asks one policy. It burns at most `fuel`, and at most what one evaluation may. */
  evaluate(question: Question, fuel: number = this.#limits.evaluationFuel): Evaluation {
    const { hash, settings, context, stage } = question;
    const opened = this.#configured(hash, settings);
    if (!("image" in opened)) return { fuel: 0, result: opened };
    if (context.length > this.#limits.contextBytes) return { fuel: 0, result: failed("memory", "is given more than a context may hold") };
    const run = this.#run(opened.image, Math.min(fuel, this.#limits.evaluationFuel), () => this.#answer("ask", [context, stage]));
    const result = run.answer.kind === "done" ? readDecision(run.answer.body) : failedOf(run.answer);
    return { fuel: run.fuel, result, ...(run.answer.logs === "" ? {} : { logs: run.answer.logs }) };
  }

  /** Loads a policy for the first time, reads what it says of itself, and runs its own tests. */
  register(plugin: Plugin): Registration {
    this.keep(plugin);
    const loaded = this.#load(plugin.hash);
    if (!("image" in loaded)) return refused("load", loaded);
    const run = this.#run(loaded.image, this.#limits.evaluationFuel, () => this.#answer("describe", []));
    if (run.answer.kind === "failed") return refused("describe", run.answer);
    const said = readSaid(run.answer.body);
    if (typeof said === "string") return { kind: "refused", message: said };
    const failures = this.#test(plugin.hash, said);
    const tests = { passed: said.tests.length - failures.length, failed: failures.length };
    const { tests: _, ...described } = said;
    return { kind: "described", described: { ...described, loadFuel: loaded.fuel, tests }, failures };
  }

  /** Tells a policy that nothing will ask it any more. What it does then, nobody sees. */
  close(hash: string, settings: Question["settings"]): void {
    const opened = this.#configured(hash, settings);
    if ("image" in opened) this.#run(opened.image, this.#limits.loadFuel, () => this.#answer("close", []));
  }

  #test(hash: string, { tests }: Said): string[] {
    let left = this.#limits.testsFuel;
    return tests.flatMap((test) => {
      const { context, stage, settings } = test;
      const evaluation = this.evaluate({ hash, stage, settings, context: JSON.stringify(context) }, left);
      left -= evaluation.fuel;
      const fault = faultOfTest(test, evaluation);
      return fault === null ? [] : [`${test.name}: ${fault}`];
    });
  }

  /** The image of a policy with its settings, made where there is none. A failure is remembered too: it would come again. */
  #configured(hash: string, settings: Question["settings"]): Opened {
    const text = JSON.stringify(settings);
    const name = `${hash}\n${text}`;
    const known = this.#images.get(name);
    if (known) return known;
    const loaded = this.#load(hash);
    const made = "image" in loaded ? this.#configure(loaded.image, text) : loaded;
    this.#images.put(name, made, "image" in made ? made.image.bytes : 1_024);
    return made;
  }

  #configure(image: Image, settings: string): Opened {
    return this.#imaged(image, () => this.#answer("configure", [settings]));
  }

  #load(hash: string): (Opened & { readonly fuel: number }) | (Failed & { readonly fuel: number }) {
    const source = this.#sources.get(hash);
    if (source === undefined) throw new Error(`the policy ${hash} was not kept here`);
    return this.#imaged(this.#machine.empty, () => {
      const module = this.#machine.module(source, FILENAME);
      return typeof module === "string" ? { ...failed("threw", module), logs: "" } : this.#answer("open", [module]);
    });
  }

  #imaged(from: Image, work: () => Answer): Opened & { readonly fuel: number } {
    const { answer, fuel } = this.#run(from, this.#limits.loadFuel, work);
    if (answer.kind === "failed") return { ...failedOf(answer), fuel };
    const image = this.#machine.snapshot();
    if (image.bytes > this.#limits.imageBytes) return { ...failed("memory", "fills too much memory when it is loaded"), fuel };
    return { image, fuel };
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
    if (this.#machine.fuel === 0) return failed("fuel", "burnt all its fuel");
    if (trap instanceof OutOfMemory) return OUT_OF_MEMORY;
    return failed("threw", "stopped the engine that it runs in");
  }

  #answer(command: string, values: readonly (string | number)[]): Answer {
    const answer = readAnswer(this.#machine.command(command, values, this.#limits.resultBytes));
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

/** Why an evaluation is not what a test expects; null where it is. */
function faultOfTest({ expect }: PolicyTest, { result }: Evaluation): string | null {
  if (result.kind === "failed") return `${result.failure}: ${result.message}`;
  const strayed = Object.keys(expect).find((name) => !meets(result.value[name as keyof Decision], expect[name]));
  if (strayed === undefined) return null;
  return `${strayed}: is ${shown(result.value[strayed as keyof Decision])}, expected ${shown(expect[strayed])}`;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 200);
}
