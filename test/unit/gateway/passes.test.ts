import { expect, it } from "vitest";
import type { Pass } from "#wire";
import { through } from "../../../src/gateway/passes.ts";

const encoder = new TextEncoder();
const streamOf = (...chunks: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
      controller.close();
    },
  });
const read = async (stream: ReadableStream<Uint8Array>) => {
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(new TextDecoder().decode(chunk));
  return chunks;
};
const each = (what: (text: string) => string | null | Promise<string | null>, end?: () => string | null): Pass => {
  const bytes = (text: string | null) => (text === null ? null : encoder.encode(text));
  const push: Pass["push"] = (chunk) => {
    const said = what(new TextDecoder().decode(chunk));
    return said instanceof Promise ? said.then(bytes) : bytes(said);
  };
  return { push, ...(end && { end: () => bytes(end()) }) };
};

it("goes through every pass in order, and its end through those that come after it", async () => {
  const told: string[] = [];
  const passes = [
    each(
      (text) => (text === "drop" ? null : `${text}1`),
      () => "last",
    ),
    each(async (text) => `${text}2`),
    each(
      (text) => (told.push(text), text),
      () => "end",
    ),
  ];
  expect(await read(through(streamOf("a", "drop", "b"), passes))).toEqual(["a12", "b12", "last2", "end"]);
  expect(told).toEqual(["a12", "b12", "last2"]);
});

it("keeps the order of chunks behind one that is waited for", async () => {
  let waits = true;
  const slowly = each(async (text) => {
    if (waits) await new Promise((resolve) => setImmediate(resolve));
    waits = false;
    return text;
  });
  expect(await read(through(streamOf("a", "b", "c"), [slowly]))).toEqual(["a", "b", "c"]);
});

it("is the very same stream where nothing is done", () => {
  const stream = streamOf("a");
  expect(through(stream, [])).toBe(stream);
});

it("breaks off where a pass fails, at once or later", async () => {
  for (const fail of [
    () => {
      throw new Error("broken");
    },
    () => Promise.reject(new Error("broken")),
  ])
    await expect(read(through(streamOf("a"), [each(fail)]))).rejects.toThrow("broken");
});
