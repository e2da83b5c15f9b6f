import { asTollgateError, type Capability, isSurface, TollgateError } from "#core";
import { dutiesOf, REDACT_MAX, stepsAt } from "#policy";
import { type JudgeStretch, redactAnswer, saidInAnswer, screened } from "#wire";
import type { Draft, Gateway, Gathered } from "./contract.ts";
import { gather, withFact } from "./facts.ts";
import { judged } from "./enforce.ts";

/**
 * A JSON answer, in the caller's dialect, as its policies let it pass: what is judged is what the caller is given. The same text where none of them judges answers.
 * @throws TollgateError `policy_denied`; `upstream_error` for what is no answer, since nobody can tell what it says.
 */
export async function screenAnswer(text: string, draft: Draft, at: Gateway): Promise<string> {
  const chain = stepsAt(draft.policies.chain, "onResponse");
  if (chain.length === 0 || !says(draft)) return text;
  // A transcript may be plain text; it is judged as the JSON form of it would be.
  if (WRITTEN.has(draft.ask.capability) && !text.trimStart().startsWith("{")) {
    const written = JSON.parse(await screenAnswer(JSON.stringify({ text }), draft, at)) as { readonly text: string };
    return written.text;
  }
  const said = text === "" ? [] : saidInAnswer(text);
  if (said === null && chain.some(({ step }) => step.mode === "enforce"))
    throw new TollgateError("upstream_error", `The provider ${draft.target.provider} gave an answer that cannot be judged`);
  const gathered = await gather(chain, draft, { at });
  const texts = (said ?? []).map(({ role, text: each }) => ({ role: role ?? "assistant", text: each }));
  const obligations = await judged("onResponse", draft, { gathered: withFact(gathered, "response", { texts }), at });
  return redactAnswer(text, dutiesOf(obligations).redactions);
}

/** Whether policies of a request judge its answer while it streams. */
export function screensStream(draft: Draft): boolean {
  return stepsAt(draft.policies.chain, "onChunk").length > 0 && says(draft);
}

/**
 * A stream, in the caller's dialect, as its policies let it pass, judged stretch by stretch before it goes on; the very same where none of them judges
 * streams. One that they deny breaks off, and the judgement says why.
 */
export function screenStream(stream: ReadableStream<Uint8Array>, draft: Draft, at: Gateway): ReadableStream<Uint8Array> {
  const { chain: all, judgement } = draft.policies;
  if (!screensStream(draft)) return stream;
  const chain = stepsAt(all, "onChunk");
  let gathering: Promise<Gathered> | null = null;
  const judge: JudgeStretch = async (stretch) => {
    try {
      const gathered = await (gathering ??= gather(chain, draft, { at }));
      return dutiesOf(await judged("onChunk", draft, { gathered: withFact(gathered, "response", stretch), at })).redactions;
    } catch (thrown) {
      judgement.stopped = asTollgateError(thrown);
      throw thrown;
    }
  };
  return screened(stream, draft.asked.capability, { judge, holdBack: REDACT_MAX });
}

/** What is heard is written down: of all that is no text for text, only these say anything in text. */
const WRITTEN: ReadonlySet<Capability> = new Set(["audio.transcriptions", "audio.translations"]);

/** Whether answers to a request say anything. */
function says({ ask: { capability } }: Draft): boolean {
  if (isSurface(capability)) return WRITTEN.has(capability);
  return capability !== "embeddings" && capability !== "count_tokens";
}
