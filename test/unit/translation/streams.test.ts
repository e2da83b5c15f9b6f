import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Answer, type Step, StreamTranslator, type Tongue, TONGUES, translateAnswer } from "#translation";
import { SseReader, StreamReader } from "#wire";
import { answersIn, gathered, stepsOf } from "../../support/conversations.ts";

const NAMES = Object.keys(TONGUES) as Tongue[];
/** The caller's dialect, and the provider's. */
const PAIRS = NAMES.flatMap((from) => NAMES.flatMap((to) => (from === to ? [] : [{ from, to }])));
const TELLING = { requestId: "req_1", created: 1_700_000_000, includeUsage: true };
const CAPABILITIES = { anthropic: "messages", "openai-chat": "chat.completions", "openai-responses": "responses" } as const;
const encoder = new TextEncoder();

/** An answer as a provider of a dialect streams it, its texts in pieces of `size` characters. */
function streamed(tongue: Tongue, answer: Answer, size: number): string {
  const teller = TONGUES[tongue].teller(TELLING);
  return stepsOf(answer, size)
    .map((step) => teller.tell(step))
    .join("");
}

/** What a stream says to somebody who hears its dialect. */
function heard(tongue: Tongue, text: string): Step[] {
  const hearer = TONGUES[tongue].hearer();
  const steps: Step[] = [];
  const events = new SseReader((data, event) => void steps.push(...hearer.hear(data, event)));
  events.push(encoder.encode(text));
  return [...steps, ...hearer.end()];
}

/** The bytes of a text in chunks of the lengths given, over and over. */
function* chunks(text: string, lengths: readonly number[]): Iterable<Uint8Array> {
  const bytes = encoder.encode(text);
  for (let from = 0, turn = 0; from < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    yield bytes.subarray(from, from + length);
    from += length;
  }
}

function translated(pair: { from: Tongue; to: Tongue }, text: string, lengths: readonly number[]): string {
  const translator = new StreamTranslator(pair, TELLING);
  let out = "";
  for (const chunk of chunks(text, lengths)) out += translator.push(chunk);
  return out + translator.end();
}

/** Arguments as what they mean, and neighbouring words of one kind as one: where they are cut says nothing. */
function meant(answer: Answer | null): unknown {
  return (
    answer && {
      ...answer,
      parts: answer.parts.map((part) => (part.kind === "call" ? { ...part, input: JSON.parse(part.input || "{}") as unknown } : part)),
    }
  );
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const size = fc.integer({ min: 1, max: 9 });

describe.each(NAMES)("A7: a stream of %s", (tongue) => {
  it("is heard as it was told", () => {
    fc.assert(
      fc.property(answersIn(tongue), size, (answer, cut) => {
        expect(meant(gathered(heard(tongue, streamed(tongue, answer, cut))))).toEqual(meant(answer));
      }),
    );
  });
});

describe.each(PAIRS)("A7: a stream of $to told in $from", ({ from, to }) => {
  it("says the same as the whole answer, translated at once", () => {
    fc.assert(
      fc.property(answersIn(to), size, lengths, (answer, cut, sizes) => {
        const whole = translateAnswer(JSON.stringify(TONGUES[to].writeAnswer(answer, TELLING.created)), { from, to }, TELLING);
        const stream = translated({ from, to }, streamed(to, answer, cut), sizes);
        const read = TONGUES[from].readAnswer(JSON.parse(whole!) as Record<string, unknown>);
        expect(meant(gathered(heard(from, stream)))).toEqual(meant(read));
      }),
    );
  });

  it("is the same stream wherever its bytes are split", () => {
    fc.assert(
      fc.property(answersIn(to), size, lengths, (answer, cut, sizes) => {
        const stream = streamed(to, answer, cut);
        expect(translated({ from, to }, stream, sizes)).toBe(translated({ from, to }, stream, [stream.length * 4]));
      }),
    );
  });

  it("leaves as it comes: what was said is told before more is heard", () => {
    const answer = fc.sample(answersIn(to), { numRuns: 50, seed: 7 }).find(({ parts }) => parts.some(({ kind }) => kind === "text"))!;
    const translator = new StreamTranslator({ from, to }, TELLING);
    const told = streamed(to, answer, 1)
      .split(/(?<=\n\n)/)
      .map((event) => translator.push(encoder.encode(event)));
    const steps = stepsOf(answer, 1).filter(({ kind }) => kind === "grew").length;
    expect(told.filter((text) => text !== "").length).toBeGreaterThanOrEqual(steps);
  });

  it("threats 21 and 22: whatever a provider sends, nothing is thrown and no end is told that it did not tell", () => {
    const events = fc.tuple(answersIn(to), size).map(([answer, cut]) => streamed(to, answer, cut).split(/(?<=\n\n)/));
    const mischief = fc.array(
      fc.record({
        what: fc.constantFrom("drop", "double", "swap", "cut", "break", "garble", "fail"),
        where: fc.nat({ max: 200 }),
        junk: fc.string({ maxLength: 20 }),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(events, mischief, lengths, (list, deeds, sizes) => {
        const broken = deeds.reduce(mangle, list).join("");
        const out = translated({ from, to }, broken, sizes);
        const provider = new StreamReader(CAPABILITIES[to]);
        const caller = new StreamReader(CAPABILITIES[from]);
        provider.push(encoder.encode(broken));
        caller.push(encoder.encode(out));
        const [theirs, ours] = [provider.reported(), caller.reported()];
        if (ours.complete && !ours.failed) expect(theirs.complete).toBe(true);
        // What the meter takes for an end, the caller must have been told, or a stream would end in silence.
        if (theirs.complete && !theirs.failed) expect(ours.complete || ours.failed).toBe(true);
        if (theirs.failed) expect(ours.failed || ours.complete).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe.each(PAIRS)("threat 21: what is no $to at all, told in $from", ({ from, to }) => {
  const words = [
    "type",
    "choices",
    "delta",
    "message",
    "content",
    "tool_calls",
    "function",
    "error",
    "usage",
    "output",
    "item",
    "index",
    "response",
  ];
  const types = [
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "response.output_item.done",
    "response.completed",
  ];
  const odd = fc.letrec((tie) => ({
    value: fc.oneof(fc.constantFrom(null, 0, -1, "", "text", true, ...types), tie("list"), tie("object")),
    list: fc.array(tie("value"), { maxLength: 3 }),
    object: fc.dictionary(fc.constantFrom(...words), tie("value"), { maxKeys: 5 }),
  }));

  it("is passed over or refused, and never throws, whole or as a stream", () => {
    fc.assert(
      fc.property(fc.array(odd.value, { maxLength: 12 }), lengths, (values, sizes) => {
        for (const value of values) translateAnswer(JSON.stringify(value), { from, to }, TELLING);
        const out = translated({ from, to }, values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join(""), sizes);
        heard(from, out);
      }),
      { numRuns: 500 },
    );
  });
});

interface Deed {
  readonly what: string;
  readonly where: number;
  readonly junk: string;
}

/** One thing that goes wrong with a list of events. */
function mangle(events: readonly string[], { what, where, junk }: Deed): string[] {
  const at = events.length === 0 ? 0 : where % events.length;
  const event = events[at] ?? "";
  switch (what) {
    case "drop":
      return events.toSpliced(at, 1);
    case "double":
      return events.toSpliced(at, 0, event);
    case "swap":
      return events.toSpliced(at, 2, ...events.slice(at, at + 2).toReversed());
    case "cut":
      return events.slice(0, at);
    case "break":
      return events.toSpliced(at, 1, event.slice(0, where % (event.length + 1)));
    case "garble":
      return events.toSpliced(at, 1, event.replace(/:"[^"]*"/, `:${JSON.stringify(junk)}`).replace(/:\d+/, ":null"));
    default:
      return events.toSpliced(at, 0, 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n');
  }
}
