import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A program of x86-64 that makes a call of 32-bit x86, getpid, and ends well where nobody has killed it for that. */
function program(): Buffer {
  // mov eax,20; int 0x80; mov eax,60; xor edi,edi; syscall
  const code = Buffer.from("b814000000cd80b83c00000031ff0f05", "hex");
  const head = Buffer.alloc(120);
  const base = 0x400000n;
  const size = BigInt(head.length + code.length);
  Buffer.from("7f454c4602010100", "hex").copy(head);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(62, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(base + 120n, 24);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64);
  head.writeUInt32LE(5, 68);
  head.writeBigUInt64LE(base, 80);
  head.writeBigUInt64LE(base, 88);
  head.writeBigUInt64LE(size, 96);
  head.writeBigUInt64LE(size, 104);
  head.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([head, code]);
}

/** The program as a file of a job's. */
export const FOREIGN_CALL = { path: "foreign", base64: program().toString("base64"), executable: true };

/** Whether this machine's kernel knows such calls: only then is there anything to be killed for. */
export function knowsForeignCalls(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "foreign-"));
  const file = join(folder, "foreign");
  writeFileSync(file, program());
  chmodSync(file, 0o755);
  const { status } = spawnSync(file);
  rmSync(folder, { recursive: true });
  return status === 0;
}
