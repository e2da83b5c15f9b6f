import type { AnswerForm } from "./answer.ts";
import type { Assignment, Outcome, Reason } from "./contract.ts";
import { Conversation } from "./conversation.ts";
import { CallFailure } from "./gateway.ts";
import type { Hands } from "./hands.ts";
import type { Reply, ToolResultBlock, ToolUseBlock } from "./messages.ts";
import type { Model } from "./model.ts";
import { Progress } from "./progress.ts";
import type { Report } from "./report.ts";

/** What the agent works with. */
export interface Means {
  readonly model: Model;
  readonly hands: Hands;
  readonly report: Report;
  readonly form: AnswerForm | null;
  /** What a person has said since it was last asked for. */
  readonly said: () => string | null;
}

const CUT_OFF = "Your answer was cut off at its greatest length. Go on from where it ends, or do it in smaller steps.";
/** What a provider's complaint about too long a conversation looks like; there is no code that all of them share. */
const TOO_LONG = /context|too (?:long|large|many)|maximum.{0,40}(?:tokens|length)/i;
const OVERFLOWS_MAX = 3;

/** One task, from its first words to its end: the model is asked, what it calls is run, until it has nothing more to call. */
export class Agent {
  readonly #means: Means;
  readonly #conversation = new Conversation();
  readonly #progress = new Progress();
  #text = "";
  #turns = 0;
  #asked = false;

  constructor(means: Means) {
    this.#means = means;
  }

  /** How often the model was asked. */
  get turns(): number {
    return this.#turns;
  }

  /** Works until the end, whatever it is. */
  async work(firstWords: string, { turnsMax }: Pick<Assignment, "turnsMax">): Promise<Outcome> {
    this.#conversation.say(firstWords);
    try {
      while (this.#turns < turnsMax) {
        const end = await this.#turn();
        if (end) return end;
      }
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      return this.#ended(error.code === "budget_exceeded" || error.status === 402 ? "budget" : "error", error.message);
    }
    return this.#ended("turns", `it was not done after ${turnsMax} turns`);
  }

  async #turn(): Promise<Outcome | null> {
    this.#listen();
    const reply = await this.#answer();
    const { content, stopReason } = reply;
    this.#conversation.heard(content);
    const text = content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
    if (text !== "") this.#means.report.tell({ type: "text", text: (this.#text = text) });
    const calls = content.filter((block) => block.type === "tool_use");
    if (calls.length > 0) return this.#act(calls, reply);
    if (stopReason === "max_tokens") return this.#goOn(CUT_OFF);
    if (stopReason === "pause_turn" || this.#listen()) return null;
    if (stopReason === "refusal") return this.#ended("error", "the model declined to go on");
    return this.#done();
  }

  /** Adds what a person has said in the meantime; whether it was anything. */
  #listen(): boolean {
    const said = this.#means.said();
    if (said === null) return false;
    this.#means.report.tell({ type: "input", text: said });
    this.#conversation.say(said);
    return true;
  }

  async #answer(): Promise<Reply> {
    const { model, report } = this.#means;
    this.#turns++;
    if (this.#conversation.fit()) report.tell({ type: "notice", text: "older results were shortened" });
    for (let overflows = 0; ; overflows++) {
      try {
        return await model.answer(this.#conversation.messages);
      } catch (error) {
        const tooLong = error instanceof CallFailure && (error.status === 413 || (error.status === 400 && TOO_LONG.test(error.message)));
        if (!tooLong || overflows === OVERFLOWS_MAX || !this.#conversation.overflowed()) throw error;
        report.tell({ type: "notice", text: `${error.message}; older results were shortened` });
      }
    }
  }

  async #act(calls: readonly ToolUseBlock[], { malformed }: Reply): Promise<Outcome | null> {
    const { form, hands } = this.#means;
    const answer = form?.called(calls) ?? null;
    const others = calls.filter((call) => call !== answer);
    const results = new Map((await hands.run(others, malformed)).map((each) => [each.tool_use_id, each]));
    if (answer && form) {
      const checked = form.checked(answer.input);
      if ("value" in checked) return { ...this.#ended("ok", null), structured: checked.value };
      if (this.#asked) return this.#ended("output", checked.misfit);
      this.#asked = true;
      results.set(answer.id, misfitted(answer, checked.misfit));
    }
    const inOrder = calls.map(({ id }) => results.get(id)!);
    this.#conversation.results(inOrder);
    const stuck = this.#progress.after(calls, inOrder);
    return stuck === null ? null : this.#ended("no_progress", stuck);
  }

  /** The model has nothing more to call: its last words are the answer, in the form that was asked for, for which it is asked again once. */
  #done(): Outcome | null {
    const { form } = this.#means;
    if (!form) return this.#ended("ok", null);
    const checked = form.read(this.#text);
    if ("value" in checked) return { ...this.#ended("ok", null), structured: checked.value };
    if (this.#asked) return this.#ended("output", checked.misfit);
    this.#asked = true;
    return this.#goOn(`That is not the answer in the form that was asked for: ${checked.misfit}.\n${form.words}`);
  }

  #goOn(words: string): null {
    this.#conversation.say(words);
    return null;
  }

  #ended(reason: Reason, message: string | null): Outcome {
    return { reason, text: this.#text, structured: null, message };
  }
}

function misfitted({ id }: ToolUseBlock, misfit: string): ToolResultBlock {
  return { type: "tool_result", tool_use_id: id, content: `The answer does not fit: ${misfit}. Give it once more.`, is_error: true };
}
