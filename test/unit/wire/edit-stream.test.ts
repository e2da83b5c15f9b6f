import { describe, expect, it } from "vitest";
import { editing } from "../../../src/wire/event-frames.ts";
import { cutUsageChunk } from "#wire";
import { bytesOf, oneByOne, splitAt, passed } from "./said.ts";

const delta = 'data: {"choices":[{"delta":{"content":"ü"}}]}';
const usage = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}';
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("an edited stream", () => {
  it.each(["\n", "\r\n", "\r"])("loses exactly the usage chunk, wherever its bytes are split: line end %j", async (end) => {
    const stream = bytesOf(`: hello${end}${end}${delta}${end}${end}${usage}${end}${end}data: [DONE]${end}${end}`);
    const kept = `: hello${end}${end}${delta}${end}${end}data: [DONE]${end}${end}`;
    for (let at = 0; at <= stream.length; at++) expect(text(await passed(splitAt(stream, at), cutUsageChunk()))).toBe(kept);
    expect(text(await passed(oneByOne(stream), cutUsageChunk()))).toBe(kept);
  });

  it("keeps an event that the stream's end cuts short", async () => {
    expect(text(await passed([bytesOf(`${delta}\n\n${usage}\n`)], cutUsageChunk()))).toBe(`${delta}\n\n${usage}\n`);
  });

  it("passes an event that is too large to hold, and edits the one behind it", async () => {
    const piece = new Uint8Array(1_048_576).fill(0x78);
    const pieces = [...Array.from({ length: 17 }, () => piece), bytesOf("\n\n"), bytesOf("data: cut\n\n"), bytesOf("data: kept\n\n")];
    const out = await passed(
      pieces,
      editing((event) => (text(event) === "data: cut\n\n" ? null : event)),
    );
    expect(out.length).toBe(17 * piece.length + "\n\ndata: kept\n\n".length);
    expect(text(out.subarray(-12))).toBe("data: kept\n\n");
  });
});
