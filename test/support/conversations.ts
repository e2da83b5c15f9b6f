import fc from "fast-check";
import { type Answer, type Conversation, FAILED, type Message, type Part, type Step, type TextPart, type Tongue } from "#translation";

/** Random conversations and answers, and what each dialect can say of them. */

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 24 });
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/);
const base64 = fc.base64String({ minLength: 4, maxLength: 24 });
const mark = fc.option(fc.record({ ttl: fc.constantFrom("5m" as const, "1h" as const, null) }), { nil: undefined, freq: 3 });
const at = "";

/** Leaves out what is undefined, as JSON does. */
const bare = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value;

const textPart = fc.record({ kind: fc.constant("text" as const), text, mark, at: fc.constant(at) });
const source = fc.oneof(
  fc.record({ kind: fc.constant("url" as const), url: fc.constant("https://pictures.test/a.png") }),
  fc.record({ kind: fc.constant("data" as const), mediaType: fc.constant("image/png"), base64 }),
);
const imagePart = fc.record({
  kind: fc.constant("image" as const),
  source,
  detail: fc.option(fc.constantFrom("low", "high"), { nil: undefined }),
  mark,
  at: fc.constant(at),
});
const documentPart = fc.record({
  kind: fc.constant("document" as const),
  source: fc.oneof(
    fc.record({ kind: fc.constant("data" as const), mediaType: fc.constant("application/pdf"), base64 }),
    text.map((words) => ({ kind: "data" as const, mediaType: "text/plain", base64: Buffer.from(words.toWellFormed()).toString("base64") })),
    fc.record({ kind: fc.constant("url" as const), url: fc.constant("https://papers.test/a.pdf") }),
  ),
  name: fc.option(name, { nil: undefined }),
  mark,
  at: fc.constant(at),
});
const seal = fc.oneof(
  fc.record({ maker: fc.constant("anthropic" as const), data: base64 }),
  fc.record({ maker: fc.constant("anthropic" as const), data: base64, hidden: fc.constant(true as const) }),
  fc.record({ maker: fc.constant("openai" as const), data: base64, id: fc.constant("rs_1") }),
  fc.constant({ maker: "chat" as const, data: "" }),
);
const reasoningPart = fc
  .record({ kind: fc.constant("reasoning" as const), text, seal, at: fc.constant(at) })
  .map((part) => ("hidden" in part.seal ? { ...part, text: "" } : part));

/** One exchange: what the user says, what the model thinks, says and calls, and what the tools give back. */
const exchange = fc.record({
  said: fc.array(fc.oneof(textPart, imagePart, documentPart), { minLength: 1, maxLength: 3 }),
  thought: fc.array(reasoningPart, { maxLength: 2 }),
  answered: fc.array(
    fc.oneof({ weight: 4, arbitrary: textPart }, fc.record({ kind: fc.constant("refusal" as const), text, at: fc.constant(at) })),
    {
      maxLength: 2,
    },
  ),
  calls: fc.array(
    fc.record({
      name,
      id: fc.constantFrom("call_", "toolu_", "functions.f:"),
      input: fc.dictionary(name, fc.oneof(text, fc.integer(), fc.boolean()), { maxKeys: 3 }),
      given: fc.array(fc.oneof({ weight: 5, arbitrary: textPart }, imagePart), { maxLength: 2 }),
      failed: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  later: fc.option(text, { nil: undefined, freq: 5 }),
});

type Exchange = typeof exchange extends fc.Arbitrary<infer Each> ? Each : never;

/** What the generators leave undefined is absent once {@link bare} has been applied. */
const partsOf = (list: readonly unknown[]): readonly Part[] => list as readonly Part[];

function messagesOf(exchanges: readonly Exchange[]): Message[] {
  const messages: Message[] = [];
  for (const [turn, { said: spoken, thought, answered, calls, later }] of exchanges.entries()) {
    const said = partsOf(spoken);
    const before = messages.at(-1);
    if (before?.role === "user") messages[messages.length - 1] = { ...before, parts: [...before.parts, ...said] };
    else messages.push({ role: "user", parts: said, at });
    const called = calls.map(({ id, name, input }, index): Part => ({
      kind: "call",
      id: `${id}${turn}_${index}`,
      name,
      input: JSON.stringify(input),
      at,
    }));
    const made = partsOf([...thought, ...answered, ...called]);
    if (made.length > 0) messages.push({ role: "assistant", parts: made, at });
    const results = calls.map(({ id, given, failed }, index): Part => ({
      kind: "result",
      id: `${id}${turn}_${index}`,
      parts: given as never,
      failed,
      at,
    }));
    if (results.length > 0) messages.push({ role: "user", parts: results, at });
    if (later !== undefined) messages.push({ role: "developer", parts: [{ kind: "text", text: later, at }], at });
  }
  return messages;
}

const schema = fc.record({ type: fc.constant("object"), properties: fc.dictionary(name, fc.constant({ type: "string" }), { maxKeys: 2 }) });
const tool = fc.record({
  name,
  description: fc.option(text),
  schema,
  strict: fc.option(fc.boolean()),
  mark,
  at: fc.constant(at),
});

/** Any request that at least one dialect can say in full. */
export const conversations: fc.Arbitrary<Conversation> = fc
  .record({
    system: fc.array(textPart, { maxLength: 2 }),
    exchanges: fc.array(exchange, { minLength: 1, maxLength: 3 }),
    stream: fc.boolean(),
    tools: fc.uniqueArray(tool, { maxLength: 2, selector: (each) => each.name }),
    toolChoice: fc.option(
      fc.oneof(
        fc.record({ kind: fc.constantFrom("auto" as const, "none" as const, "any" as const) }),
        fc.record({ kind: fc.constant("one" as const), name }),
      ),
    ),
    alone: fc.boolean(),
    maxTokens: fc.integer({ min: 1, max: 9_999 }),
    temperature: fc.option(fc.constantFrom(0, 0.5, 1)),
    topP: fc.option(fc.constantFrom(0.1, 0.9)),
    stop: fc.array(text, { maxLength: 4 }),
    level: fc.option(fc.constantFrom("none" as const, "low" as const, "high" as const, "max" as const)),
    format: fc.option(
      fc.oneof(
        fc.constant({ kind: "json" as const }),
        fc.record({ kind: fc.constant("schema" as const), name, description: fc.option(text), schema, strict: fc.option(fc.boolean()) }),
      ),
    ),
    endUser: fc.option(name),
    tier: fc.option(fc.constantFrom("auto" as const, "standard" as const)),
  })
  .map(({ system, exchanges, alone, level, ...rest }) =>
    bare<unknown>({
      model: "model-1",
      messages: [...(system.length > 0 ? [{ role: "system" as const, parts: system, at }] : []), ...messagesOf(exchanges)],
      parallel: alone && rest.tools.length > 0 && rest.toolChoice?.kind !== "none" ? false : null,
      effort: level === null ? null : { level, budgetTokens: null, shown: null },
      verbosity: null,
      kin: {},
      ...rest,
    }),
  )
  .map((conversation) => conversation as Conversation);

/** What of a conversation a dialect says, and the fields of the table of losses that it leaves out. */
export interface Sayable {
  readonly conversation: Conversation;
  readonly dropped: ReadonlySet<string>;
  /** It cannot be said at all. */
  readonly refused: boolean;
}

const CONTENT: Readonly<Record<Tongue, string>> = {
  anthropic: "messages[].content[].",
  "openai-chat": "messages[].content[].",
  "openai-responses": "input[].content[].",
};
const THOUGHT: Readonly<Record<Tongue, string>> = {
  anthropic: "messages[].content[].thinking",
  "openai-chat": "messages[].reasoning_details",
  "openai-responses": "input[].reasoning",
};
const TAKES = { anthropic: "anthropic", "openai-chat": "chat", "openai-responses": "openai" } as const;

/**
 * The committed normalisation: what `to` says of a conversation that was asked in `from`. It changes spelling, and loses only what it
 * names from the table of losses.
 */
export function normalised(conversation: Conversation, from: Tongue, to: Tongue): Sayable {
  const dropped = new Set<string>();
  let refused = false;
  const toOpenai = to !== "anthropic";
  const refuse = (when: boolean) => void (refused ||= when);

  const part = (each: Part, { inResult = false, leading = false } = {}): Part[] => {
    const { mark: marked, ...plain } = each as Part & { mark?: unknown };
    const kept = (toOpenai ? plain : each) as Part;
    if (marked !== undefined && toOpenai && from === "anthropic")
      dropped.add(leading ? "system[].cache_control" : `${CONTENT[from]}cache_control`);
    switch (kept.kind) {
      case "image": {
        refuse(inResult && to === "openai-chat");
        const { detail, ...blind } = kept;
        if (!toOpenai && detail !== undefined)
          dropped.add(from === "openai-chat" ? `${CONTENT[from]}image_url.detail` : `${CONTENT[from]}detail`);
        if (!toOpenai) return [blind];
        return [to === "openai-responses" && from === "openai-chat" ? { ...kept, detail: detail ?? "auto" } : kept];
      }
      case "document":
        refuse(kept.source.kind === "url" && to === "openai-chat");
        if (to === "openai-chat" && kept.source.kind === "data" && kept.source.mediaType === "text/plain") {
          const words = Buffer.from(kept.source.base64, "base64").toString("utf8");
          return [{ kind: "text", text: kept.name === undefined ? words : `${kept.name}\n\n${words}`, at }];
        }
        return [toOpenai && kept.source.kind === "data" ? { ...kept, name: kept.name ?? "document" } : kept];
      case "refusal":
        return [toOpenai ? kept : { kind: "text", text: kept.text, at }];
      case "reasoning":
        if (kept.seal?.maker === TAKES[to]) return [kept];
        dropped.add(THOUGHT[from]);
        return [];
      case "result": {
        const { failed, ...rest } = kept;
        const parts = kept.parts.flatMap((given) => part(given, { inResult: true }));
        const words: Part[] = failed && toOpenai ? [{ kind: "text", text: FAILED, at }] : [];
        return [{ ...rest, parts: [...words, ...parts] as never, failed: failed && !toOpenai }];
      }
      case "text":
      case "call":
        return [kept];
    }
  };

  /** Chat Completions keeps what was thought, said, refused and called apart; Messages puts thoughts first. */
  const order = (parts: readonly Part[]): Part[] => {
    const kinds = to === "openai-chat" ? ["reasoning", "text", "refusal", "call"] : to === "anthropic" ? ["reasoning"] : [];
    const place = ({ kind }: Part) => (kinds.includes(kind) ? kinds.indexOf(kind) : kinds.length);
    const sorted = parts.map((each, index) => ({ each, index })).sort((a, b) => place(a.each) - place(b.each) || a.index - b.index);
    return merged(sorted.map(({ each }) => each));
  };
  const merged = (parts: readonly Part[]): Part[] => {
    if (to !== "openai-chat") return [...parts];
    const together: Part[] = [];
    for (const each of parts) {
      const before = together.at(-1);
      const joins = before?.kind === each.kind && (each.kind === "refusal" || each.kind === "reasoning");
      if (joins) together[together.length - 1] = { ...before, text: (before as { text: string }).text + each.text } as Part;
      else together.push(each);
    }
    return together;
  };

  const messages: Message[] = [];
  for (const [index, { role, parts }] of conversation.messages.entries()) {
    const said = parts.flatMap((each) => part(each, { leading: index === 0 && role === "system" }));
    const spoken = role === "developer" && !toOpenai ? "system" : role;
    const before = messages.at(-1);
    // What stands between two answers is the user's turn and, behind it, the instructions: Messages takes them nowhere else.
    const place =
      !toOpenai && spoken === "user" && before?.role === "system" && messages.length > 1 ? messages.length - 1 : messages.length;
    const near = place < messages.length ? messages[place - 1] : undefined;
    if (near?.role === "user") {
      messages[place - 1] = { ...near, parts: [...near.parts, ...said] };
      continue;
    }
    if (place < messages.length) {
      messages.splice(place, 0, { role: spoken, parts: said, at });
      continue;
    }
    const results = (list: readonly Part[]) => list.every(({ kind }) => kind === "result");
    if (said.length === 0 && role === "assistant") continue;
    if (before?.role === spoken && (spoken === "assistant" || !toOpenai || (spoken === "user" && results(before.parts))))
      messages[messages.length - 1] = { ...before, parts: [...before.parts, ...said] };
    else messages.push({ role: spoken, parts: said, at });
  }
  if (from !== to && [from, to].includes("anthropic")) refuse((toOpenai ? conversation.messages : messages).at(-1)?.role === "assistant");
  refuse(conversation.stop.length > 0 && to === "openai-responses");
  const { format, effort } = conversation;
  if (!toOpenai && format?.kind === "json") {
    dropped.add(from === "openai-chat" ? "response_format.json_object" : "text.format.json_object");
    const asked = { kind: "text", text: "Answer with one JSON object and nothing else.", at } as const;
    const first = messages[0];
    if (first?.role === "system") messages[0] = { ...first, parts: [...first.parts, asked] };
    else messages.unshift({ role: "system", parts: [asked], at });
  }
  if (!toOpenai && format?.kind === "schema") dropped.add(from === "openai-chat" ? "response_format.json_schema.name" : "text.format.name");
  const tools = conversation.tools.map(({ mark: marked, ...each }) => {
    if (marked !== undefined && toOpenai && from === "anthropic") dropped.add("tools[].cache_control");
    const strict = to === "openai-responses" ? (each.strict ?? false) : each.strict;
    return { ...each, strict, ...(marked !== undefined && !toOpenai && { mark: marked }) };
  });
  return {
    conversation: bare({
      ...conversation,
      messages: messages.map((message) => (message.role === "assistant" ? { ...message, parts: order(message.parts) } : message)),
      tools,
      format: format && formatIn(format, to),
      effort: effort && effortIn(effort, to),
      toolChoice: conversation.toolChoice ?? (conversation.parallel === false && !toOpenai ? { kind: "auto" } : null),
    }),
    dropped,
    refused,
  };
}

/** Messages enforces every schema and names none; OpenAI's dialects name each. */
function formatIn(format: NonNullable<Conversation["format"]>, to: Tongue): Conversation["format"] {
  if (format.kind === "json") return to === "anthropic" ? null : format;
  return to === "anthropic" ? { ...format, name: null, description: null, strict: true } : { ...format, name: format.name ?? "answer" };
}

/** Messages shows what is thought unless it is told not to, and thinks of nothing unless it is told to; Chat Completions has no word for it. */
function effortIn(effort: NonNullable<Conversation["effort"]>, to: Tongue): Conversation["effort"] {
  if (to === "anthropic") return effort.level === "none" ? null : { ...effort, shown: true };
  return { ...effort, shown: to === "openai-responses" && effort.shown === true ? true : null };
}

/** A conversation without the places it was read from, and with arguments as what they mean. */
export function placeless(conversation: Conversation): unknown {
  return JSON.parse(JSON.stringify(conversation), (key: string, value: unknown) => (key === "at" ? undefined : value));
}

/** Random answers, as a provider that speaks `tongue` gives them. */
export function answersIn(tongue: Tongue): fc.Arbitrary<Answer> {
  const own = reasoningPart.filter((each) => each.seal.maker === TAKES[tongue]);
  const count = fc.integer({ min: 0, max: 5_000 });
  return fc
    .record({
      thought: fc.array(own, { maxLength: tongue === "openai-chat" ? 1 : 2 }),
      said: fc.option(text),
      refusal: tongue === "anthropic" ? fc.constant(null) : fc.option(text, { freq: 4 }),
      calls: fc.array(fc.record({ name, input: fc.dictionary(name, text, { maxKeys: 3 }) }), { maxLength: 3 }),
      stop: fc.constantFrom("end" as const, "length" as const),
      counts: fc.tuple(count, count, count, count, count),
    })
    .map(({ thought, said, refusal, calls, stop, counts: [input, cacheRead, cacheWrite5m, output, reasoning] }) => {
      const refused = refusal !== null && tongue === "openai-responses" && stop === "end";
      return bare<unknown>({
        id: `${{ anthropic: "msg_", "openai-chat": "chatcmpl-", "openai-responses": "resp_" }[tongue]}x1`,
        model: "model-1",
        parts: [
          ...thought,
          ...(said === null ? [] : [{ kind: "text" as const, text: said, at }]),
          ...(refusal === null ? [] : [{ kind: "refusal" as const, text: refusal, at }]),
          ...calls.map(({ name, input: given }, index) => ({
            kind: "call" as const,
            id: `call_${index}`,
            name,
            input: JSON.stringify(given),
            at,
          })),
        ],
        stop: calls.length > 0 && stop === "end" ? ("tools" as const) : refused ? ("refusal" as const) : stop,
        sequence: null,
        told: {
          usage: {
            input,
            cacheRead,
            cacheWrite5m,
            cacheWrite1h: 0,
            output: output + reasoning,
            reasoning,
            audioInput: 0,
            audioOutput: 0,
            imageInput: 0,
            imageOutput: 0,
            characters: 0,
            seconds: 0,
            rankings: 0,
            images: 0,
            webSearches: 0,
            fileSearches: 0,
            searchSources: 0,
            extras: 0,
          },
        },
        tier: null,
      }) as Answer;
    });
}

/** An answer as a stream would say it, its texts in pieces of `size` characters. */
export function stepsOf({ id, model, parts, stop, sequence, told, tier }: Answer, size: number): Step[] {
  const pieces = (whole: string): Step[] =>
    Array.from({ length: Math.ceil(whole.length / size) }, (_, index) => ({
      kind: "grew",
      text: whole.slice(index * size, (index + 1) * size),
    }));
  const steps = parts.flatMap((part): Step[] => {
    switch (part.kind) {
      case "text":
      case "refusal":
        return [{ kind: "opened", part: { kind: part.kind } }, ...pieces(part.text), { kind: "closed" }];
      case "call":
        return [{ kind: "opened", part: { kind: "call", id: part.id, name: part.name } }, ...pieces(part.input), { kind: "closed" }];
      case "reasoning": {
        const { seal: closing } = part;
        const opened: Step = { kind: "opened", part: { kind: "reasoning", seal: closing?.hidden ? closing : null } };
        return [opened, ...pieces(part.text), { kind: "closed", ...(closing && !closing.hidden && { seal: closing }) }];
      }
      case "image":
      case "document":
      case "result":
        return [];
    }
  });
  return [{ kind: "begun", id, model, told: { usage: null }, tier: null }, ...steps, { kind: "ended", stop, sequence, told, tier }];
}

/** What a stream's steps come to: the whole answer; null where it did not end. */
export function gathered(steps: readonly Step[]): Answer | null {
  let head = { id: "", model: "" };
  const parts: Part[] = [];
  let open = null as Part | null;
  let whole = null as Answer | null;
  for (const step of steps) {
    switch (step.kind) {
      case "begun":
        head = { id: step.id, model: step.model };
        break;
      case "opened": {
        if (open) throw new Error("two parts are open");
        const { part } = step;
        if (part.kind === "call") open = { kind: "call", id: part.id, name: part.name, input: "", at };
        else if (part.kind === "reasoning") open = { kind: "reasoning", text: "", seal: part.seal, at };
        else open = { kind: part.kind, text: "", at };
        break;
      }
      case "grew":
        if (open?.kind === "call") open = { ...open, input: open.input + step.text };
        else if (open && "text" in open) open = { ...(open as TextPart), text: (open as TextPart).text + step.text };
        else throw new Error("nothing is open");
        break;
      case "closed":
        if (!open) throw new Error("nothing is open");
        parts.push(open.kind === "reasoning" && step.seal ? { ...open, seal: step.seal } : open);
        open = null;
        break;
      case "ended":
        if (open) throw new Error("a part is still open");
        whole = { ...head, parts, stop: step.stop, sequence: step.sequence, told: step.told, tier: step.tier };
        break;
      case "alive":
      case "failed":
        break;
    }
  }
  return whole;
}
