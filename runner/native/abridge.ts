/** A text of at most about so many characters: where it is longer its head and its tail, and between them how much is not there. */
export function abridge(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const head = text.slice(0, Math.ceil(charsMax / 2));
  const tail = text.slice(text.length - Math.floor(charsMax / 2));
  return `${head}\n… ${text.length - head.length - tail.length} characters are left out here …\n${tail}`;
}
