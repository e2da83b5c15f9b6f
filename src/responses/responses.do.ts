import { DurableObject } from "cloudflare:workers";

/** A stored value holds 2 MB at most. */
const PIECE_BYTES = 1_000_000;
const PIECE = "piece:";
const UNTIL = "until";

/**
 * What is kept under one id of one key: sealed bytes and when they end. Nothing is stored for an id that was only asked for. Answers
 * leave once what they tell stands on disk, which is the platform's own promise.
 */
export class ResponseObject extends DurableObject<object> {
  /** Keeps bytes until a time, in the place of any before. */
  async keep(sealed: Uint8Array, until: number): Promise<void> {
    const { kv } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      for (const [name] of kv.list({ prefix: PIECE })) kv.delete(name);
      for (let at = 0; at < sealed.length; at += PIECE_BYTES) kv.put(nameOf(at / PIECE_BYTES), sealed.slice(at, at + PIECE_BYTES));
      kv.put(UNTIL, until);
    });
    await this.ctx.storage.setAlarm(until);
  }

  /** The bytes; null where there are none, or they have outlived their time. */
  read(): Uint8Array | null {
    const { kv } = this.ctx.storage;
    if ((kv.get<number>(UNTIL) ?? 0) <= Date.now()) return null;
    const pieces = [...kv.list<Uint8Array>({ prefix: PIECE })].map(([, piece]) => piece);
    const sealed = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      sealed.set(piece, at);
      at += piece.length;
    }
    return sealed;
  }

  /** Leaves nothing. */
  async forget(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  override async alarm(): Promise<void> {
    await this.forget();
  }
}

/** Pieces are listed in the order of their names. */
function nameOf(piece: number): string {
  return PIECE + String(piece).padStart(4, "0");
}
