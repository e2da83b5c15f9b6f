import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

/**
 * Processor time that a process and all that it started have had, in milliseconds: what they did, whatever else the machine was busy with.
 * Null where the machine does not say.
 */
export function processorMs(root: number): number | null {
  try {
    const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap(statOf); // prettier-ignore
    const family = new Set([root]);
    for (let size = 0; size < family.size;) {
      size = family.size;
      for (const { id, parent } of processes) if (family.has(parent)) family.add(id);
    }
    return processes.filter(({ id }) => family.has(id)).reduce((sum, { ticks }) => sum + ticks, 0) * TICK_MS;
  } catch {
    return null;
  }
}

/** What a process says of itself; nothing where it has just ended. */
function statOf(name: string): { readonly id: number; readonly parent: number; readonly ticks: number }[] {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    // The command's name stands in brackets, and may hold blanks itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [{ id: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
  } catch {
    return [];
  }
}
