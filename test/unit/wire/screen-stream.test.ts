import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Capability } from "#core";
import { REDACT_MAX as HOLD_BACK } from "../../../src/policy/obligations.ts";
import { type JudgeStretch, screened, type Stretch } from "../../../src/wire/screen-stream.ts";
import { bytesOf, event, oneByOne, splitAt } from "./said.ts";

const CARD = "4111 1111 1111 1111";
const NUMBER = /(?<!\d)\d{4}(?: \d{4}){3}(?!\d)/g;
/** Redacts card numbers, as a policy would that knows no more than the stretch it is given. */
const cards: JudgeStretch = ({ text }) => Promise.resolve([...text.matchAll(NUMBER)].map(([hit]) => ({ text: hit, with: "[card]" })));

async function screen(capability: Capability, pieces: readonly Uint8Array[], judge: JudgeStretch = cards): Promise<string> {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return new Response(screened(source, capability, { judge, holdBack: HOLD_BACK })).text();
}

/** A dialect's stream that says a text in the given deltas, and the text that a client puts together of one. */
interface Dialect {
  readonly capability: Capability;
  readonly stream: (deltas: readonly string[]) => string;
  readonly said: (stream: string) => string;
}

const dataOf = (stream: string) =>
  stream
    .split("\n\n")
    .map((each) => each.replace(/^(?:event: .*\n)?data: /, ""))
    .filter((each) => each.startsWith("{"))
    .map((each) => JSON.parse(each) as Record<string, any>); // oxlint-disable-line typescript/no-explicit-any -- read as a client would

const DIALECTS: Readonly<Record<string, Dialect>> = {
  chat: {
    capability: "chat.completions",
    stream: (deltas) =>
      event({ choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] }) +
      deltas.map((content) => event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })).join("") +
      event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
      event("[DONE]"),
    said: (stream) => dataOf(stream).map(({ choices }) => choices[0].delta.content ?? "").join(""), // prettier-ignore
  },
  completions: {
    capability: "completions",
    stream: (deltas) => deltas.map((text) => event({ choices: [{ index: 0, text }] })).join("") + event("[DONE]"),
    said: (stream) => dataOf(stream).map(({ choices }) => choices[0].text).join(""), // prettier-ignore
  },
  messages: {
    capability: "messages",
    stream: (deltas) =>
      event({ type: "message_start", message: { role: "assistant", content: [], usage: { input_tokens: 3 } } }, "message_start") +
      event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }, "content_block_start") +
      deltas
        .map((text) => event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }, "content_block_delta"))
        .join(event({ type: "ping" }, "ping")) +
      event({ type: "content_block_stop", index: 0 }, "content_block_stop") +
      event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 4 } }, "message_delta") +
      event({ type: "message_stop" }, "message_stop"),
    said: (stream) => dataOf(stream).map(({ type, delta }) => (type === "content_block_delta" ? delta.text : "")).join(""), // prettier-ignore
  },
  responses: {
    capability: "responses",
    stream: (deltas) => {
      const place = { item_id: "i", output_index: 0, content_index: 0 };
      const text = deltas.join("");
      const item = { type: "message", role: "assistant", content: [{ type: "output_text", text }] };
      return (
        event({ type: "response.created", response: { id: "r", output: [] } }, "response.created") +
        deltas.map((delta) => event({ type: "response.output_text.delta", ...place, delta }, "response.output_text.delta")).join("") +
        event({ type: "response.output_text.done", ...place, text }, "response.output_text.done") +
        event({ type: "response.output_item.done", output_index: 0, item }, "response.output_item.done") +
        event({ type: "response.completed", response: { id: "r", output: [item], usage: { output_tokens: 4 } } }, "response.completed")
      );
    },
    said: (stream) => dataOf(stream).map(({ type, delta }) => (type === "response.output_text.delta" ? delta : "")).join(""), // prettier-ignore
  },
};
const NAMES = Object.keys(DIALECTS);
const AROUND = `I paid for the ü😀 and "quotes"\n\n with ${CARD}, and that was that. `.repeat(4);
const LETTERS = Array.from(AROUND);

describe.each(NAMES)("D16: a screened stream of %s", (name) => {
  const { capability, stream, said } = DIALECTS[name]!;

  it("loses a card number wherever its text is split in two, and nothing else", async () => {
    const text = `It is ${CARD}, and not 1234 5678.`;
    for (let at = 0; at <= text.length; at++) {
      const out = await screen(capability, [bytesOf(stream([text.slice(0, at), text.slice(at)]))]);
      expect(said(out)).toBe("It is [card], and not 1234 5678.");
      expect(out).not.toContain("1111");
    }
  });

  it("loses it wherever its bytes are split, in lines that end in LF, CRLF or CR", async () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const bytes = bytesOf(stream(["So: 4111 11", "11 1111 111", "1. "]).replaceAll("\n", end));
      const whole = await screen(capability, [bytes]);
      expect(said(whole.replaceAll(end, "\n"))).toBe("So: [card]. ");
      for (let at = 0; at <= bytes.length; at += 3) expect(await screen(capability, splitAt(bytes, at))).toBe(whole);
      expect(await screen(capability, oneByOne(bytes))).toBe(whole);
    }
  });

  it("loses it letter by letter, and under any deltas at all", async () => {
    expect(said(await screen(capability, [bytesOf(stream(LETTERS))]))).toBe(AROUND.replaceAll(CARD, "[card]"));
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: LETTERS.length }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const edges = [0, ...at.toSorted((a, b) => a - b), LETTERS.length];
        const deltas = edges.slice(1).map((edge, index) => LETTERS.slice(edges[index]!, edge).join(""));
        const out = await screen(capability, [bytesOf(stream(deltas))]);
        expect(said(out)).toBe(AROUND.replaceAll(CARD, "[card]"));
        expect(out).not.toContain("1111");
      }),
      { numRuns: 100 },
    );
  });

  it("passes text that holds none byte for byte", async () => {
    const innocent = Array.from(AROUND.replaceAll(CARD, "4111 1111 1111 11112 and 41111"));
    for (const deltas of [innocent, [innocent.join("")], [innocent.slice(0, 100).join(""), innocent.slice(100).join("")]]) {
      const whole = stream(deltas);
      expect(await screen(capability, [bytesOf(whole)])).toBe(whole);
    }
  });

  it("is judged before any of it goes on, and a judge that throws ends it there", async () => {
    const seen: Stretch[] = [];
    const judge: JudgeStretch = (stretch) => {
      seen.push(stretch);
      if (stretch.text.includes("forbidden")) throw new Error("stop");
      return Promise.resolve([]);
    };
    const reader = screened(
      new Response(stream([...Array.from("a".repeat(300)), "forbidden", ...Array.from("b".repeat(300))])).body!,
      capability,
      { judge, holdBack: HOLD_BACK },
    ).getReader();
    let out = "";
    await expect(
      (async () => {
        for (let got = await reader.read(); !got.done; got = await reader.read()) out += new TextDecoder().decode(got.value);
      })(),
    ).rejects.toThrow("stop");
    expect(said(out)).toMatch(/^a{100,300}$/);
    expect(seen.length).toBeLessThan(30);
  });
});

describe("what a screen holds back", () => {
  const { stream, said } = DIALECTS["chat"]!;

  it("is at most 128 characters and a step, and no event once its run has ended", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const reader = screened(readable, "chat.completions", { judge: cards, holdBack: HOLD_BACK }).getReader();
    const one = bytesOf(event({ choices: [{ index: 0, delta: { content: "x" }, finish_reason: null }] }));
    const arrived = reader.read().then(() => true);
    const turn = () => new Promise<false>((resolve) => setTimeout(resolve, 0, false));
    let sent = 0;
    while (!(await Promise.race([arrived, turn()])) && sent < 1_000) {
      await writer.write(one);
      sent++;
    }
    expect(sent).toBeLessThanOrEqual(HOLD_BACK + 64);
    await reader.cancel();
  });

  it("keeps runs apart: the halves of two choices make no number, and each choice's own does", async () => {
    const of = (index: number, content: string) => event({ choices: [{ index, delta: { content }, finish_reason: null }] });
    const mixed = of(0, "4111 1111 ") + of(1, "1111 1111") + of(0, "1111 1111") + event("[DONE]");
    const out = await screen("chat.completions", [bytesOf(mixed)]);
    expect(dataOf(out).map(({ choices }) => choices[0].delta.content)).toEqual(["[card]", "1111 1111", ""]);
  });

  it("reaches the arguments of a tool, and the tokens that a provider tells beside the text", async () => {
    const call = (args: string) =>
      event({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { name: "pay", arguments: args } }] } }] });
    const told = event({ choices: [{ index: 0, delta: { content: `${CARD}.` }, logprobs: { content: [{ token: "4111" }] } }] });
    const out = await screen("chat.completions", [bytesOf(call('{"card":"4111 11') + call('11 1111 1111"}') + told + event("[DONE]"))]);
    expect(out).not.toContain("1111");
    expect(out).not.toContain('"token"');
    const args = dataOf(out).flatMap(({ choices }) => choices[0].delta.tool_calls ?? []).map((each) => each.function.arguments); // prettier-ignore
    expect(JSON.parse(args.join(""))).toEqual({ card: "[card]" });
  });

  it("a text that is told whole without its deltas is judged all the same", async () => {
    const done = event({ type: "response.output_text.done", output_index: 0, text: `only ${CARD}` }, "response.output_text.done");
    expect(await screen("responses", [bytesOf(done)])).toContain("only [card]");
  });

  it("threat 35: an event that is too large to be judged ends the stream, and no part of it has gone", async () => {
    const large = bytesOf(event({ choices: [{ index: 0, delta: { content: `${CARD} ${"y".repeat(17 * 1024 * 1024)}` } }] }));
    const pieces = [bytesOf(stream(["fine"])), ...Array.from({ length: 18 }, (_, at) => large.subarray(at << 20, (at + 1) << 20))];
    const out: string[] = [];
    const source = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    const reading = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of screened(source, "chat.completions", { judge: cards, holdBack: HOLD_BACK }))
        out.push(decoder.decode(chunk));
    };
    await expect(reading()).rejects.toThrow("too large to be judged");
    expect(out.join("")).toContain("fine");
    expect(out.join("")).not.toContain("1111");
  });

  it("a delta far longer than what it holds back comes out whole", async () => {
    const long = "y".repeat(5_000);
    expect(said(await screen("chat.completions", [bytesOf(stream([long, ...Array.from(long)]))]))).toBe(long + long);
  });
});
