import { DENIED, LAST_KNOWN, LOOKED_AT } from "./calls.ts";

/**
 * Writes a classic BPF program: what a sandboxed process may ask of the kernel, by the numbers of each machine. The kernel has been seen to
 * obey it on x86-64; for arm64 it has been read by an interpreter alone (test/runner/seccomp.test.ts).
 */

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (nth: number) => 16 + nth * 8;

/** What the kernel calls each machine, and where its numbers stand. Calls of its 32-bit kin say another name. */
const MACHINES: Readonly<Record<string, { readonly audit: number; readonly column: 0 | 1 }>> = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
};

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const refuse = (errno: number) => 0x00050000 | errno;
const EPERM = refuse(1);
const ENOSYS = refuse(38);
const EAFNOSUPPORT = refuse(97);

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** Any of CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW_ANY = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
/** Typing into, drawing on or taking over the terminal of whoever started the sandbox. */
const TERMINAL_TRICKS = [0x5412, 0x541c, 0x5423];

type Instruction = readonly [code: number, value: number, ifTrue?: number, ifFalse?: number];

/** Ends the program with an answer where the loaded value equals another. */
const when = (value: number, answer: number): Instruction[] => [
  [IF_EQUAL, value, 0, 1],
  [RETURN, answer],
];

/** Looks at one argument of one call; ends the program either way. */
function onCall(number: number, nth: number, look: readonly Instruction[], otherwise: number): Instruction[] {
  const body: Instruction[] = [[LOAD, argument(nth)], ...look, [RETURN, otherwise]];
  return [[IF_EQUAL, number, 0, body.length], ...body];
}

function program({ audit, column }: (typeof MACHINES)[string]): Instruction[] {
  const { ioctl, socket, socketpair, clone, personality, clone3 } = LOOKED_AT;
  const denied = Object.values(DENIED).flatMap((numbers) => numbers[column] ?? []);
  return [
    [LOAD, ARCHITECTURE],
    [IF_EQUAL, audit, 1, 0],
    [RETURN, KILL],
    [LOAD, NUMBER],
    // With what is unknown goes the x32 interface, under which every number has a second, high name.
    [IF_AT_LEAST, LAST_KNOWN + 1, 0, 1],
    [RETURN, ENOSYS],
    // Its flags lie in memory, where nobody can look at them in time; C libraries fall back to clone.
    ...when(clone3[column], ENOSYS),
    ...denied.flatMap((number) => when(number, EPERM)),
    ...onCall(
      clone[column],
      0,
      [
        [IF_ANY_BIT, CLONE_NEW_ANY, 0, 1],
        [RETURN, EPERM],
      ],
      ALLOW,
    ),
    ...onCall(
      socket[column],
      0,
      [AF_UNIX, AF_INET, AF_INET6].flatMap((family) => when(family, ALLOW)),
      EAFNOSUPPORT,
    ),
    ...onCall(socketpair[column], 0, when(AF_UNIX, ALLOW), EAFNOSUPPORT),
    ...onCall(
      ioctl[column],
      1,
      TERMINAL_TRICKS.flatMap((request) => when(request, EPERM)),
      ALLOW,
    ),
    ...onCall(
      personality[column],
      0,
      [0, 0xffffffff].flatMap((value) => when(value, ALLOW)),
      EPERM,
    ),
    [RETURN, ALLOW],
  ];
}

/** The filter as the kernel reads it; null on machines whose calls have other numbers. */
export function seccompFilter(architecture: string = process.arch): Uint8Array | null {
  const machine = MACHINES[architecture];
  if (!machine) return null;
  const instructions = program(machine);
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [nth, [code, value, ifTrue = 0, ifFalse = 0]] of instructions.entries()) {
    bytes.setUint16(nth * 8, code, true);
    bytes.setUint8(nth * 8 + 2, ifTrue);
    bytes.setUint8(nth * 8 + 3, ifFalse);
    bytes.setUint32(nth * 8 + 4, value >>> 0, true);
  }
  return new Uint8Array(bytes.buffer);
}
