import { type Store, storeIn } from "./artifact-store.ts";
import { type Place, TarScan } from "./tar.ts";

/** Of the names of files so many characters stand in one row. */
const NAMES_CHARS = 500_000;

/** What is known of a tar that was kept. */
interface Kept {
  readonly v: 1;
  readonly where: Store["where"];
  readonly bytes: number;
}

/** What a task left: a tar that stands in a bucket, or in the object where there is none, and where in it each file lies. */
export class Artifacts {
  readonly #storage: DurableObjectStorage;
  readonly #bucket: R2Bucket | null;

  constructor(storage: DurableObjectStorage, bucket: R2Bucket | null) {
    this.#storage = storage;
    this.#bucket = bucket;
  }

  /** Keeps a tar, in the place of any before; false, and nothing is kept, where it is over `bytesMax`, or too large for the object. */
  async keep(tar: ReadableStream<Uint8Array>, key: string, bytesMax: number): Promise<boolean> {
    const store = storeIn(this.#storage, this.#bucket, key);
    const names = this.#names();
    this.#storage.kv.delete("artifacts");
    const scan = new TarScan(names.add);
    const most = Math.min(bytesMax, store.bytesMax);
    const writer = await store.write();
    try {
      for await (const part of tar) {
        scan.pass(part);
        if (scan.bytes > most) break;
        await writer.add(part);
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    if (scan.bytes > most) {
      await writer.abandon();
      return false;
    }
    await writer.end();
    names.end();
    this.#storage.kv.put<Kept>("artifacts", { v: 1, where: store.where, bytes: scan.bytes });
    return true;
  }

  /** All of it, or one file by its path; null where there is no such thing. */
  async read(key: string, path: string | null): Promise<ReadableStream<Uint8Array> | null> {
    const kept = this.#storage.kv.get<Kept>("artifacts");
    const place = kept && (path === null ? { from: 0, length: kept.bytes } : this.#placeOf(path));
    // One that stands in a bucket which the deployment has no more is as good as gone.
    if (!place || (kept.where === "bucket" && !this.#bucket)) return null;
    return storeIn(this.#storage, kept.where === "bucket" ? this.#bucket : null, key).read(place);
  }

  /** Leaves nothing of it in the bucket; what stands in the object goes with the object. */
  async remove(key: string): Promise<void> {
    if (this.#storage.kv.get<Kept>("artifacts")?.where === "bucket") await this.#bucket?.delete(key);
  }

  /** Takes down where files lie, many to a row. */
  #names() {
    const { sql } = this.#storage;
    sql.exec("create table if not exists places (piece integer primary key, places text not null)");
    sql.exec("delete from places");
    let piece = 0;
    let held: (readonly [string, number, number])[] = [];
    let chars = 0;
    const end = () => {
      if (held.length > 0) sql.exec("insert into places values (?, ?)", piece++, JSON.stringify(held));
      held = [];
      chars = 0;
    };
    const add = (path: string, { from, length }: Place) => {
      held.push([path, from, length]);
      chars += path.length + 32;
      if (chars >= NAMES_CHARS) end();
    };
    return { add, end };
  }

  #placeOf(path: string): Place | null {
    for (const { places } of this.#storage.sql.exec<{ places: string }>("select places from places order by piece")) {
      const found = (JSON.parse(places) as [string, number, number][]).find(([name]) => name === path);
      if (found) return { from: found[1], length: found[2] };
    }
    return null;
  }
}
