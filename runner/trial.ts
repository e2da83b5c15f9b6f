import { once } from "node:events";
import type { Owners } from "./owners.ts";
import type { JobLimits } from "./protocol.ts";
import { start } from "./sandbox/sandbox.ts";
import { raise, raze, type Site, type Walls } from "./sandbox/walls.ts";

/** What a command of ours said before it ended, or was ended. */
export interface Said {
  readonly out: string;
  readonly err: string;
}

/** What a trial needs of a machine that is not ready yet. */
export interface Ground extends Site {
  readonly owners: Owners;
}

/** What is tried, by which name, and with how much. */
export interface Trial {
  readonly name: string;
  readonly argv: readonly string[];
  readonly given: Readonly<Record<string, string>>;
  readonly limits: JobLimits;
}

/** Runs a command in a sandbox such as jobs have, and leaves nothing of it. */
export async function tryOut(ground: Ground, { name, argv, given, limits }: Trial): Promise<Said> {
  const owner = ground.owners.take();
  let walls: Walls | null = null;
  try {
    walls = await raise(ground, { id: `${name}-${process.pid}`, owner, limits });
    return await heard(walls, { argv, given });
  } finally {
    if (walls) await raze(walls);
    ground.owners.give(owner);
  }
}

async function heard(walls: Walls, { argv, given }: Pick<Trial, "argv" | "given">): Promise<Said> {
  const child = start({ argv, env: {}, workingDirectory: ".", workspace: "readwrite", given }, walls);
  const said = { out: "", err: "" };
  child.stdout!.on("data", (bytes: Buffer) => (said.out += bytes.toString()));
  child.stderr!.on("data", (bytes: Buffer) => (said.err += bytes.toString()));
  child.stdin!.end();
  const late = setTimeout(() => child.kill("SIGKILL"), walls.limits.wallMs);
  await once(child, "close");
  clearTimeout(late);
  return said;
}
