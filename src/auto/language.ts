/** Scripts, and the language that is most written in each. A text with kana is Japanese however much of it is Chinese characters. */
const SCRIPTS: readonly (readonly [tag: string, letters: RegExp])[] = [
  ["ja", /[\u3040-\u30ff]/g],
  ["ko", /[\u1100-\u11ff\uac00-\ud7af]/g],
  ["zh", /[\u3400-\u4dbf\u4e00-\u9fff]/g],
  ["ru", /[\u0400-\u04ff]/g],
  ["el", /[\u0370-\u03ff]/g],
  ["he", /[\u0590-\u05ff]/g],
  ["ar", /[\u0600-\u06ff]/g],
  ["hi", /[\u0900-\u097f]/g],
  ["th", /[\u0e00-\u0e7f]/g],
];
const LATIN = /[a-z\u00c0-\u024f]/gi;
/** Small words that almost every sentence of a language holds, and few of another. */
const WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  en: new Set("the and is of to in what how that this are you for with it please".split(" ")),
  de: new Set("der die das und ist nicht ein eine ich wie was für mit zu den auf bitte".split(" ")),
  fr: new Set("le la les et est un une des que pour dans qui je vous avec du pas".split(" ")),
  es: new Set("el la los las y es un una que de por para cómo qué con en mi".split(" ")),
  it: new Set("il lo gli e è un una che di per con come non sono della del mi".split(" ")),
  pt: new Set("o os as e é um uma que de para por como não com em do da".split(" ")),
  nl: new Set("de het een en is niet ik hoe wat van voor met op dat zijn te".split(" ")),
};
const TEXT_MAX = 2_000;
/** Fewer small words than this tell nothing. */
const WORDS_MIN = 2;

/** The language of a text as a BCP 47 tag, told by its script or its small words; `und` where neither tells. */
export function languageOf(text: string): string {
  const read = text.slice(0, TEXT_MAX);
  const count = (letters: RegExp) => read.match(letters)?.length ?? 0;
  const latin = count(LATIN);
  const counted = SCRIPTS.map(([tag, letters]) => ({ tag, letters: count(letters) }));
  const others = counted.reduce((sum, { letters }) => sum + letters, 0);
  // A letter of a script that writes syllables or words says as much as several of an alphabet.
  if (others * 3 > latin) {
    if (counted[0]!.letters > 0) return "ja";
    return counted.toSorted((a, b) => b.letters - a.letters)[0]!.tag;
  }
  return latin === 0 ? "und" : byWords(read);
}

function byWords(text: string): string {
  const words = text.toLowerCase().match(/[\p{L}]+/gu) ?? [];
  const scores = Object.entries(WORDS).map(([tag, small]) => ({ tag, score: words.filter((word) => small.has(word)).length }));
  const [best, next] = scores.toSorted((a, b) => b.score - a.score);
  return best && best.score >= WORDS_MIN && best.score > (next?.score ?? 0) ? best.tag : "und";
}
