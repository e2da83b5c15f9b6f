import { DurableObject } from "cloudflare:workers";
import { connect } from "#db";
import { Chain } from "./chain.ts";
import type { Head } from "./seals.ts";

/** The bindings that the chain's object uses. */
interface ChainEnv {
  readonly DB: D1Database;
}

/** The one object that gives audit entries their places. Asked by the queue's consumer, and by who verifies. */
export class ChainObject extends DurableObject<ChainEnv> {
  readonly #chain: Chain;

  constructor(ctx: DurableObjectState, env: ChainEnv) {
    super(ctx, env);
    this.#chain = new Chain(ctx.storage, connect(env.DB));
  }

  /** Gives places to those of these entries that have none. May be repeated. */
  seal(ids: readonly string[]): Promise<void> {
    return this.#chain.seal(ids);
  }

  /** Where each chain ends. */
  heads(): Promise<Head[]> {
    return this.#chain.heads();
  }
}
