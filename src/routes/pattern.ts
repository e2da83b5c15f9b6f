/** The text that a pattern's one `*` stands for in a name, or the empty text for an equal one without; null where it does not match. */
export function matched(pattern: string, name: string): string | null {
  const star = pattern.indexOf("*");
  if (star === -1) return pattern === name ? "" : null;
  const [first, last] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const fits = name.startsWith(first) && name.endsWith(last) && name.length >= first.length + last.length;
  return fits ? name.slice(first.length, name.length - last.length) : null;
}
