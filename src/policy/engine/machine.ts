import { GUEST } from "./guest.ts";
import { FIXED, type Limits } from "./limits.ts";

/** A value inside the machine. */
type Handle = number;

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __stack_pointer: WebAssembly.Global;
  readonly fuel: WebAssembly.Global;
  readonly pages: WebAssembly.Global;
  _initialize(): void;
  qjs_init2(intrinsics: number): number;
  qjs_set_max_stack_size(bytes: number): void;
  qjs_eval(code: number, length: number, filename: number, flags: number): Handle;
  qjs_new_string(text: number, length: number): Handle;
  qjs_get_undefined(): Handle;
  qjs_get_string_len(value: Handle, length: number): number;
  qjs_is_string(value: Handle): number;
  qjs_is_exception(value: Handle): number;
  qjs_get_exception(): Handle;
  qjs_call(callee: Handle, self: Handle, count: number, values: number): Handle;
  qjs_promise_state(promise: Handle): number;
  qjs_promise_result(promise: Handle): Handle;
  qjs_is_job_pending(): number;
  qjs_execute_pending_job(): number;
  wasm_malloc(bytes: number): number;
  wasm_free(at: number): void;
}

/** The exports of the metered engine that the machine uses; the build drops the others. */
export const EXPORTS = [
  "memory",
  "__stack_pointer",
  "_initialize",
  "qjs_init2",
  "qjs_set_max_stack_size",
  "qjs_eval",
  "qjs_new_string",
  "qjs_get_undefined",
  "qjs_get_string_len",
  "qjs_is_string",
  "qjs_is_exception",
  "qjs_get_exception",
  "qjs_call",
  "qjs_promise_state",
  "qjs_promise_result",
  "qjs_is_job_pending",
  "qjs_execute_pending_job",
  "wasm_malloc",
  "wasm_free",
] as const satisfies readonly Exclude<keyof Exports, "fuel" | "pages">[];

/** A machine as it stood: what is not zero of its memory, and its registers. It is never written to, so it may begin many evaluations. */
export interface Image {
  readonly pages: number;
  readonly stackPointer: number;
  readonly parts: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly bytes: number;
}

/** Text that a machine answered; `whole` is false where only its beginning was read. */
export interface Text {
  readonly text: string;
  readonly whole: boolean;
}

const PAGE = 65_536;
/**
 * The address below which the engine writes nothing: every store of it is guarded by the build, and the host writes nowhere but where it is
 * given room. The engine's stack begins at 1 MiB and grows down; JavaScript's 64 KB take 70 KB of it at most, and have 128 KB.
 */
export const FLOOR = 1_048_576 - 2 * PAGE;
const GRAIN = 512;
/** A machine's own beginnings burn 0.2 M; the rest is room for a newer engine. */
const BOOT_FUEL = 5_000_000;
const MODULE = 1;
/** Date, Eval, RegExp, JSON, Proxy, maps and sets, typed arrays, promises, BigInt: no clock beside Date, nothing that sees the collector. */
const INTRINSICS = 0x1ff;
const PROMISE = { pending: 0, rejected: 2 } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * One instance of the metered engine, and the only place that speaks to it. Its owner restores an image and grants fuel before each
 * use; running out of fuel, or any other trap, is thrown and leaves nothing but a memory to be wiped by the next `restore`.
 */
export class Machine {
  readonly #engine: Exports;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  #entry: Handle = 0;
  /** The machine with its guest and no policy. */
  readonly empty: Image;

  constructor(module: WebAssembly.Module, { logsCharacters }: Pick<Limits, "logsCharacters">) {
    const { exports } = new WebAssembly.Instance(
      module,
      importsOf(() => this.#memory),
    );
    this.#engine = exports as unknown as Exports;
    // The memory never grows (the build gives it its whole size), so a view stays good.
    this.#memory = new Uint8Array(this.#engine.memory.buffer);
    this.#view = new DataView(this.#engine.memory.buffer);
    this.empty = this.#boot(`${GUEST}(${logsCharacters})`);
  }

  #boot(guest: string): Image {
    this.grant(BOOT_FUEL);
    this.#engine._initialize();
    if (this.#engine.qjs_init2(INTRINSICS) !== 0) throw new Error("the policy engine does not start");
    this.#engine.qjs_set_max_stack_size(FIXED.stackBytes);
    this.#entry = this.#evaluate(guest, "tollgate", 0);
    if (this.failed(this.#entry)) throw new Error(`the policy engine does not start: ${this.#exception()}`);
    return this.snapshot();
  }

  /** Makes the machine what it was when the image was taken, whatever it has done since: all that its guest had above the floor is written anew. */
  restore({ pages, stackPointer, parts }: Image): void {
    let from = FLOOR;
    for (const { at, bytes } of parts) {
      this.#memory.fill(0, from, at);
      this.#memory.set(bytes, at);
      from = at + bytes.length;
    }
    this.#memory.fill(0, from, Math.max(pages, this.#pages) * PAGE);
    this.#engine.pages.value = pages;
    this.#engine.__stack_pointer.value = stackPointer;
  }

  /** Takes an image of the machine as it stands. */
  snapshot(): Image {
    const words = new BigUint64Array(this.#memory.buffer);
    const parts: { at: number; bytes: Uint8Array }[] = [];
    const end = this.#pages * PAGE;
    for (let at = FLOOR; at < end; at += GRAIN) {
      if (blank(words, at)) continue;
      const start = at;
      while (at < end && !blank(words, at)) at += GRAIN;
      parts.push({ at: start, bytes: this.#memory.slice(start, at) });
    }
    const bytes = parts.reduce((sum, part) => sum + part.bytes.length, 0);
    return { pages: this.#pages, stackPointer: this.#engine.__stack_pointer.value as number, parts, bytes };
  }

  get #pages(): number {
    return this.#engine.pages.value as number;
  }

  /** Whether the guest has taken all the memory that there is. */
  get full(): boolean {
    return this.#pages * PAGE >= this.#memory.length;
  }

  /** What is left to burn. */
  get fuel(): number {
    return this.#engine.fuel.value as number;
  }

  /** Sets what there is to burn. */
  grant(fuel: number): void {
    this.#engine.fuel.value = fuel;
  }

  /** Evaluates a module and all that it awaits. @returns its namespace, or a sentence that says why there is none. */
  module(source: string, filename: string): Handle | string {
    const promise = this.#evaluate(source, filename, MODULE);
    if (this.failed(promise)) return this.#exception();
    this.drain();
    const state = this.#engine.qjs_promise_state(promise);
    if (state === PROMISE.pending) return "the module awaits what never comes";
    const result = this.#engine.qjs_promise_result(promise);
    return state === PROMISE.rejected ? this.#said(result) : result;
  }

  /** Gives the guest a command, runs every job that comes of it, and reads at most `bytes` of its answer; null where it has none. */
  command(command: string, values: readonly (string | Handle)[], bytes: number): Text | null {
    let answer = this.#call([command, ...values]);
    this.drain();
    if (!this.failed(answer) && this.#engine.qjs_is_string(answer) === 0) answer = this.#call(["take"]);
    return this.failed(answer) || this.#engine.qjs_is_string(answer) === 0 ? null : this.#text(answer, bytes);
  }

  /** Whether a value says that something was thrown. */
  failed(value: Handle): boolean {
    return value === 0 || this.#engine.qjs_is_exception(value) !== 0;
  }

  /** Runs jobs until there are none. What one throws concerns nobody: the guest keeps what was asked of it. */
  drain(): void {
    while (this.#engine.qjs_is_job_pending() !== 0) this.#engine.qjs_execute_pending_job();
  }

  #call(values: readonly (string | Handle)[]): Handle {
    const handles = values.map((value) => (typeof value === "string" ? this.#string(value) : value));
    const at = this.#room(handles.length * 4);
    for (const [nth, handle] of handles.entries()) this.#view.setUint32(at + nth * 4, handle, true);
    return this.#engine.qjs_call(this.#entry, this.#engine.qjs_get_undefined(), handles.length, at);
  }

  #evaluate(source: string, filename: string, flags: number): Handle {
    const code = this.#put(source);
    return this.#engine.qjs_eval(code.at, code.length, this.#put(filename).at, flags);
  }

  #string(text: string): Handle {
    const { at, length } = this.#put(text);
    const handle = this.#engine.qjs_new_string(at, length);
    this.#engine.wasm_free(at);
    return handle;
  }

  #put(text: string): { at: number; length: number } {
    const bytes = encoded(text);
    const at = this.#room(bytes.length + 1);
    this.#memory.set(bytes, at);
    this.#memory[at + bytes.length] = 0;
    return { at, length: bytes.length };
  }

  #room(bytes: number): number {
    const at = this.#engine.wasm_malloc(bytes);
    if (at === 0) throw new OutOfMemory();
    // A guest that broke its engine may have it say anything: what is written below the floor would not be wiped.
    if (at < FLOOR) throw new Error(`the policy engine gave room at ${at}`);
    return at;
  }

  #text(value: Handle, max: number): Text | null {
    const length = this.#room(4);
    const at = this.#engine.qjs_get_string_len(value, length);
    if (at === 0) return null;
    const bytes = this.#view.getUint32(length, true);
    const whole = bytes <= max;
    return { text: decoder.decode(this.#memory.subarray(at, at + (whole ? bytes : max))), whole };
  }

  #exception(): string {
    return this.#said(this.#engine.qjs_get_exception());
  }

  #said(value: Handle): string {
    return this.#text(value, FIXED.reasonCharacters)?.text ?? "threw what cannot be told";
  }
}

const scratch = new Uint8Array(16 * 1024);

/** A text's bytes, good until the next is encoded: small ones are many, and leave nothing to be collected. */
function encoded(text: string): Uint8Array {
  // No character of JavaScript takes more than three bytes.
  if (text.length * 3 > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** The host found no room in the machine for what it must put there. */
export class OutOfMemory extends Error {}

function blank(words: BigUint64Array, at: number): boolean {
  for (let word = at / 8; word < (at + GRAIN) / 8; word++) if (words[word] !== 0n) return false;
  return true;
}

const WASI = { success: 0, badDescriptor: 8, notThere: 52 } as const;

/** All that the engine finds outside: a clock that stands still at 0, no chance, no zone, no files. Nothing that a policy could call. */
function importsOf(memory: () => Uint8Array): WebAssembly.Imports {
  const closed = (name: string) => () => {
    throw new Error(`the policy engine asked for ${name}`);
  };
  const hooks = ["host_interrupt", "host_promise_rejection", "host_module_normalize", "host_module_load", "host_call"];
  return {
    env: { ...Object.fromEntries(hooks.map((name) => [name, closed(name)])), host_get_timezone_offset: () => 0 },
    wasi_snapshot_preview1: {
      clock_time_get(_clock: number, _precision: bigint, at: number) {
        memory().fill(0, at, at + 8);
        return WASI.success;
      },
      random_get(at: number, length: number) {
        memory().fill(0, at, at + length);
        return WASI.success;
      },
      fd_write: () => WASI.badDescriptor,
      fd_close: () => WASI.badDescriptor,
      fd_fdstat_get: () => WASI.badDescriptor,
      fd_seek: () => WASI.notThere,
    },
  };
}
