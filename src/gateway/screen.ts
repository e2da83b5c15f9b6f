import { asTollgateError, type Capability, isSurface } from "#core";
import { asked, type Facts } from "#policy";
import { redactAnswer, saidInAnswer, screened } from "#wire";
import type { Draft, Gateway } from "./contract.ts";
import { gather } from "./facts.ts";
import { judged } from "./enforce.ts";

/**
 * A JSON answer as the caller's policies let it pass; the same text where none of them judges answers.
 * @throws TollgateError `policy_denied`.
 */
export async function screenAnswer(text: string, draft: Draft, at: Gateway): Promise<string> {
  const chain = asked(draft.policies.chain, "onResponse");
  if (chain.length === 0 || !says(draft)) return text;
  // A transcript may be plain text; it is judged as the JSON form of it would be.
  if (WRITTEN.has(draft.ask.capability) && !text.trimStart().startsWith("{")) {
    const written = JSON.parse(await screenAnswer(JSON.stringify({ text }), draft, at)) as { readonly text: string };
    return written.text;
  }
  const { shared, own } = await gather(chain, draft, { at });
  const texts = saidInAnswer(text).map(({ role, text: said }) => ({ role: role ?? "assistant", text: said }));
  const { redactions } = await judged("onResponse", draft, { facts: { shared: { ...shared, response: { texts } }, own }, at });
  return redactAnswer(text, redactions);
}

/**
 * A stream as the caller's policies let it pass, judged stretch by stretch before it goes on; the very same where none of them judges
 * streams. One that they deny breaks off, and the judgement says why.
 */
export function screenStream(stream: ReadableStream<Uint8Array>, draft: Draft, at: Gateway): ReadableStream<Uint8Array> {
  const { chain: all, judgement } = draft.policies;
  const chain = asked(all, "onChunk");
  if (chain.length === 0 || !says(draft)) return stream;
  let gathering: Promise<Facts> | null = null;
  return screened(stream, draft.ask.capability, async (stretch) => {
    try {
      const { shared, own } = await (gathering ??= gather(chain, draft, { at }));
      const { redactions } = await judged("onChunk", draft, { facts: { shared: { ...shared, response: stretch }, own }, at });
      return redactions;
    } catch (thrown) {
      judgement.stopped = asTollgateError(thrown);
      throw thrown;
    }
  });
}

/** What is heard is written down: of all that is no text for text, only these say anything in text. */
const WRITTEN: ReadonlySet<Capability> = new Set(["audio.transcriptions", "audio.translations"]);

/** Whether answers to a request say anything. */
function says({ ask: { capability } }: Draft): boolean {
  if (isSurface(capability)) return WRITTEN.has(capability);
  return capability !== "embeddings" && capability !== "count_tokens";
}
