/**
 * What is masked, by what stands in its place. No check digit is asked for: a number that is taken for a card by mistake is missed by
 * nobody, one that is overlooked stands in the log.
 */
const CLASSES: readonly (readonly [mask: string, pattern: RegExp])[] = [
  ["[secret]", /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|$)/g],
  ["[secret]", /\b(?:sk|pk|rk)[-_][\w-]{8,}|\bAIza[\w-]{20,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[opsur]_\w{20,}|\bxox[abeoprs]-[\w-]{10,}/g],
  ["[secret]", /\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=\bBearer\s+)[\w.~+/=-]{8,}/g],
  ["[email]", /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{2,63}){1,4}/g],
  ["[iban]", /(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])/g],
  ["[card]", /(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)/g],
  ["[ssn]", /(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])/g],
];

/** A text without its secrets, and without what names a person: addresses of mail, accounts, cards, social security numbers. */
export function masked(text: string): string {
  return CLASSES.reduce((left, [mask, pattern]) => left.replace(pattern, mask), text);
}
