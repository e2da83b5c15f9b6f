import { type LookupAddress, promises as dns } from "node:dns";

/** The system's resolver blocks a thread, of the four by which the files of all jobs are read and written too: these are left two. */
const AT_ONCE = 2;

let looking = 0;
const waiting: (() => void)[] = [];

/** What a name leads to, by the system's resolver; where that does not answer, what all jobs share goes on. */
export async function lookUp(host: string): Promise<LookupAddress[]> {
  if (looking < AT_ONCE) looking++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await dns.lookup(host, { all: true });
  } finally {
    const next = waiting.shift();
    if (next) next();
    else looking--;
  }
}
