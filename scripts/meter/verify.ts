/**
 * Reads a metered module as a stranger would, sharing no code with what wrote it, and looks for a place that could run without paying.
 * What must stand where is said here a second time, as text.
 */

/** What was found. `faults` is empty where every place is charged. */
export interface Inspection {
  readonly functions: number;
  readonly loops: number;
  readonly bulk: number;
  readonly stores: number;
  readonly pages: number;
  /** The address below which nothing can be written. */
  readonly floor: number;
  readonly faults: readonly string[];
}

/** Burns one: nothing may come between. `F` is the fuel, `P` the pages. */
const CHARGE = "global.get F|i32.eqz|if|unreachable|end|global.get F|i32.const 1|i32.sub|global.set F".split("|");
const BURN = (cost: string) =>
  `global.get F|${cost}|i32.lt_u|if|i32.const 0|global.set F|unreachable|end|global.get F|${cost}|i32.sub|global.set F`;
const PAY = (floor: number) =>
  `local.get 2|if|local.get 0|i32.const ${floor}|i32.lt_u|if|unreachable|end|end|${BURN("local.get 2|i32.const 5|i32.shr_u")}|local.get 0|local.get 1|local.get 2|end`.split(
    "|",
  );
/** Stands before a store of a value to an address that is not below the least. */
const GUARD = (value: string, address: string, least: string) => [
  `local.set ${value}`,
  `local.tee ${address}`,
  `i32.const ${least}`,
  "i32.lt_u",
  "if",
  "unreachable",
  "end",
  `local.get ${address}`,
  `local.get ${value}`,
];
const GUARD_LINES = GUARD("", "", "").length;
const GROW = (pages: number) =>
  `local.get 0|i32.const ${pages}|global.get P|i32.sub|i32.gt_u|if|i32.const -1|return|end|${BURN("local.get 0|i32.const 11|i32.shl")}|global.get P|global.get P|local.get 0|i32.add|global.set P|end`.split(
    "|",
  );

const PLAIN: Readonly<Record<number, string>> = {
  0x00: "unreachable",
  0x0b: "end",
  0x0f: "return",
  0x45: "i32.eqz",
  0x49: "i32.lt_u",
  0x4b: "i32.gt_u",
  0x6a: "i32.add",
  0x6b: "i32.sub",
  0x74: "i32.shl",
  0x76: "i32.shr_u",
};
const INDEXED: Readonly<Record<number, string>> = {
  0x10: "call",
  0x20: "local.get",
  0x21: "local.set",
  0x22: "local.tee",
  0x23: "global.get",
  0x24: "global.set",
};
const FORBIDDEN: Readonly<Record<number, string>> = {
  0x06: "try",
  0x07: "catch",
  0x08: "throw",
  0x18: "delegate",
  0x19: "catch_all",
  0x1f: "try_table",
  0x3f: "memory.size",
  0x40: "memory.grow",
  0xfd: "vector instructions",
  0xfe: "atomic instructions",
};

/** Inspects every function of a module. @throws Error where the module cannot be read to its end. */
export function inspect(module: Uint8Array): Inspection {
  const parts = new Map<number, Cursor>();
  const whole = new Cursor(module, 8, module.length);
  while (!whole.ended) {
    const id = whole.octet();
    const size = whole.natural();
    parts.set(id, new Cursor(module, whole.place, whole.place + size));
    whole.place += size;
  }
  const faults: string[] = [];
  const pages = memoryOf(parts.get(5), faults);
  const fuel = exportNamed(module, parts.get(7), "fuel");
  const names = { fuel, pages: exportNamed(module, parts.get(7), "pages"), pay: -1, floor: -1 };
  if (names.fuel < 0 || names.pages < 0) faults.push("the counters are not exported");
  if (parts.has(8)) faults.push("runs something when it is instantiated");
  const bodies = bodiesOf(parts.get(10));
  names.pay = importedFunctions(parts.get(2)) + bodies.length - 2;
  // What paying demands is the floor; every store is held to it.
  names.floor = Number(/^i32\.const (\d+)$/.exec(instructionsOf(bodies.at(-2)!.again(), names)[3] ?? "")?.[1] ?? -1);
  if (names.floor < 0) faults.push("there is no floor");
  const totals = { loops: 0, bulk: 0, stores: 0 };
  for (const [nth, body] of bodies.entries()) {
    const code = instructionsOf(body, names);
    if (nth === bodies.length - 2) sameAs(code, PAY(names.floor), "pay", faults);
    else if (nth === bodies.length - 1) sameAs(code, GROW(pages), "grow", faults);
    else inspectBody(code, { nth, ...names, totals, faults });
  }
  return { functions: bodies.length, ...totals, pages, floor: names.floor, faults };
}

interface Found {
  readonly nth: number;
  readonly pay: number;
  readonly floor: number;
  readonly totals: { loops: number; bulk: number; stores: number };
  readonly faults: string[];
}

function inspectBody(code: readonly string[], { nth, pay, floor, totals, faults }: Found): void {
  const charged = new Set<number>();
  const demand = (at: number, what: string) => {
    if (CHARGE.every((line, offset) => code[at + offset] === line)) charged.add(at + CHARGE.length - 1);
    else faults.push(`function ${nth}: ${what} at ${at} is not charged`);
  };
  demand(0, "its entry");
  for (const [at, line] of code.entries()) {
    if (line === "loop") {
      totals.loops++;
      demand(at + 1, "a loop");
    }
    if (line === "memory.copy" || line === "memory.fill") {
      totals.bulk++;
      if (code[at - 1] !== `call ${pay}`) faults.push(`function ${nth}: ${line} at ${at} is not paid for`);
    }
    if (line.startsWith("store ")) {
      totals.stores++;
      if (!isGuarded(code, at, floor)) faults.push(`function ${nth}: ${line} at ${at} may write below the floor`);
    }
    if (line === "global.set P" || (line === "global.set F" && !charged.has(at))) faults.push(`function ${nth}: ${line} at ${at}`);
    if (line.startsWith("forbidden ")) faults.push(`function ${nth}: ${line} at ${at}`);
  }
}

function isGuarded(code: readonly string[], at: number, floor: number): boolean {
  const offset = Number(code[at]!.slice("store ".length));
  if (offset >= floor) return true;
  const from = at - GUARD_LINES;
  const [value = "", address = "", least = ""] = [0, 1, 2].map((nth) => code[from + nth]?.split(" ")[1]);
  return GUARD(value, address, least).every((line, nth) => code[from + nth] === line) && Number(least) + offset >= floor;
}

function sameAs(code: readonly string[], wanted: readonly string[], called: string, faults: string[]): void {
  if (code.join("|") !== wanted.join("|")) faults.push(`${called}: is not what it must be`);
}

function memoryOf(part: Cursor | undefined, faults: string[]): number {
  if (!part || part.natural() !== 1 || part.octet() !== 1) {
    faults.push("must have one memory with a maximum");
    return 0;
  }
  const [least, most] = [part.natural(), part.natural()];
  if (least !== most) faults.push("its memory can grow");
  return most;
}

function importedFunctions(part: Cursor | undefined): number {
  if (!part) return 0;
  const count = part.natural();
  for (let left = count; left > 0; left--) {
    part.skipName();
    part.skipName();
    if (part.octet() !== 0) throw new Error("an import is no function");
    part.natural();
  }
  return count;
}

/** The index of an exported global; -1 where there is none of that name. */
function exportNamed(module: Uint8Array, given: Cursor | undefined, wanted: string): number {
  if (!given) return -1;
  const part = given.again();
  for (let left = part.natural(); left > 0; left--) {
    const length = part.natural();
    const called = String.fromCharCode(...module.subarray(part.place, part.place + length));
    part.place += length;
    const kind = part.octet();
    const index = part.natural();
    if (called === wanted && kind === 3) return index;
  }
  return -1;
}

function bodiesOf(part: Cursor | undefined): Cursor[] {
  if (!part) throw new Error("there is no code");
  return Array.from({ length: part.natural() }, () => {
    const size = part.natural();
    const body = part.from(part.place, size);
    part.place += size;
    return body;
  });
}

function instructionsOf(body: Cursor, names: { readonly fuel: number; readonly pages: number }): string[] {
  for (let groups = body.natural(); groups > 0; groups--) {
    body.natural();
    body.octet();
  }
  const code: string[] = [];
  while (!body.ended) code.push(instruction(body, names));
  return code;
}

function instruction(body: Cursor, { fuel, pages }: { readonly fuel: number; readonly pages: number }): string {
  const op = body.octet();
  const plain = PLAIN[op];
  if (plain) return plain;
  const forbidden = FORBIDDEN[op];
  if (forbidden) {
    if (op === 0x3f || op === 0x40) body.octet();
    return `forbidden ${forbidden}`;
  }
  const indexed = INDEXED[op];
  if (indexed) {
    const index = body.natural();
    if (indexed.startsWith("global")) return `${indexed} ${index === fuel ? "F" : index === pages ? "P" : index}`;
    return `${indexed} ${index}`;
  }
  if (op === 0x02 || op === 0x03 || op === 0x04) {
    body.integer();
    return ["block", "loop", "if"][op - 2]!;
  }
  if (op === 0x41) return `i32.const ${body.integer()}`;
  if (op === 0xfc) return prefixed(body);
  if (op >= 0x36 && op <= 0x3e) {
    body.natural();
    return `store ${body.natural()}`;
  }
  const left = immediates(op, body);
  body.place += left;
  return `0x${op.toString(16)}`;
}

/** Steps over what follows an opcode that is of no interest here; gives the bytes that are left to step over. */
function immediates(op: number, body: Cursor): number {
  if (op === 0x43) return 4;
  if (op === 0x44) return 8;
  if (op === 0x42) body.integer();
  else if (op === 0x0e) for (let left = body.natural() + 1; left > 0; left--) body.natural();
  else if (op === 0x11 || op === 0x13 || (op >= 0x28 && op <= 0x35)) {
    body.natural();
    body.natural();
  } else if (op === 0x0c || op === 0x0d || op === 0x12) body.natural();
  else if (!(op === 0x01 || op === 0x05 || op === 0x1a || op === 0x1b || (op >= 0x45 && op <= 0xc4)))
    throw new Error(`0x${op.toString(16)} at ${body.place}: what is that?`);
  return 0;
}

function prefixed(body: Cursor): string {
  const op = body.natural();
  if (op <= 7) return `0xfc ${op}`;
  if (op === 10) {
    body.natural();
    body.natural();
    return "memory.copy";
  }
  if (op === 11) {
    body.natural();
    return "memory.fill";
  }
  throw new Error(`0xfc ${op} at ${body.place}: what is that?`);
}

/** A place in the bytes. */
class Cursor {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  place: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    if (end > bytes.length) throw new Error("a part reaches beyond the end");
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.place = start;
  }

  get ended(): boolean {
    if (this.place > this.#end) throw new Error("a part ends too early");
    return this.place === this.#end;
  }

  again(): Cursor {
    return new Cursor(this.#bytes, this.#start, this.#end);
  }

  from(start: number, size: number): Cursor {
    return new Cursor(this.#bytes, start, start + size);
  }

  skipName(): void {
    const length = this.natural();
    this.place += length;
  }

  octet(): number {
    if (this.place >= this.#end) throw new Error("a part ends too early");
    return this.#bytes[this.place++]!;
  }

  natural(): number {
    return Number(BigInt.asUintN(32, this.#leb().value));
  }

  integer(): bigint {
    const { value, bits } = this.#leb();
    return BigInt.asIntN(bits, value);
  }

  #leb(): { value: bigint; bits: number } {
    let value = 0n;
    for (let bits = 0; bits < 70; bits += 7) {
      const octet = this.octet();
      value |= BigInt(octet & 0x7f) << BigInt(bits);
      if (octet < 0x80) return { value, bits: bits + 7 };
    }
    throw new Error("a number has no end");
  }
}
