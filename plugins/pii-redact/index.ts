import { type Decision, definePolicy, type Obligation } from "#plugin-sdk";

const KINDS = ["email", "card", "iban", "ssn"] as const;
type Kind = (typeof KINDS)[number];

/** What each kind looks like. Each begins where a word does and is bounded, so that a long text takes as long as it is. */
const PATTERNS: Readonly<Record<Kind, RegExp>> = {
  email: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}/g,
  card: /(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g,
  iban: /(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])/g,
  ssn: /(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g,
};
/** Where a number of any kind may stand: prose is looked through for this once, and not for each kind. */
const NUMBERS = /[A-Z0-9][A-Z0-9 -]{9,}[A-Z0-9]/g;
/** As many as a decision may ask for. */
const REDACTIONS_MAX = 256;

export default definePolicy({
  name: "pii-redact",
  version: "1.0.0",
  priority: 500,
  needs: ["messages", "response"],
  config: {
    type: "object",
    properties: {
      kinds: { type: "array", items: { type: "string", enum: KINDS }, default: KINDS, description: "What is looked for." },
      refuse: { type: "boolean", default: false, description: "Refuse a prompt that holds any, where it would be redacted." },
    },
  },
  evaluate({ messages, config }) {
    const found = foundIn(messages.map(({ text }) => text), config.kinds); // prettier-ignore
    if (config.refuse && found.length > 0)
      return { allowed: false, reason: "The prompt holds personal data.", metadata: { kinds: kindsOf(found) } };
    return redacting(found);
  },
  onResponse: ({ response, config }) => redacting(foundIn(response.texts.map(({ text }) => text), config.kinds)), // prettier-ignore
  onChunk: ({ response, config }) => redacting(foundIn([response.text], config.kinds)),
  tests: [
    {
      name: "an address of mail",
      context: { messages: [{ role: "user", text: "Write to ann.lee+x@mail.example.com today." }] },
      expect: { allowed: true, obligations: [{ type: "redact", text: "ann.lee+x@mail.example.com", with: "[email]" }] },
    },
    {
      name: "a card that its last digit proves, and no number that is none",
      context: { messages: [{ role: "user", text: "4111 1111 1111 1111, not 4111 1111 1111 1112" }] },
      expect: { obligations: [{ type: "redact", text: "4111 1111 1111 1111", with: "[card]" }] },
    },
    {
      name: "an account that its check digits prove",
      context: { messages: [{ role: "user", text: "DE89 3704 0044 0532 0130 00 or DE88 3704 0044 0532 0130 00" }] },
      expect: { obligations: [{ type: "redact", text: "DE89 3704 0044 0532 0130 00", with: "[iban]" }] },
    },
    {
      name: "a social security number, once, though it stands there twice",
      context: { messages: [{ role: "user", text: "078-05-1120 078-05-1120 000-12-3456" }] },
      expect: { obligations: [{ type: "redact", text: "078-05-1120", with: "[ssn]" }] },
    },
    {
      name: "only what is looked for",
      config: { kinds: ["card"] },
      context: { messages: [{ role: "user", text: "ann@example.com" }] },
      expect: { allowed: true, obligations: [] },
    },
    {
      name: "refuses where it was told to, and names the kinds and not the data",
      config: { refuse: true },
      context: { messages: [{ role: "user", text: "ann@example.com" }] },
      expect: { allowed: false, reason: "The prompt holds personal data.", metadata: { kinds: ["email"] } },
    },
    {
      name: "a whole answer",
      stage: "onResponse",
      context: { response: { texts: [{ role: "assistant", text: "Mail bob@example.org." }] } },
      expect: { obligations: [{ type: "redact", text: "bob@example.org", with: "[email]" }] },
    },
    {
      name: "a stretch of a stream",
      stage: "onChunk",
      context: { response: { text: "card 4111-1111-1111-1111.", gone: 5, last: false } },
      expect: { obligations: [{ type: "redact", text: "4111-1111-1111-1111", with: "[card]" }] },
    },
  ],
});

interface Found {
  readonly kind: Kind;
  readonly text: string;
}

function foundIn(texts: readonly string[], kinds: readonly Kind[]): Found[] {
  const found = new Map<string, Kind>();
  for (const text of texts) {
    const numbers = text.match(NUMBERS) ?? [];
    for (const kind of kinds)
      for (const part of kind !== "email" ? numbers : text.includes("@") ? [text] : [])
        for (const [match] of part.matchAll(PATTERNS[kind])) if (holds(kind, match)) found.set(match, kind);
  }
  return [...found].map(([text, kind]) => ({ kind, text }));
}

function holds(kind: Kind, text: string): boolean {
  if (kind === "card") return isCard(text.replace(/\D/g, ""));
  return kind === "iban" ? isIban(text.replaceAll(" ", "")) : true;
}

/** Luhn: every second digit from the right counts twice. */
function isCard(digits: string): boolean {
  const sum = digits
    .split("")
    .toReversed()
    .reduce((total, digit, at) => {
      const value = at % 2 === 0 ? Number(digit) : Number(digit) * 2;
      return total + (value > 9 ? value - 9 : value);
    }, 0);
  return sum % 10 === 0;
}

/** ISO 13616: the check digits make the whole, read as a number, 1 modulo 97. */
function isIban(text: string): boolean {
  const digits = (text.slice(4) + text.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(Number.parseInt(letter, 36)));
  return digits.split("").reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0) === 1;
}

function kindsOf(found: readonly Found[]): Kind[] {
  return [...new Set(found.map(({ kind }) => kind))];
}

function redacting(found: readonly Found[]): Decision {
  if (found.length > REDACTIONS_MAX) return { allowed: false, reason: "There is more personal data than can be redacted." };
  const obligations = found.map(({ kind, text }): Obligation => ({ type: "redact", text, with: `[${kind}]` }));
  return { allowed: true, metadata: found.length === 0 ? {} : { kinds: kindsOf(found), found: found.length }, obligations };
}
