import { isRoot, type Owner } from "./sandbox/volume.ts";

const UID_FIRST = 20_000;
/** As many users has each runner, and so many runners of one machine have users of their own. */
const UIDS = 4_000;
const RUNNERS = 10;

/** Hands out a host user for each job: two jobs never share one, so neither can signal or read the other even if a wall were to fall. */
export class Owners {
  readonly #first: number;
  readonly #taken = new Set<number>();
  #next = 0;

  constructor(nth: number) {
    this.#first = UID_FIRST + (nth % RUNNERS) * UIDS;
  }

  take(): Owner {
    if (!isRoot()) return { uid: process.getuid!(), gid: process.getgid!() };
    for (let tries = 0; tries < UIDS; tries++) {
      const uid = this.#first + (this.#next++ % UIDS);
      if (this.#taken.has(uid)) continue;
      this.#taken.add(uid);
      return { uid, gid: uid };
    }
    throw new Error("every user for jobs is taken");
  }

  give({ uid }: Owner): void {
    this.#taken.delete(uid);
  }
}
