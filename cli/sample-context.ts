import type { Stage } from "#policy-workbench";

/** A text as people write them, with numbers and an address in it. */
const PROSE = `On Tuesday the committee met for the fourth time to settle who pays for the harbour. Mrs. Albright read 14 letters, of which
three asked for the same thing: that the ferry leave at 7:45 and not at 8. "We have instructions from the council," she said, "and no
money." The treasurer, who can be reached at treasurer@example.org, put the sum at 18,250.00 for the year; in 2019 it had been 16,900.\n`;

const FACTS: Readonly<Record<string, unknown>> = {
  time: {
    now: 1_767_607_200_000,
    iso: "2026-01-05T10:00:00.000Z",
    time_zone: "UTC",
    year: 2026,
    month: 1,
    day: 5,
    weekday: 1,
    hour: 10,
    minute: 0,
    second: 0,
  },
  key: { id: "key_1", name: "intern", team: "team_1", user: null, tags: ["interns"], metadata: {}, end_user: null, session: null },
  budget: [
    {
      id: "bud_1",
      scope: { kind: "key", id: "key_1" },
      window: "day",
      unit: "usd",
      limit: "100",
      spent: "1",
      reserved: "0",
      remaining: "99",
      resets_at: null,
    },
  ],
  estimate: { input_tokens: 20, max_output_tokens: 20, expected_usd: "0.0001", most_usd: "0.0002", price_state: "priced" },
  request: {
    operation: "chat.completions",
    requested: "fast",
    provider: "openai",
    model: "gpt-5",
    stream: false,
    max_tokens: 20,
    tools: false,
    parameters: { temperature: 0.5 },
  },
  metadata: { metadata: { feature: "search" }, tags: [] },
};
const COUNTERS = "counters:";
const COUNT = { count: 1, window_s: 60, resets_in_s: 60 };

/** Whether what a stage is given grows with what people write. */
export function hasSize(stage: Stage, needs: readonly string[]): boolean {
  return needs.includes("messages") || (stage !== "evaluate" && needs.includes("response"));
}

/** A context of a usual kind, of the facts that are needed, as JSON. The text in it has `kb` thousand characters: what the stage judges. */
export function contextOf(stage: Stage, needs: readonly string[], kb: number): string {
  const text = PROSE.repeat(Math.ceil((kb * 1_000) / PROSE.length)).slice(0, kb * 1_000);
  const judged = stage === "evaluate" ? "messages" : "response";
  const said = (role: string, fact: string) => [{ role, text: fact === judged ? text : PROSE }];
  const response = stage === "onChunk" ? { text, gone: 0, last: false } : { texts: said("assistant", "response") };
  const facts: Readonly<Record<string, unknown>> = {
    ...FACTS,
    messages: said("user", "messages"),
    ...(stage !== "evaluate" && { response }),
  };
  const counted = needs.filter((need) => need.startsWith(COUNTERS)).map((need) => [need.slice(COUNTERS.length), COUNT]);
  const plain = needs.filter((need) => !need.startsWith(COUNTERS)).map((need) => [need, facts[need] ?? null]);
  return JSON.stringify({ ...Object.fromEntries(plain), ...(counted.length > 0 && { counters: Object.fromEntries(counted) }) });
}
