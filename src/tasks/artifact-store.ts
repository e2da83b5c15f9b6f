import type { Place } from "./tar.ts";

/** Takes a tar part by part; nothing of it is there before the end. */
interface Writer {
  add(part: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Leaves nothing of what was added. */
  abandon(): Promise<void>;
}

/** Where a tar stands. */
export interface Store {
  readonly where: "bucket" | "object";
  readonly bytesMax: number;
  write(): Promise<Writer>;
  read(place: Place): Promise<ReadableStream<Uint8Array> | null>;
}

const OBJECT_BYTES_MAX = 64 * 2 ** 20;
/** A stored value holds 2 MB at most. */
const ROW_BYTES = 1_000_000;
/** The parts of an upload must be alike but for the last, of 5 MiB at least, and 10,000 at most. */
const PART_BYTES = 8 * 2 ** 20;
const PARTS_MAX = 10_000;

/** The bucket, under the key; the object's own rows where there is none. */
export function storeIn(storage: DurableObjectStorage, bucket: R2Bucket | null, key: string): Store {
  return bucket ? inBucket(bucket, key) : inObject(storage);
}

function inBucket(bucket: R2Bucket, key: string): Store {
  return {
    where: "bucket",
    bytesMax: PART_BYTES * PARTS_MAX,
    async write() {
      const upload = await bucket.createMultipartUpload(key);
      const done: R2UploadedPart[] = [];
      const pieces = cut(PART_BYTES, async (bytes) => void done.push(await upload.uploadPart(done.length + 1, bytes)));
      const end = async () => {
        await pieces.end();
        await upload.complete(done);
      };
      return { add: pieces.add, end, abandon: () => upload.abort() };
    },
    async read({ from: offset, length }) {
      if (length === 0) return new Response("").body;
      return (await bucket.get(key, { range: { offset, length } }))?.body ?? null;
    },
  };
}

function inObject({ sql }: DurableObjectStorage): Store {
  const clear = () => void sql.exec("delete from artifacts");
  return {
    where: "object",
    bytesMax: OBJECT_BYTES_MAX,
    async write() {
      sql.exec("create table if not exists artifacts (piece integer primary key, bytes blob not null)");
      clear();
      let piece = 0;
      const pieces = cut(ROW_BYTES, async (bytes) => void sql.exec("insert into artifacts values (?, ?)", piece++, bytes));
      return { ...pieces, abandon: async () => clear() };
    },
    async read({ from, length }) {
      let at = from;
      return new ReadableStream({
        type: "bytes",
        pull(controller) {
          const bytes = at < from + length ? slice(sql, at, from + length - at) : new Uint8Array();
          if (bytes.length === 0) return controller.close();
          at += bytes.length;
          controller.enqueue(bytes);
        },
      });
    },
  };
}

/** Bytes of the rows, fewer at a row's end. */
function slice(sql: SqlStorage, from: number, length: number): Uint8Array {
  const query = "select substr(bytes, ?, ?) as bytes from artifacts where piece = ?";
  const [row] = [...sql.exec<{ bytes: ArrayBuffer }>(query, (from % ROW_BYTES) + 1, length, Math.floor(from / ROW_BYTES))];
  return new Uint8Array(row?.bytes ?? new ArrayBuffer(0));
}

/** Parts of any length as pieces of one length, the last but one; a piece's memory is given away with it. */
function cut(length: number, take: (piece: Uint8Array<ArrayBuffer>) => Promise<void>) {
  let held = new Uint8Array(length);
  let filled = 0;
  const add = async (part: Uint8Array) => {
    for (let at = 0; at < part.length;) {
      const taken = part.subarray(at, at + length - filled);
      held.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < length) continue;
      await take(held);
      held = new Uint8Array(length);
      filled = 0;
    }
  };
  const end = async () => {
    if (filled > 0) await take(held.slice(0, filled));
  };
  return { add, end };
}
