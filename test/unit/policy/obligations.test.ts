import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DUTIES, dutiesOf, type Obligation, readObligations, REDACT_MAX, RULES, ruleOf, shown } from "../../../src/policy/obligations.ts";

type Duty = (typeof DUTIES)[number];

/** Two obligations of a kind that differ, and the parts of what they come to. */
const EXAMPLES: Readonly<
  Record<Duty, { readonly of: readonly [Obligation, Obligation]; readonly part: keyof ReturnType<typeof dutiesOf> }>
> = {
  redact: { of: [{ type: "redact", text: "4111", with: "[1]" }, { type: "redact", text: "5500", with: "[2]" }], part: "redactions" }, // prettier-ignore
  route: { of: [{ type: "route", target: "acme/small" }, { type: "route", target: "large" }], part: "route" }, // prettier-ignore
  max_tokens: { of: [{ type: "limit", max_tokens: 900 }, { type: "limit", max_tokens: 300 }], part: "maxTokens" }, // prettier-ignore
  rpm: { of: [{ type: "limit", rpm: 60 }, { type: "limit", rpm: 20 }], part: "rpm" }, // prettier-ignore
  tag: { of: [{ type: "tag", tags: ["a", "b"] }, { type: "tag", tags: ["b", "c"] }], part: "tags" }, // prettier-ignore
  require_approval: { of: [{ type: "require_approval", reason: "one" }, { type: "require_approval", reason: "two" }], part: "approval" }, // prettier-ignore
};

describe("the table of conflicts", () => {
  const pairs = DUTIES.flatMap((a) => DUTIES.map((b) => [a, b] as const));

  it.each(pairs)("%s with %s comes to what its rule says", (a, b) => {
    const first = EXAMPLES[a].of[0];
    const second = EXAMPLES[b].of[1];
    const { part: partOfFirst } = EXAMPLES[a];
    const { part: partOfSecond } = EXAMPLES[b];
    const together = dutiesOf([first, second]);
    const [alone, other] = [dutiesOf([first])[partOfFirst], dutiesOf([second])[partOfSecond]];
    switch (ruleOf(a, b)) {
      case "union":
        expect(new Set(together[partOfFirst] as readonly unknown[])).toEqual(
          new Set([...(alone as readonly unknown[]), ...(other as readonly unknown[])]),
        );
        break;
      case "first":
        expect(together[partOfFirst]).toEqual(alone);
        break;
      case "least":
        expect(together[partOfFirst]).toBe(Math.min(alone as number, other as number));
        break;
      case "both":
        expect([together[partOfFirst], together[partOfSecond]]).toEqual([alone, other]);
        break;
      case "approval":
        expect(together.approval).not.toBeNull();
    }
    expect(ruleOf(b, a)).toBe(ruleOf(a, b));
  });

  it("the guide says every rule, and for which pairs of a kind", () => {
    const lines = readFileSync("docs/guides/policies.md", "utf8").split("\n");
    for (const duty of DUTIES) {
      const line = lines.find((each) => each.includes(`\`${duty}\` with \`${duty}\``));
      expect(line).toContain(`| ${RULES[ruleOf(duty, duty)]} |`);
    }
    for (const rule of Object.values(RULES)) expect(lines.some((line) => line.endsWith(`| ${rule} |`))).toBe(true);
  });

  it("the first says what takes the place of a text that two redact, and a longer text goes before one that it holds", () => {
    const { redactions } = dutiesOf([
      { type: "redact", text: "41", with: "[short]" },
      { type: "redact", text: "4111", with: "[first]" },
      { type: "redact", text: "4111", with: "[second]" },
    ]);
    expect(redactions).toEqual([
      { text: "4111", with: "[first]" },
      { text: "41", with: "[short]" },
    ]);
  });
});

describe("the vocabulary", () => {
  it("reads what it knows, with what may be left out", () => {
    const given = [
      { type: "redact", text: "4111" },
      { type: "route", target: "ollama/llama3:8b" },
      { type: "limit", max_tokens: 5, rpm: 2 },
      { type: "tag", tags: ["pii"] },
      { type: "require_approval" },
    ];
    const read = [{ type: "redact", text: "4111", with: "[redacted]" }, ...given.slice(1, 4), { type: "require_approval", reason: "" }];
    expect(readObligations(given)).toEqual(read);
  });

  it.each([
    ["an unknown type", { type: "webhook", to: "x" }, "obligations.0.type"],
    ["a name of every object", { type: "constructor" }, "obligations.0.type"],
    ["no object", "deny", "obligations.0"],
    ["an unknown field", { type: "tag", tags: ["a"], url: "x" }, "obligations.0.url"],
    ["a limit of nothing", { type: "limit" }, "obligations.0:"],
    ["a limit of none", { type: "limit", max_tokens: 0 }, "obligations.0.max_tokens"],
    ["a limit that is no number", { type: "limit", rpm: "5" }, "obligations.0.rpm"],
    ["an empty redaction", { type: "redact", text: "" }, "obligations.0.text"],
    ["a redaction longer than a stream holds back", { type: "redact", text: "x".repeat(REDACT_MAX + 1) }, "obligations.0.text"],
    ["a tag of two", { type: "tag", tags: ["a,b"] }, "obligations.0.tags"],
    ["33: an address to route to", { type: "route", target: "https://evil.test/v1" }, "obligations.0.target"],
    ["33: an address without its scheme", { type: "route", target: "//evil.test" }, "obligations.0.target"],
    ["33: an address in a tag", { type: "tag", tags: ["http://evil.test/?q=secret"] }, "obligations.0.tags"],
    ["33: an address put into a text", { type: "redact", text: "a", with: "![](https://evil.test)" }, "obligations.0.with"],
  ])("refuses %s and names it", (_, item, named) => {
    expect(readObligations([item])).toContain(named);
  });

  it("refuses more than 256", () => {
    expect(readObligations(Array.from({ length: 257 }, () => ({ type: "tag", tags: ["a"] })))).toContain("at most 256");
  });

  it("what was redacted stays out of what a log may hold", () => {
    expect(JSON.stringify(shown({ type: "redact", text: "4111 1111", with: "[card]" }))).not.toContain("4111");
  });
});
