const MASK = "[redacted]";
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\bsk-[\w*.-]{6,}/g, MASK],
  [/\bAIza[\w-]{20,}/g, MASK],
  [/([?&](?:api[_-]?key|key|access[_-]?token|token)=)[^&\s"'<>\\]+/gi, `$1${MASK}`],
  [/(\bBearer\s+)[\w.~+/=-]{8,}/gi, `$1${MASK}`],
];

/** Removes credentials from a provider's error text, which some providers echo: the exact ones given, and what looks like one. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]))
      clean = clean.replaceAll(form, MASK);
  }
  for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
  return clean;
}
