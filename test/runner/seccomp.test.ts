import { expect, it } from "vitest";
import { DENIED, LAST_KNOWN, LOOKED_AT } from "../../runner/sandbox/calls.ts";
import { seccompFilter } from "../../runner/sandbox/seccomp.ts";
import unistd from "./unistd.json" with { type: "json" };

const MACHINES = ["x64", "arm64"] as const;
type Machine = (typeof MACHINES)[number];

const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const refused = (errno: number) => 0x00050000 + errno;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [refused(1), refused(38), refused(97)];

/** Runs a filter as the kernel does, upon one call's `struct seccomp_data`. */
function verdict(machine: Machine, number: number, args: readonly bigint[] = [], audit = AUDIT[machine]): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, audit, true);
  for (const [nth, value] of args.entries()) data.setBigUint64(16 + nth * 8, value, true);
  const program = seccompFilter(machine)!;
  const code = new DataView(program.buffer);
  let loaded = 0;
  for (let at = 0; at < program.length; at += 8) {
    const value = code.getUint32(at + 4, true);
    const jump = (met: boolean) => (at += 8 * code.getUint8(at + (met ? 2 : 3)));
    switch (code.getUint16(at, true)) {
      case 0x20:
        loaded = data.getUint32(value, true);
        break;
      case 0x15:
        jump(loaded === value);
        break;
      case 0x35:
        jump(loaded >= value);
        break;
      case 0x45:
        jump((loaded & value) !== 0);
        break;
      case 0x06:
        return value;
      default:
        throw new Error(`an instruction that the kernel would refuse at ${at / 8}`);
    }
  }
  throw new Error("the filter ends without an answer");
}

it.each(MACHINES)("A43: on %s every call that the kernel knows is denied or allowed by its name, whatever its number", (machine) => {
  const verdicts = Object.entries<number>(unistd[machine]).filter(([name]) => !(name in LOOKED_AT));
  const wrong = verdicts.filter(([name, number]) => verdict(machine, number) !== (name in DENIED ? EPERM : ALLOW));
  expect(wrong).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(280);
});

it.each(MACHINES)("A43: on %s each call that is denied by name is one that the machine has, or none of its numbers", (machine) => {
  const column = MACHINES.indexOf(machine);
  const named: Record<string, number> = unistd[machine];
  const table = Object.entries({ ...DENIED, ...LOOKED_AT }).map(([name, numbers]) => [name, numbers[column] ?? null]);
  expect(table).toEqual(table.map(([name]) => [name, named[String(name)] ?? null]));
});

it.each(MACHINES)("A43: on %s arguments decide about namespaces, families, terminals and personalities", (machine) => {
  const { clone, clone3, socket, socketpair, ioctl, personality } = unistd[machine];
  const forked = 0x01200011n;
  const rest = [0x80n, 0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n];
  expect(rest.map((flag) => verdict(machine, clone, [forked | flag]))).toEqual(rest.map(() => EPERM));
  expect([verdict(machine, clone, [forked]), verdict(machine, clone3)]).toEqual([ALLOW, ENOSYS]);
  for (let family = 0n; family < 50n; family++) {
    expect(verdict(machine, socket, [family])).toBe([1n, 2n, 10n].includes(family) ? ALLOW : EAFNOSUPPORT);
    expect(verdict(machine, socketpair, [family])).toBe(family === 1n ? ALLOW : EAFNOSUPPORT);
  }
  const tricks = [0x5412n, 0x541cn, 0x5423n];
  expect(tricks.map((request) => verdict(machine, ioctl, [0n, request]))).toEqual([EPERM, EPERM, EPERM]);
  // The kernel looks at the lower half alone, and so must whoever watches it.
  expect(verdict(machine, ioctl, [0n, 0x1_0000_5412n])).toBe(EPERM);
  expect(verdict(machine, ioctl, [0n, 0x5401n])).toBe(ALLOW);
  expect([0n, 0xffffffffn, 8n, 0x40000n].map((value) => verdict(machine, personality, [value]))).toEqual([ALLOW, ALLOW, EPERM, EPERM]);
});

it.each(MACHINES)("A43: on %s what nobody has looked at is unknown, and another machine's calls end the process", (machine) => {
  for (const number of [LAST_KNOWN + 1, LAST_KNOWN + 100, 0x40000000 + 39, 0xffffffff]) expect(verdict(machine, number)).toBe(ENOSYS);
  // Of 32-bit x86, of 32-bit ARM, and each other's.
  const others = [0x40000003, 0x40000028, AUDIT[machine === "x64" ? "arm64" : "x64"]];
  expect(others.map((audit) => verdict(machine, 0, [], audit))).toEqual([KILL, KILL, KILL]);
});

it("a machine whose numbers nobody has looked up has no filter, and says so by that", () => {
  expect([seccompFilter("riscv64"), seccompFilter("arm")]).toEqual([null, null]);
});
