import type { Adapter } from "./contract.ts";

/** A plain command: what it is given is what runs, and what it writes is what it said. */
export const command: Adapter = {
  launch: ({ argv }) => ({ argv: [...argv], env: {}, files: [] }),
  read: (stdout) => ({ text: stdout, structured: null }),
};
