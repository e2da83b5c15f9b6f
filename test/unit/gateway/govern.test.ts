import fc from "fast-check";
import { expect, it } from "vitest";
import type { CalledTool } from "#wire";
import type { Draft } from "../../../src/gateway/contract.ts";
import { governAnswer, governStream } from "../../../src/gateway/govern.ts";
import { Judgement } from "../../../src/gateway/judgement.ts";

const frame = (data: object | string) => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
const delta = (told: object, over: string | null = null) => frame({ choices: [{ index: 0, delta: told, finish_reason: over }] });
const piece = (index: number, fields: object) => delta({ tool_calls: [{ index, ...fields }] });
const BEFORE_FIRST = delta({ content: "größer" }) + piece(0, { id: "a", function: { name: "Read", arguments: "" } }) + piece(0, { function: { arguments: "{}" } }); // prettier-ignore
/** The event that completes the first call, since another begins. */
const FIRST_WHOLE = piece(1, { id: "b", function: { name: "Bash", arguments: '{"command":"rm"}' } });
const SECOND_WHOLE = delta({}, "tool_calls");
const STREAM = `${BEFORE_FIRST}${FIRST_WHOLE}${SECOND_WHOLE}${frame("[DONE]")}`;

/** A task's draft as far as governing reads it. */
function draftOf(called: (calls: readonly CalledTool[], before: number) => Promise<string | null>) {
  const governor = { offers: () => true, called: (calls: readonly CalledTool[], place: { before: number }) => called(calls, place.before), settled: async () => {} }; // prettier-ignore
  const judgement = new Judgement();
  const draft = { arrival: { id: "req_1", governor }, asked: { capability: "chat.completions" }, policies: { judgement } };
  return { draft: draft as unknown as Draft, judgement };
}

function streamOf(text: string, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const at = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      for (let part = 1; part < at.length; part++) controller.enqueue(bytes.subarray(at[part - 1], at[part]));
      controller.close();
    },
  });
}

/** What came through, and why it ended early. */
async function drained(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<unknown> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
    return null;
  } catch (error) {
    return error;
  }
}

const cuts = fc.array(fc.nat(5_000), { maxLength: 40 });

it("A52: wherever a stream is split, no byte of the event that completes a call passes before the call is taken down", async () => {
  await fc.assert(
    fc.asyncProperty(cuts, async (where) => {
      let out = "";
      const seen: unknown[] = [];
      const { draft } = draftOf(async (calls, before) => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push([calls.map(({ name }) => name), before, out]);
        return null;
      });
      expect(await drained(governStream(streamOf(STREAM, where), draft), (text) => (out += text))).toBe(null);
      expect(out).toBe(STREAM);
      expect(seen).toEqual([
        [["Read"], 0, BEFORE_FIRST],
        [["Bash"], 1, BEFORE_FIRST + FIRST_WHOLE],
      ]);
    }),
  );
});

it("a call that may not be ends the stream before it is whole, and the judgement says why", async () => {
  await fc.assert(
    fc.asyncProperty(cuts, async (where) => {
      let out = "";
      const { draft, judgement } = draftOf(async (calls) => (calls[0]?.name === "Bash" ? "Bash may not be" : null));
      const error = await drained(governStream(streamOf(STREAM, where), draft), (text) => (out += text));
      expect(out).toBe(BEFORE_FIRST + FIRST_WHOLE);
      expect(error).toMatchObject({ code: "permission_denied", message: "The answer ends here: Bash may not be" });
      expect(judgement.stopped).toBe(error);
    }),
  );
});

it("what cannot be taken down does not pass, in a stream or whole", async () => {
  const { draft, judgement } = draftOf(() => Promise.reject(new Error("no log")));
  let out = "";
  expect(await drained(governStream(streamOf(STREAM, []), draft), (text) => (out += text))).toMatchObject({ code: "overloaded" });
  expect([out, judgement.stopped?.code]).toEqual([BEFORE_FIRST, "overloaded"]);
  const whole = JSON.stringify({ choices: [{ message: { tool_calls: [{ id: "a", function: { name: "Read", arguments: "{}" } }] } }] });
  await expect(governAnswer(whole, draft)).rejects.toMatchObject({ code: "overloaded" });
});

it("a last event that the stream's end cuts short is looked at as well", async () => {
  const names: string[] = [];
  const { draft } = draftOf(async (calls) => {
    names.push(...calls.map(({ name }) => name));
    return null;
  });
  const short = (BEFORE_FIRST + FIRST_WHOLE + SECOND_WHOLE).trimEnd();
  let out = "";
  await drained(governStream(streamOf(short, []), draft), (text) => (out += text));
  expect([names, out]).toEqual([["Read", "Bash"], short]);
});
