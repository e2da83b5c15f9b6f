import type { Image, Machine } from "./machine.ts";

/** A machine, and whether it has been used since it was last made from its image. */
interface Place {
  readonly machine: Machine;
  used: boolean;
}

/**
 * The machines of one engine, each by the image that it was last made from. Wiping one takes as long as a small policy does: whoever has
 * time to spare has it done before it is asked for.
 */
export class Machines {
  readonly #make: () => Machine;
  readonly #most: number;
  /** Who was taken longest ago stands first. */
  readonly #places = new Map<Image, Place>();

  /** @param most machines that there are at most; each has the memory that policies have. */
  constructor(first: Machine, from: Image, { make, most }: { readonly make: () => Machine; readonly most: number }) {
    this.#places.set(from, { machine: first, used: true });
    this.#make = make;
    this.#most = most;
  }

  /** A machine as it stood when the image was taken, whatever it has done since. */
  take(image: Image): Machine {
    const known = this.#places.get(image);
    this.#places.delete(image);
    const machine = known?.machine ?? this.#another();
    if (known?.used !== false) machine.restore(image);
    this.#places.set(image, { machine, used: true });
    return machine;
  }

  /** Wipes what was used, so that it stands ready for the same again. */
  ready(): void {
    for (const [image, place] of this.#places) {
      if (!place.used) continue;
      place.machine.restore(image);
      place.used = false;
    }
  }

  #another(): Machine {
    if (this.#places.size < this.#most) return this.#make();
    const [oldest] = this.#places.keys();
    const { machine } = this.#places.get(oldest!)!;
    this.#places.delete(oldest!);
    return machine;
  }
}
