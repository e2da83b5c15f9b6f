import { createHash } from "node:crypto";
import type { FileChange, JobSpec } from "./protocol.ts";

/** What a file of the workspace is. */
interface Entry {
  readonly bytes: number;
  /** Null where the job has made it unreadable. */
  readonly sha256: string | null;
}

/** A workspace's files by path. */
export type Manifest = ReadonlyMap<string, Entry>;

/**
 * Lists every file below the working directory, sizes first and digests after, each ended by NUL: names may hold anything else. It runs
 * in a sandbox, since what the job has left may be links to anywhere. Its last word is one that no file's record can be.
 */
export const LIST = [
  "/bin/sh",
  "-c",
  String.raw`find . -xdev -type f -printf 's%s %P\0'; find . -xdev -type f -printf '%P\0' | xargs -0 -r sha256sum -z --; printf 'end\0'`,
];

/** Reads what LIST has said. @throws Error where it was broken off: what it did not come to would be taken for deleted. */
export function readManifest(listed: Buffer): Manifest {
  const records = listed.toString("utf8").split("\0").filter(Boolean);
  if (records.at(-1) !== "end") throw new Error("the list of files was broken off");
  const digests = new Map(records.flatMap((record) => (DIGEST.test(record) ? [[record.slice(66), record.slice(0, 64)] as const] : [])));
  const sizes = records.flatMap((record) => {
    const [, bytes = "", path = ""] = SIZE.exec(record) ?? [];
    return path === "" ? [] : [[path, { bytes: Number(bytes), sha256: digests.get(path) ?? null }] as const];
  });
  return new Map(sizes);
}

const DIGEST = /^[0-9a-f]{64} {2}/s;
const SIZE = /^s(\d+) (.+)$/s;

/** What a job is given. */
export function manifestOf(files: JobSpec["files"]): Manifest {
  return new Map(
    files.map(({ path, base64 }) => {
      const bytes = Buffer.from(base64, "base64");
      return [path, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }];
    }),
  );
}

/** What became of a workspace, by path. */
export function changesBetween(before: Manifest, after: Manifest): FileChange[] {
  const kept = [...after].flatMap(([path, entry]): FileChange[] => {
    const was = before.get(path);
    if (was && was.sha256 === entry.sha256) return [];
    return [{ path, change: was ? "modified" : "added", ...entry }];
  });
  const gone = [...before.keys()].filter((path) => !after.has(path));
  const deleted = gone.map((path): FileChange => ({ path, change: "deleted", bytes: null, sha256: null }));
  return [...kept, ...deleted].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
