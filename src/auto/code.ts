const FENCE = /^\s*(```|~~~)/m;
/** Words that are seldom said but of programs. */
const WORDS =
  /\b(?:javascript|typescript|python|golang|rustc?|kotlin|c\+\+|c#|sql|regex(?:p|es)?|dockerfile|kubernetes|stack ?trace|traceback|unit tests?|refactor(?:ing)?|compil(?:e|er|es|ing)|codebase|pull request|npm|git (?:commit|rebase|merge)|segfault|null ?pointer)\b|c\+\+|c#/i;
/** A line as programs have them: an ending or a beginning that prose lacks. */
const LINE =
  /[;{}]$|\)\s{0,2}(?:=>|->|:)$|^(?:def|class|function|import|from|const|let|var|fn|pub|func|package|public|private|return|async|await|#include|#!|select|insert|update|<\/?[a-z]+)\b.*[^.!?,]$/i;
const LINES_MAX = 400;
const LINES_MIN = 3;
/** Of the lines that are not blank. */
const SHARE_MIN = 0.2;

/** Whether a text holds code, or speaks of it. */
export function holdsCode(text: string): boolean {
  if (text === "") return false;
  if (FENCE.test(text) || WORDS.test(text)) return true;
  const lines = text
    .split("\n", LINES_MAX)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const coded = lines.filter((line) => line.length < 400 && LINE.test(line)).length;
  return coded >= LINES_MIN && coded >= lines.length * SHARE_MIN;
}
