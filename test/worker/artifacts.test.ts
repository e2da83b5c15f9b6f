import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { Artifacts } from "../../src/tasks/artifacts.ts";

const KEY = "artifacts/team_default/task_x.tar";
const bucket = (env as unknown as { ARTIFACTS: R2Bucket }).ARTIFACTS;

/** A tar of files, as GNU's writes it. */
function tarOf(files: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const parts = Object.entries(files).flatMap(([name, bytes]) => {
    const header = new Uint8Array(512);
    header.set(new TextEncoder().encode(`./${name}`));
    header.set(new TextEncoder().encode(bytes.length.toString(8).padStart(11, "0")), 124);
    header[156] = "0".charCodeAt(0);
    const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    padded.set(bytes);
    return [header, padded];
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 1_024));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const streamOf = (bytes: Uint8Array<ArrayBuffer>) => new Response(bytes).body as ReadableStream<Uint8Array>;
const numbered = (length: number) => Uint8Array.from({ length }, (_, at) => at % 251);
/** Length and digest: comparing millions of numbers one by one takes long. */
const digestOf = async (bytes: ArrayBuffer | Uint8Array<ArrayBuffer>) => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${bytes.byteLength} ${digest.join(" ")}`;
};
const MUCH = 1_000_000_000;

describe.each([
  ["in the object", null],
  ["in a bucket", bucket],
] as const)("A19: what a task left, %s", (where, place) => {
  const inside = <Result>(run: (left: Artifacts) => Promise<Result>) => {
    const objects = (env as unknown as Env).TASKS;
    return runInDurableObject(objects.getByName(`artifacts ${where}`), (_, { storage }) => run(new Artifacts(storage, place)));
  };
  const bytesOf = async (stream: ReadableStream | null) => stream && digestOf(await new Response(stream).arrayBuffer());

  test("comes back whole and by file, over the ends of rows and parts", async () => {
    const files = { a: numbered(3), big: numbered(2_500_000), empty: new Uint8Array(), bigger: numbered(9_000_000), z: numbered(700) };
    const tar = tarOf(files);
    await inside(async (left) => {
      expect(await left.keep(streamOf(tar), KEY, MUCH)).toBe(true);
      expect(await bytesOf(await left.read(KEY, null))).toEqual(await digestOf(tar));
      for (const [name, bytes] of Object.entries(files))
        expect([name, await bytesOf(await left.read(KEY, name))]).toEqual([name, await digestOf(bytes)]);
      expect(await left.read(KEY, "none")).toBeNull();
    });
    expect((await bucket.head(KEY)) !== null).toBe(place !== null);
  });

  test("takes the place of what was kept before, and nothing is kept of what is too large", async () => {
    await inside(async (left) => {
      expect(await left.keep(streamOf(tarOf({ only: numbered(10) })), KEY, MUCH)).toBe(true);
      expect(await left.read(KEY, "big")).toBeNull();
      expect(await bytesOf(await left.read(KEY, "only"))).toEqual(await digestOf(numbered(10)));
    });
    const other = `${KEY}.other`;
    await inside(async (left) => expect(await left.keep(streamOf(tarOf({ x: numbered(9_000_000) })), other, 8_500_000)).toBe(false));
    expect(await bucket.head(other)).toBeNull();
  });

  test("is gone from the bucket once it is removed", async () => {
    await inside(async (left) => {
      await left.keep(streamOf(tarOf({ only: numbered(10) })), KEY, MUCH);
      await left.remove(KEY);
    });
    expect(await bucket.head(KEY)).toBeNull();
  });
});
