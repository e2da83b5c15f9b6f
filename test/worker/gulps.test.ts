import { expect, inject, it } from "vitest";
import type { Pass } from "#wire";
import { passOn } from "../../src/gateway/gulps.ts";
import type { Played, Script } from "../support/scripted.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A provider's stream on its way to a client, and what each look at it saw. */
async function scene(script: Script, more: readonly Pass[] = []) {
  const address = `${inject("scripted")}/${crypto.randomUUID()}`;
  const answer = await fetch(address, { method: "POST", body: JSON.stringify(script) });
  const { readable, writable } = new IdentityTransformStream();
  const looks: string[] = [];
  const looking: Pass = { push: (chunk) => (looks.push(decoder.decode(chunk)), chunk) };
  const over = passOn(answer.body!, writable, { passes: [looking, ...more], gathers: true, now: () => Date.now() });
  over.catch(() => undefined);
  const reader = readable.getReader();
  let heard = "";
  return {
    looks,
    over,
    reader,
    writable,
    played: async () => (await fetch(address)).json<Played>(),
    /** Reads until the client has heard so much. */
    hear: async (length: number): Promise<string> => {
      while (heard.length < length) heard += decoder.decode((await reader.read()).value);
      return heard;
    },
  };
}

const all = (said: Script["said"]) => said.map(([text]) => text).join("");

it("looks at what comes fast together, and passes on every byte in order", async () => {
  const said = Array.from({ length: 2_000 }, (_, at) => [`word ${at}\n`, 0] as const);
  const { looks, over, hear } = await scene({ said });
  expect(await hear(all(said).length)).toBe(all(said));
  await over;
  expect(looks.join("")).toBe(all(said));
  expect(looks.length).toBeLessThan(said.length / 4);
});

it("passes on what comes one by one as it comes", async () => {
  const said = [["one", 0], ["two", 60], ["three", 60]] as const; // prettier-ignore
  const { looks, over, played, hear } = await scene({ said });
  expect(await hear("one".length)).toBe("one");
  expect((await played()).said).toBeLessThan(3);
  await hear(all(said).length);
  await over;
  expect(looks).toEqual(["one", "two", "three"]);
});

it("says what a pass has still to say when the stream has ended", async () => {
  const { over, hear } = await scene({ said: [["never heard", 0]] }, [{ push: () => null, end: () => encoder.encode("last") }]);
  expect(await hear("last".length)).toBe("last");
  await over;
});

it("passes on what came before a provider broke off, fails, and leaves the client's end open", async () => {
  const said = [["before", 0], [" it broke off", 30], ["", 30]] as const; // prettier-ignore
  const { over, writable, hear } = await scene({ said, breaksOff: true });
  expect(await hear(all(said).length)).toBe(all(said));
  await expect(over).rejects.toThrow();
  const why = ", and why";
  void writable.getWriter().write(encoder.encode(why));
  expect(await hear(all(said).length + why.length)).toBe(all(said) + why);
});

/** A provider that has much to say yet. */
const LONG: Script = { said: Array.from({ length: 500 }, () => ["word", 10] as const) };

it("lets go of the provider where a pass fails", async () => {
  const fails = () => {
    throw new Error("not to be passed on");
  };
  const { over, played } = await scene(LONG, [{ push: fails }]);
  await expect(over).rejects.toThrow("not to be passed on");
  await expect.poll(played).toMatchObject({ left: true });
});

it("lets go of the provider where the client leaves", async () => {
  const { over, played, hear, reader } = await scene(LONG);
  await hear(1);
  await reader.cancel();
  await expect(over).rejects.toThrow();
  await expect.poll(played).toMatchObject({ left: true });
});

it("stands still before a client that reads no more: what waits in memory is bounded, and nothing of it is lost", async () => {
  const said = Array.from({ length: 400 }, () => ["x".repeat(65_536), 0] as const);
  const { over, played, hear } = await scene({ said });
  await hear(3 * 65_536);
  let before = 0;
  const standsAt = async () => {
    const { said: now } = await played();
    const stands = now > 0 && now === before ? now : null;
    before = now;
    return stands;
  };
  await expect.poll(standsAt, { interval: 200 }).not.toBeNull();
  expect(before).toBeLessThan(200);
  expect((await hear(all(said).length)).length).toBe(all(said).length);
  await over;
});
