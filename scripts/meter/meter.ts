import { joined, name, Reader, u32 } from "./binary.ts";
import { type Instruction, next, OP, STORES, VALUE } from "./code.ts";

/** What a metered module is made to be. */
export interface Metering {
  /** Pages of 64 KiB that the guest may have altogether. */
  readonly pagesMax: number;
  /** The address below which nothing is ever written: that of the deepest stack that the guest may come to. */
  readonly floor: number;
  /** The exports that stay. */
  readonly exports: readonly string[];
}

/** The exports that metering adds: what is left to burn, and how many pages the guest believes it has. */
export const METER_EXPORTS = { fuel: "fuel", pages: "pages" } as const;

/** Bytes of a bulk operation that one unit of fuel pays for, as a power of two. */
const BYTES_PER_FUEL_LOG2 = 5;
/** Fuel of one page, since whoever grows the memory makes it be wiped. */
const FUEL_PER_PAGE_LOG2 = 16 - BYTES_PER_FUEL_LOG2;

const EMPTY = 0x40;
const SECTION = { custom: 0, type: 1, import: 2, function: 3, memory: 5, global: 6, export: 7, start: 8, code: 10 } as const;

interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

/** Where the things stand that metering adds. */
interface Added {
  readonly fuel: number;
  readonly pages: number;
  readonly pay: number;
  readonly grow: number;
}

/**
 * Rewrites a module so that every function entry and every turn of a loop burns one unit of fuel, and bulk operations and growth pay by
 * size. Running out is a trap, which no guest code can catch. The memory has its full size from the start, and `memory.size` and
 * `memory.grow` speak of a number beside it, so that an instance is made as good as new by wiping, whatever its guest did. A write below
 * the floor is a trap as well, so that only what stands above it need be wiped.
 */
export function meter(bytes: Uint8Array, metering: Metering): Uint8Array {
  const sections = sectionsOf(bytes);
  const types = countOf(sections, SECTION.type);
  const globals = countOf(sections, SECTION.global);
  const functions = functionsImported(sections) + countOf(sections, SECTION.function);
  const added: Added = { fuel: globals, pages: globals + 1, pay: functions, grow: functions + 1 };
  const pages = memoryOf(sections);
  const rewrite: Record<number, (body: Uint8Array) => Uint8Array> = {
    [SECTION.type]: (body) => appended(body, [signature(3), signature(1)]),
    [SECTION.function]: (body) => appended(body, [u32(types), u32(types + 1)]),
    [SECTION.memory]: () => joined([[1, 1], u32(metering.pagesMax), u32(metering.pagesMax)]),
    [SECTION.global]: (body) => appended(body, [mutable(0), mutable(pages)]),
    [SECTION.export]: (body) => exportsOf(body, metering.exports, added),
    [SECTION.code]: (body) => codeOf(body, added, { ...metering, parameters: parametersOf(sections) }),
  };
  const kept = sections.filter(({ id }) => id !== SECTION.custom);
  const out = kept.map(({ id, body }) => section(id, rewrite[id]?.(body) ?? body));
  return joined([bytes.subarray(0, 8), ...out]);
}

function sectionsOf(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes, 8);
  const sections: Section[] = [];
  while (!reader.done) {
    const id = reader.byte();
    sections.push({ id, body: reader.take(reader.u32()) });
  }
  if (sections.some(({ id }) => id === SECTION.start)) throw new Error("no rule for a start function");
  return sections;
}

function countOf(sections: readonly Section[], id: number): number {
  const found = sections.find((section) => section.id === id);
  if (!found) throw new Error(`section ${id} is missing`);
  return new Reader(found.body).u32();
}

/** How many functions come from outside. @throws Error where anything else does: its index would be counted wrongly. */
function functionsImported(sections: readonly Section[]): number {
  const reader = new Reader(sections.find(({ id }) => id === SECTION.import)?.body ?? new Uint8Array([0]));
  const count = reader.u32();
  for (let left = count; left > 0; left--) {
    reader.name();
    reader.name();
    if (reader.byte() !== 0) throw new Error("no rule for imports that are no functions");
    reader.u32();
  }
  return count;
}

/** The pages that a module's memory begins with. */
function memoryOf(sections: readonly Section[]): number {
  const reader = new Reader(sections.find(({ id }) => id === SECTION.memory)?.body ?? new Uint8Array());
  if (reader.u32() !== 1) throw new Error("no rule for several memories");
  if (reader.byte() > 1) throw new Error("no rule for shared or wide memories");
  return reader.u32();
}

function section(id: number, body: Uint8Array): Uint8Array {
  return joined([[id], u32(body.length), body]);
}

/** A vector with more items at its end, so that what stands in it keeps its index. */
function appended(body: Uint8Array, items: readonly (readonly number[])[]): Uint8Array {
  const reader = new Reader(body);
  const count = reader.u32();
  return joined([u32(count + items.length), body.subarray(reader.at), ...items]);
}

/** The type of a function that is given so many i32 and answers as many. */
function signature(count: number): number[] {
  const values = [count, ...Array.from({ length: count }, () => VALUE.i32)];
  return [0x60, ...values, ...values];
}

/** How many parameters each function has that is defined here. */
function parametersOf(sections: readonly Section[]): number[] {
  const types = new Reader(sections.find(({ id }) => id === SECTION.type)!.body);
  const counts = Array.from({ length: types.u32() }, () => {
    if (types.byte() !== 0x60) throw new Error("no rule for types that are no functions");
    const count = types.u32();
    types.take(count);
    types.take(types.u32());
    return count;
  });
  const functions = new Reader(sections.find(({ id }) => id === SECTION.function)!.body);
  return Array.from({ length: functions.u32() }, () => counts[functions.u32()]!);
}

/** A mutable i32 global. */
function mutable(value: number): number[] {
  return [VALUE.i32, 1, OP.i32Const, ...signed(value), OP.end];
}

/** A signed LEB128 of a number that is not negative. */
function signed(value: number): number[] {
  const bytes = u32(value);
  const last = bytes.at(-1) ?? 0;
  return last < 0x40 ? bytes : [...bytes.slice(0, -1), last | 0x80, 0];
}

function exportsOf(body: Uint8Array, wanted: readonly string[], added: Added): Uint8Array {
  const reader = new Reader(body);
  const kept: Uint8Array[] = [];
  const missing = new Set(wanted);
  for (let left = reader.u32(); left > 0; left--) {
    const start = reader.at;
    const called = reader.name();
    reader.byte();
    reader.u32();
    if (missing.delete(called)) kept.push(body.subarray(start, reader.at));
  }
  if (missing.size > 0) throw new Error(`no export ${[...missing].join(", ")}`);
  const globals = [
    [...name(METER_EXPORTS.fuel), 3, ...u32(added.fuel)],
    [...name(METER_EXPORTS.pages), 3, ...u32(added.pages)],
  ];
  return joined([u32(kept.length + globals.length), ...kept, ...globals]);
}

/** What rewriting code takes beside the code. */
interface Bounds extends Pick<Metering, "pagesMax" | "floor"> {
  /** Of each function that is defined here. */
  readonly parameters: readonly number[];
}

function codeOf(body: Uint8Array, added: Added, { pagesMax, floor, parameters }: Bounds): Uint8Array {
  const reader = new Reader(body);
  const bodies = Array.from({ length: reader.u32() }, (_, nth) =>
    meteredBody(reader.take(reader.u32()), added, { floor, parameters: parameters[nth]! }),
  );
  bodies.push(payBody(added, floor), growBody(added, pagesMax));
  return joined([u32(bodies.length), ...bodies.flatMap((each) => [u32(each.length), each])]);
}

/** Burns one unit, or traps. */
function charge({ fuel }: Added): number[] {
  const counter = u32(fuel);
  const demand = [OP.globalGet, ...counter, OP.i32Eqz, OP.if, EMPTY, OP.unreachable, OP.end];
  return [...demand, OP.globalGet, ...counter, OP.i32Const, 1, OP.i32Sub, OP.globalSet, ...counter];
}

function meteredBody(
  body: Uint8Array,
  added: Added,
  { floor, parameters }: { readonly floor: number; readonly parameters: number },
): Uint8Array {
  const reader = new Reader(body);
  const groups = reader.u32();
  const groupsAt = reader.at;
  let locals = parameters;
  for (let left = groups; left > 0; left--) {
    locals += reader.u32();
    reader.byte();
  }
  const own = body.subarray(groupsAt, reader.at);
  const scratch = new Scratch(locals);
  const pieces: (Uint8Array | number[])[] = [charge(added)];
  while (!reader.done) pieces.push(...metered(next(reader), body, { added, floor, scratch }));
  return joined([u32(groups + scratch.types.length), own, ...scratch.types.map((type) => [1, type]), ...pieces]);
}

/** Locals that guarding a store takes, behind a function's own: one for its address, and one for each type of value. */
class Scratch {
  readonly #first: number;
  readonly types: number[] = [VALUE.i32];

  constructor(first: number) {
    this.#first = first;
  }

  get address(): number {
    return this.#first;
  }

  /** The local that holds a value of a type meanwhile. */
  valueOf(type: number): number {
    const known = this.types.indexOf(type, 1);
    return this.#first + (known > 0 ? known : this.types.push(type) - 1);
  }
}

/** Where an instruction is rewritten. */
interface Place {
  readonly added: Added;
  readonly floor: number;
  readonly scratch: Scratch;
}

function metered(instruction: Instruction, body: Uint8Array, { added, floor, scratch }: Place): (Uint8Array | number[])[] {
  const { op, start, end } = instruction;
  const own = body.subarray(start, end);
  const stored = STORES.get(op);
  if (stored !== undefined) return [guard(offsetOf(own), stored, floor, scratch), own];
  if (op === OP.memorySize) return [[OP.globalGet, ...u32(added.pages)]];
  if (op === OP.memoryGrow) return [[OP.call, ...u32(added.grow)]];
  if (op === OP.memoryCopy || op === OP.memoryFill) return [[OP.call, ...u32(added.pay)], own];
  return op === OP.loop ? [own, charge(added)] : [own];
}

/** What a store adds to its address. */
function offsetOf(store: Uint8Array): number {
  const reader = new Reader(store, 1);
  reader.u32();
  return reader.u32();
}

/** Traps where a store would write below the floor: its operands stand aside meanwhile. One whose offset alone is above it cannot. */
function guard(offset: number, stored: number, floor: number, scratch: Scratch): number[] {
  if (offset >= floor) return [];
  const [address, value] = [u32(scratch.address), u32(scratch.valueOf(stored))];
  const demand = [OP.localTee, ...address, OP.i32Const, ...signed(floor - offset), OP.i32LtU, OP.if, EMPTY, OP.unreachable, OP.end];
  return [OP.localSet, ...value, ...demand, OP.localGet, ...address, OP.localGet, ...value];
}

/**
 * `(to, what, size)` as they came, having burnt one unit for every 32 bytes: it stands before a bulk operation, whose operands they are,
 * and traps where that would write below the floor.
 */
function payBody({ fuel }: Added, floor: number): Uint8Array {
  const counter = u32(fuel);
  const below = [OP.localGet, 0, OP.i32Const, ...signed(floor), OP.i32LtU, OP.if, EMPTY, OP.unreachable, OP.end];
  const cost = [OP.localGet, 2, OP.i32Const, BYTES_PER_FUEL_LOG2, OP.i32ShrU];
  const operands = [OP.localGet, 0, OP.localGet, 1, OP.localGet, 2];
  return helper([OP.localGet, 2, OP.if, EMPTY, ...below, OP.end, ...burnt(counter, cost), ...operands]);
}

/** `(pages) -> the size before, or -1`, as `memory.grow` answers, having paid for the wiping of what it gives. */
function growBody({ fuel, pages }: Added, pagesMax: number): Uint8Array {
  const size = u32(pages);
  const refuse = [OP.if, EMPTY, OP.i32Const, 0x7f, OP.return, OP.end];
  const demand = [OP.localGet, 0, OP.i32Const, ...signed(pagesMax), OP.globalGet, ...size, OP.i32Sub, OP.i32GtU, ...refuse];
  const wiping = burnt(u32(fuel), [OP.localGet, 0, OP.i32Const, FUEL_PER_PAGE_LOG2, OP.i32Shl]);
  const grown = [OP.globalGet, ...size, OP.localGet, 0, OP.i32Add, OP.globalSet, ...size];
  return helper([...demand, ...wiping, OP.globalGet, ...size, ...grown]);
}

/** Burns what `cost` computes; where there is less, what is left is burnt and it traps. */
function burnt(counter: readonly number[], cost: readonly number[]): number[] {
  const demand = [OP.globalGet, ...counter, ...cost, OP.i32LtU, OP.if, EMPTY];
  const end = [OP.i32Const, 0, OP.globalSet, ...counter, OP.unreachable, OP.end];
  return [...demand, ...end, OP.globalGet, ...counter, ...cost, OP.i32Sub, OP.globalSet, ...counter];
}

function helper(code: readonly number[]): Uint8Array {
  return joined([[0], code, [OP.end]]);
}
