import type { Content } from "#content";
import { type Pass, saidInAnswer, Transcript } from "#wire";
import type { Draft, Gateway } from "./contract.ts";
import { messagesOf } from "./facts.ts";

/** Keeps what a request asks, as policies are given it, where its key has that logged; beside the request, which never waits for it. */
export function keepAsked(draft: Draft, at: Gateway): void {
  keep("asked", draft, { said: () => messagesOf(draft), at });
}

/** Keeps a whole JSON answer as the caller was given it. */
export function keepAnswered(text: string, draft: Draft, at: Gateway): void {
  keep("answered", draft, {
    said: () => (saidInAnswer(text) ?? []).map(({ role, text: said }) => ({ role: role ?? ASSISTANT, text: said })),
    at,
  });
}

/** What reads a stream along, and what keeps it once it is over. */
export interface Followed {
  readonly passes: readonly Pass[];
  readonly keep: () => void;
}

/** Reads a stream along as the caller is given it; nothing is done where its key has nothing logged. */
export function followed(draft: Draft, at: Gateway): Followed {
  if (draft.caller.contentLogging === "off") return { passes: [], keep: () => undefined };
  const transcript = new Transcript(draft.asked.capability);
  return {
    passes: [transcript.along()],
    keep: () => keep("answered", draft, { said: () => transcript.texts.map((text) => ({ role: ASSISTANT, text })), at }),
  };
}

const ASSISTANT = "assistant";

function keep(
  side: Content["side"],
  { caller, arrival }: Draft,
  { said, at }: { readonly said: () => Content["said"]; readonly at: Gateway },
): void {
  const { contentLogging: mode, key, team } = caller;
  if (mode === "off") return;
  at.background(at.keep({ request: arrival.id, side, at: arrival.at, key, team, mode, said: said() }));
}
