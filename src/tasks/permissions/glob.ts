/** What a pattern can only match with a star: no pattern may hold it. */
const ANY = "\u0000";

/**
 * Whether a text is of a pattern in which `*` stands for any text, in time that grows with the text alone for each part. A star at the
 * end behind a blank may also stand for nothing with the blank: `git *` is `git` as well, as in Claude Code's rules.
 */
export function matches(pattern: string, text: string): boolean {
  return fits(pattern, text) || (pattern.endsWith(" *") && fits(pattern.slice(0, -2), text));
}

/**
 * Whether every text of the inner pattern is of the outer one. Exact: a letter that stands in neither can only be met by a star, and
 * what a star meets may be any text.
 */
export function covers(outer: string, inner: string): boolean {
  return wordsOf(inner).every((word) => matches(outer, word));
}

function wordsOf(inner: string): string[] {
  const all = inner.replaceAll("*", ANY);
  return inner.endsWith(" *") ? [all, inner.slice(0, -2).replaceAll("*", ANY)] : [all];
}

function fits(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === text;
  const [first = "", ...rest] = parts;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
