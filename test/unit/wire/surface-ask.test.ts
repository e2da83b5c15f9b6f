import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TollgateError } from "#core";
import { readAsk, redactRequest, reportedFromJson, rewrite, saidInRequest, skimmed } from "#wire";
import { mp3, wav } from "../../support/sounds.ts";
import { secondsOf, secondsSpoken } from "../../../src/wire/sound.ts";

const BOUNDARY = "----formdata-0123456789";
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const encoder = new TextEncoder();

/** One part as an SDK writes it. */
const field = (name: string, value: string) => encoder.encode(`Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`);
const file = (name: string, bytes: Uint8Array) =>
  joined([
    encoder.encode(`Content-Disposition: form-data; name="${name}"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`),
    bytes,
  ]);

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

function form(...parts: readonly Uint8Array[]): Uint8Array {
  const line = (text: string) => encoder.encode(text);
  return joined([...parts.flatMap((part) => [line(`--${BOUNDARY}\r\n`), part, line("\r\n")]), line(`--${BOUNDARY}--\r\n`)]);
}

const heard = (...parts: readonly Uint8Array[]) => readAsk("audio.transcriptions", form(...parts), TYPE);
const edit = (...parts: readonly Uint8Array[]) => readAsk("images.edits", form(...parts), TYPE);
const json = (value: object) => encoder.encode(JSON.stringify(value));

/** The field that a request is refused for. */
function faultOf(read: () => unknown): string | undefined {
  try {
    read();
  } catch (error) {
    return (error as TollgateError).facts.param;
  }
  return "none";
}

describe("forms", () => {
  it("are read wherever the model stands, and pass byte for byte where nothing is changed", () => {
    const [sound, model] = [file("file", wav(2)), field("model", "whisper-1")];
    for (const parts of [
      [sound, model],
      [model, sound],
    ]) {
      const bytes = form(...parts);
      const ask = readAsk("audio.transcriptions", bytes, TYPE);
      expect([ask.model, ask.stream, ask.extent?.pieces]).toEqual(["whisper-1", false, { seconds: 2 }]);
      expect(rewrite(ask, {})).toBe(bytes);
    }
  });

  it("change in the model's own bytes alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.stringMatching(/^[a-z0-9./-]{1,40}$/), (data, model) => {
        const [before, after] = ["vendor/a", model].map((name) => form(file("image", data), field("model", name), field("prompt", "p")));
        const ask = readAsk("images.edits", before!, TYPE);
        expect(rewrite(ask, { model })).toEqual(after);
      }),
    );
  });

  it("whose files hold what looks like a boundary are read like the standard reads them", () => {
    const data = encoder.encode(`\r\n--${BOUNDARY.slice(0, -1)}\r\n\r--\r\r\n-`);
    const ask = edit(file("image", data), field("model", "m"), field("prompt", "p"));
    expect([ask.model, ask.body.value]).toEqual(["m", { model: "m", prompt: "p" }]);
  });

  it.each<[string, () => unknown, string | undefined]>([
    ["no model", () => heard(file("file", wav(1))), "model"],
    ["two models", () => heard(field("model", "a"), file("file", wav(1)), field("model", "b")), "model"],
    ["a model in other letters", () => heard(field("model", "a"), field("Model", "b"), file("file", wav(1))), "model"],
    ["a model that is a file", () => heard(file("model", encoder.encode("a")), file("file", wav(1))), "model"],
    ["no file", () => heard(field("model", "a")), "file"],
    ["a file that is a field", () => heard(field("model", "a"), field("file", "x")), "file"],
    ["a second file", () => heard(field("model", "a"), file("file", wav(1)), file("mask", wav(1))), "mask"],
    ["a field that is a file", () => heard(field("model", "a"), file("file", wav(1)), file("stream", encoder.encode("true"))), "stream"],
    ["a stream of neither truth", () => heard(field("model", "a"), file("file", wav(1)), field("stream", "1")), "stream"],
    ["a count that is none", () => edit(field("model", "a"), field("prompt", "p"), field("n", "two")), "n"],
    ["no prompt", () => edit(field("model", "a"), file("image", wav(1))), "prompt"],
    ["JSON where a form is due", () => readAsk("audio.transcriptions", json({ model: "a" }), "application/json"), "content-type"],
    ["a form where JSON is due", () => readAsk("audio.speech", form(field("model", "a")), TYPE), "content-type"],
    ["no boundary", () => readAsk("audio.transcriptions", form(), "multipart/form-data"), "content-type"],
    ["two boundaries", () => readAsk("audio.transcriptions", form(), `${TYPE}; boundary=b`), "content-type"],
    ["another boundary", () => readAsk("audio.transcriptions", form(), "multipart/form-data; boundary=b"), "content-type"],
    [
      "something before the first part",
      () => readAsk("audio.transcriptions", joined([encoder.encode("x\r\n"), form()]), TYPE),
      "content-type",
    ],
    ["something behind the last", () => readAsk("audio.transcriptions", joined([form(), encoder.encode("x")]), TYPE), "content-type"],
    ["no end", () => readAsk("audio.transcriptions", form(field("model", "a")).slice(0, -30), TYPE), "content-type"],
    ["a coded part", () => heard(encoder.encode('Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==')), "content-type"], // prettier-ignore
    ["a part without a name", () => heard(encoder.encode("Content-Type: text/plain\r\n\r\na")), "content-type"],
    ["a part named twice", () => heard(encoder.encode('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="model"\r\n\r\na')), "content-type"], // prettier-ignore
  ])("threat 18: with %s are refused by name", (_, read, param) => {
    expect(faultOf(read)).toBe(param);
  });

  it("threat 18: of any bytes are read or refused, never hung on", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const body = joined([encoder.encode(`--${BOUNDARY}\r\n`), bytes]);
        expect(["none", "content-type", "model", "file"]).toContain(faultOf(() => readAsk("audio.transcriptions", body, TYPE)));
      }),
    );
  });

  it("are judged and redacted like JSON: their prompt is said, and other bytes stay", () => {
    const image = file("image", wav(0.01));
    const ask = edit(image, field("prompt", "draw alice@example.com"), field("model", "m"));
    expect(saidInRequest(ask).map(({ text }) => text)).toEqual(["draw alice@example.com"]);
    const clean = redactRequest(ask, [{ text: "alice@example.com", with: "[email]" }]);
    expect(rewrite(clean, {})).toEqual(form(image, field("prompt", "draw [email]"), field("model", "m")));
    expect(rewrite(clean, { model: "other" })).toEqual(form(image, field("prompt", "draw [email]"), field("model", "other")));
  });
});

describe("a text that is billed by itself", () => {
  it("is billed as it is after policies", () => {
    const ask = readAsk("audio.speech", json({ model: "route", input: "call 555-0100", voice: "v" }));
    const clean = redactRequest({ ...ask, model: "routed" }, [{ text: "555-0100", with: "[number]!" }]);
    expect([clean.model, clean.extent?.pieces, ask.extent?.pieces]).toEqual(["routed", { characters: 14 }, { characters: 13 }]);
  });
});

describe("what a request may be billed for", () => {
  const extentOf = (capability: Parameters<typeof readAsk>[0], value: object) =>
    readAsk(capability, json({ model: "m", ...value }), "application/json").extent;

  it("pictures grow with their number, their quality and their area", () => {
    const drawn = (more: object) => extentOf("images.generations", { prompt: "ä", ...more })!.tokens;
    // OpenAI's calculator has 7,024 for high at 1024x1024; what is held is never less.
    expect(drawn({ quality: "high", size: "1024x1024" })).toEqual({ input: 2, imageInput: 0, imageOutput: 8_232 });
    expect(drawn({ quality: "high", size: "3840x2160", n: 2 })["imageOutput"]).toBe(2 * 23_719);
    expect(drawn({ quality: "low", size: "1024x1024", partial_images: 3 })["imageOutput"]).toBe(515 + 300);
    expect(drawn({ quality: "unheard of" })["imageOutput"]).toBe(drawn({ quality: "max" })["imageOutput"]);
    expect(extentOf("images.generations", { prompt: "p", n: 4 })!.pieces).toEqual({ images: 4 });
    expect(extentOf("images.edits", { prompt: "p", images: [{ image_url: "data:," }], mask: {} })!.tokens["imageInput"]).toBe(2 * 8_192);
  });

  it.each([
    ["images.generations", { prompt: "p", n: 0 }, "n"],
    ["images.generations", { prompt: "p", n: 10_000 }, "n"],
    ["images.generations", { prompt: "p", svg: { model: "gpt-6" } }, "svg"],
    ["images.generations", { prompt: "p", output_format: "svg" }, "svg"],
    ["images.generations", {}, "prompt"],
    ["audio.speech", { input: 5 }, "input"],
    ["audio.speech", { input: "a", speed: 0 }, "speed"],
    ["moderations", {}, "input"],
    ["rerank", { query: "q" }, "documents"],
    ["rerank", { documents: ["d"] }, "query"],
    ["rerank", { query: "q", documents: "d" }, "documents"],
  ] as const)("threat 37: %s of %j is refused", (capability, value, param) => {
    expect(faultOf(() => extentOf(capability, value))).toBe(param);
  });

  it("speech by its characters, or by the slowest voice", () => {
    expect(extentOf("audio.speech", { input: "Hello" })).toEqual({
      pieces: { characters: 5 },
      tokens: { input: 5, audioOutput: 53 },
      certain: true,
    });
    expect(extentOf("audio.speech", { input: "🦦" })).toMatchObject({ pieces: { characters: 2 }, certain: false });
  });

  it("rankings by hundreds of pieces of documents", () => {
    const ranked = (documents: unknown[]) => extentOf("rerank", { query: "what?", documents });
    expect(ranked(Array.from({ length: 101 }, () => "d"))!.pieces).toEqual({ rankings: 2 });
    expect(ranked(["d".repeat(510 * 101)])!.pieces).toEqual({ rankings: 2 });
    expect(ranked(["dd", { text: "d" }])!.tokens).toEqual({ input: 2 + 12 + 2 * 5 });
  });

  it("moderations without a model ask for the vendor's own default, and nothing is put in", () => {
    const bytes = json({ input: "x" });
    const ask = readAsk("moderations", bytes, "application/json");
    expect([ask.model, rewrite(ask, {})]).toEqual(["omni-moderation-latest", bytes]);
  });
});

describe("the length of a sound", () => {
  it("is what the file holds, whatever its header promises", () => {
    const sound = wav(2);
    new DataView(sound.buffer).setUint32(40, 0xffff_ffff, true);
    expect([secondsOf(wav(3.5)), secondsOf(sound)]).toEqual([3.5, 2]);
    expect([secondsOf(mp3(100)), secondsSpoken(mp3(100), "mp3")]).toEqual([2.4, 2.4]);
    expect(secondsSpoken(new Uint8Array(96_000), "pcm")).toBe(2);
  });

  it("of an MP3 that breaks off being one goes on as it began, so that nothing is heard for nothing", () => {
    const broken = joined([mp3(10), new Uint8Array(mp3(10).length)]);
    expect(secondsOf(broken)).toBeCloseTo(0.48, 6);
  });

  it("of what says nothing is the longest that so many bytes can hold", () => {
    expect(heard(field("model", "m"), file("file", new Uint8Array(7_500))).extent?.pieces).toEqual({ seconds: 10 });
  });

  it("of other formats stands in their headers", () => {
    const flac = new Uint8Array(64);
    flac.set(encoder.encode("fLaC"));
    // 16,000 samples a second, 48,000 samples.
    flac.set([0x03, 0xe8, 0x00, 0xf0, 0x00, 0x00, 0xbb, 0x80], 18);
    expect(secondsOf(flac)).toBe(3);
    const ogg = new Uint8Array(120);
    ogg.set(encoder.encode("OggS"));
    ogg.set(encoder.encode("OpusHead"), 28);
    ogg.set(encoder.encode("OggS"), 60);
    new DataView(ogg.buffer).setBigInt64(66, 96_000n, true);
    expect(secondsOf(ogg)).toBe(2);
    const mp4 = new Uint8Array(140);
    const view = new DataView(mp4.buffer);
    view.setUint32(0, 16);
    mp4.set(encoder.encode("ftypM4A "), 4);
    view.setUint32(16, 124);
    mp4.set(encoder.encode("moov"), 20);
    view.setUint32(24, 108);
    mp4.set(encoder.encode("mvhd"), 28);
    view.setUint32(44, 1_000);
    view.setUint32(48, 4_500);
    expect(secondsOf(mp4)).toBe(4.5);
  });

  it("threat 18: of any bytes is found or not, never hung on", () => {
    const heads = ["RIFF", "fLaC", "OggS", "\0\0\0\0ftyp", "ID3"];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ minLength: 44, maxLength: 400 }), (head, bytes) => {
        bytes.set(encoder.encode(head));
        const seconds = secondsOf(bytes);
        expect(seconds === null || seconds >= 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("what answers say", () => {
  it("is read around megabytes of pictures, and is the same", () => {
    const usage = { input_tokens: 3, output_tokens: 7, input_tokens_details: { image_tokens: 2 } };
    const answer = { created: 1, data: [{ b64_json: "A".repeat(100_000), revised_prompt: 'a "b" \\' }, { b64_json: "B" }], usage };
    const text = JSON.stringify(answer);
    const small = skimmed(encoder.encode(text));
    expect(small.length).toBeLessThan(400);
    const reported = reportedFromJson("images.generations", small);
    expect(reported).toEqual(reportedFromJson("images.generations", text));
    expect(reported.usage).toMatchObject({ images: 2, input: 1, imageInput: 2, imageOutput: 7 });
  });

  it("claims that cannot be are no counts", () => {
    const told = (usage: object) => reportedFromJson("audio.transcriptions", JSON.stringify({ text: "a", usage })).usage;
    expect([told({ seconds: -1 }), told({ input_tokens: -5, output_tokens: 1 }), told({ seconds: "x" })]).toEqual([null, null, null]);
    expect(told({ type: "duration", seconds: 1.2 })).toMatchObject({ seconds: 2 });
  });
});
