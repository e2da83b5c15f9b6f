import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Conversation, Fields, Losses, LOSSES, TONGUES, type Tongue } from "#translation";
import { madeAsk, readAsk } from "#wire";
import { conversations, normalised, placeless } from "../../support/conversations.ts";

const NAMES = Object.keys(TONGUES) as Tongue[];
const PAIRS = NAMES.flatMap((from) => NAMES.flatMap((to) => (from === to ? [] : [{ from, to }])));
const DRESS = { maxTokens: 4_096, openai: true };

/** OpenAI's two dialects hand the tier over in its own word. */
function tierIn({ service_tier: tier }: Readonly<Record<string, unknown>>): Conversation["tier"] {
  return tier === "default" ? "standard" : ((tier ?? null) as Conversation["tier"]);
}

describe.each(PAIRS)("A2: a conversation of $from in $to", ({ from, to }) => {
  it("comes back as it went, but for what the table of losses names", () => {
    let heardAll = 0;
    fc.assert(
      fc.property(conversations, (random) => {
        // First what the caller's dialect can say at all, then the same in the provider's, and back.
        const own = normalised(random, to, from);
        if (own.refused) return;
        const theirs = normalised(own.conversation, from, to);
        const back = new Losses(to, from);
        const asked = JSON.parse(JSON.stringify(TONGUES[from].write(own.conversation, back, DRESS))) as Record<string, unknown>;
        const there = new Losses(from, to);
        const read = () => TONGUES[to].write(TONGUES[from].read(new Fields(asked), there), there, DRESS);
        if (theirs.refused) {
          expect(read).toThrow(/cannot be said in/);
          return;
        }
        const said = read();
        const text = JSON.stringify(said);
        const body = JSON.parse(text) as Record<string, unknown>;
        // What is made of it here, without being read again, is what a provider reads of its bytes.
        const { surface } = TONGUES[to];
        expect(madeAsk(surface, said)).toStrictEqual(readAsk(surface, new TextEncoder().encode(text)));
        expect(new Set(there.dropped)).toEqual(theirs.dropped);
        const heard = TONGUES[to].read(new Fields(body), new Losses(to, from));
        const tier = from !== "anthropic" && to !== "anthropic" ? tierIn(heard.kin) : heard.tier;
        expect(placeless({ ...heard, tier, kin: {} })).toEqual(placeless(theirs.conversation));
        heardAll++;
      }),
      { numRuns: 300 },
    );
    expect(heardAll).toBeGreaterThan(5);
  });

  it("is refused by the name of a field that it does not know", () => {
    const losses = new Losses(from, to);
    const body = { model: "m", messages: [], input: [], a_new_field: { on: true } };
    const { [from === "openai-responses" ? "messages" : "input"]: _other, ...asked } = body;
    expect(() => TONGUES[from].read(new Fields(asked), losses)).toThrow(/^a_new_field cannot be said in /);
  });
});

describe("the table of losses", () => {
  it("names each field once for each pair, and only pairs of two dialects", () => {
    const seen = new Set<string>();
    for (const { from, to, field } of LOSSES) {
      for (const each of to) {
        expect(each).not.toBe(from);
        const key = `${from} ${each} ${field}`;
        expect([key, seen.has(key)]).toEqual([key, false]);
        seen.add(key);
      }
    }
  });

  it("drops nothing without a vendor's own word, published, and cites none for what it refuses", () => {
    for (const { field, fate, word } of LOSSES) {
      const cited =
        word !== null &&
        /^https:\/\/(platform\.claude\.com|developers\.openai\.com|platform\.openai\.com|github\.com\/openai)\//.test(word);
      expect([field, cited]).toEqual([field, fate === "dropped"]);
    }
  });

  it("is what the documentation prints", () => {
    const names = { "openai-chat": "Chat Completions", "openai-responses": "Responses", anthropic: "Messages" };
    const row = ({ from, to, field, fate, why, word, idle }: (typeof LOSSES)[number]) => {
      const harmless = (idle ?? []).map((value) => `\`${JSON.stringify(value)}\``).join(", ");
      const told = word === null ? fate : `[${fate}](${word})`;
      return `| ${names[from]} | ${to.map((each) => names[each]).join(", ")} | \`${field}\` | ${told} | ${why} | ${harmless} |`;
    };
    const head = "| From | To | Field | Fate | Because it | No loss where it is |\n|---|---|---|---|---|---|";
    const page = readFileSync("docs/translation-losses.md", "utf8");
    expect(page).toContain([head, ...LOSSES.map(row)].join("\n"));
  });
});
