import type { Reader } from "./binary.ts";

/** One instruction: its opcode (those behind a prefix as `prefix << 8 | code`), and where its bytes begin and end. */
export interface Instruction {
  readonly op: number;
  readonly start: number;
  readonly end: number;
}

export const OP = {
  unreachable: 0x00,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  call: 0x10,
  return: 0x0f,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i32Eqz: 0x45,
  i32LtU: 0x49,
  i32GtU: 0x4b,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32Shl: 0x74,
  i32ShrU: 0x76,
  memoryCopy: 0xfc0a,
  memoryFill: 0xfc0b,
} as const;

/** Types of values. */
export const VALUE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;

/** What each store takes off the stack beside its address. */
export const STORES: ReadonlyMap<number, number> = new Map([
  [0x36, VALUE.i32],
  [0x37, VALUE.i64],
  [0x38, VALUE.f32],
  [0x39, VALUE.f64],
  ...each([0x3a, 0x3b], VALUE.i32),
  ...each([0x3c, 0x3d, 0x3e], VALUE.i64),
]);

type Immediates = (reader: Reader) => void;

const none: Immediates = () => {};
const number: Immediates = (reader) => reader.skipNumber();
const two: Immediates = (reader) => {
  reader.skipNumber();
  reader.skipNumber();
};
const bytes =
  (count: number): Immediates =>
  (reader) =>
    void reader.take(count);
const table: Immediates = (reader) => {
  for (let left = reader.u32() + 1; left > 0; left--) reader.u32();
};

/** What follows each opcode. What stands here is all that the rewriter understands: anything else stops the build. */
const IMMEDIATES = new Map<number, Immediates>([
  ...each([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b], none),
  ...each([0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x12], number),
  ...each([0x11, 0x13], two),
  [0x0e, table],
  ...each(range(0x20, 0x24), number),
  ...each(range(0x28, 0x3e), two),
  ...each([0x3f, 0x40, 0x41, 0x42], number),
  [0x43, bytes(4)],
  [0x44, bytes(8)],
  ...each(range(0x45, 0xc4), none),
  ...each(range(0xfc00, 0xfc07), none),
  [OP.memoryCopy, two],
  [OP.memoryFill, number],
]);

/** Reads the next instruction. @throws Error for an opcode the rewriter does not understand. */
export function next(reader: Reader): Instruction {
  const start = reader.at;
  const first = reader.byte();
  const op = first === 0xfc ? (first << 8) | reader.u32() : first;
  const immediates = IMMEDIATES.get(op);
  if (!immediates) throw new Error(`no rule for opcode 0x${op.toString(16)} at ${start}`);
  immediates(reader);
  return { op, start, end: reader.at };
}

function each<Value>(ops: readonly number[], value: Value): [number, Value][] {
  return ops.map((op) => [op, value]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
