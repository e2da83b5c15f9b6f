import { command } from "../command.ts";
import type { Exit } from "../failure.ts";
import type { Gateway, Page, Row } from "../gateway.ts";
import { count, text, texts } from "../option.ts";
import type { Output } from "../output.ts";
import { cell, type Column } from "../print.ts";

const PLACE = "/admin/v1/audit/chain";

const COLUMNS: readonly Column[] = [
  { head: "CHAIN", path: "chain" },
  { head: "SEQ", path: "seq", figure: true },
  { head: "AT", path: "at" },
  { head: "HASH", path: "hash" },
];

/** `audit chain`: the hashes that an operator keeps elsewhere. */
export const chain = command({
  name: "audit chain",
  summary: "List where the audit's chains end, one for each team and the deployment's own: hashes to be kept elsewhere.",
  more: "As long as audit verify --head finds a hash that was kept, all that stood up to there is what it was.",
  operands: [],
  options: {},
  examples: [
    ["audit chain", "where each chain ends"],
    ["audit chain --json", "to be kept each night, on a machine that the deployment cannot reach"],
  ],
  async run({ gateway, output }) {
    await output.list(ends(gateway), COLUMNS, "Nothing has been sealed yet.");
  },
});

async function* ends(gateway: Gateway): AsyncGenerator<Page> {
  const answer = await gateway.get(PLACE);
  yield { answer, rows: answer["data"] as readonly Row[], more: false };
}

/** `audit verify`: whether all entries are what was sealed. */
export const verify = command({
  name: "audit verify",
  summary: "Verify that no entry of the audit was changed, taken away or put in, and that hashes which were kept still stand.",
  more: "Ends with 4 where something does not fit, and names the first entry that does not.",
  operands: [],
  options: {
    head: texts("a hash that was kept, which a chain must still hold; twenty at most", "head", "<hash>"),
    chain: text("only this chain: a team's id, or @deployment", "chain", "<id>"),
    from: count("only from this place of the chain on", "from", 1),
    to: count("only up to this place of the chain", "to", 1),
  },
  examples: [
    ["audit verify", "all of it"],
    ["audit verify --head 8d5c…e1 --head 03fa…7b", "and that it goes on from what was kept"],
    ["audit verify --chain team_01k2m7q1xab --from 1200 --json", "for a program: what is new in one chain"],
  ],
  async run({ given, fields, gateway, output }): Promise<Exit> {
    const kept = [...new Set(given.head)];
    const found = await walk(gateway, output, { ...fields, head: kept.length > 0 ? kept.join(",") : undefined });
    const met = found["heads_found"] as readonly string[];
    // A chain that does not fit was not walked to its end: what was kept may stand beyond.
    const missing = found["fault"] === null ? kept.filter((hash) => !met.includes(hash)) : [];
    const ok = found["fault"] === null && missing.length === 0;
    await output.object({ ...found, ok, heads_missing: missing }, () => lines(found, missing));
    return ok ? "ok" : "no";
  },
});

/** All steps of a verification as one answer. */
async function walk(gateway: Gateway, output: Output, query: Row): Promise<Row> {
  let [checked, unsealed] = [0, 0];
  const met: unknown[] = [];
  for (let cursor: unknown = undefined; ;) {
    const step = await gateway.get(`${PLACE}/verify`, { query: { ...query, cursor } });
    checked += Number(step["checked"]);
    unsealed += Number(step["unsealed"]);
    met.push(...(step["heads_found"] as readonly unknown[]));
    await output.progress(`${checked} entries`);
    cursor = step["next_cursor"];
    const { next_cursor: _, ...answer } = step;
    if (cursor === null) {
      await output.progress("");
      return { ...answer, checked, unsealed, heads_found: met };
    }
  }
}

function lines({ checked, unsealed, fault }: Row, missing: readonly string[]): string[] {
  if (fault !== null) {
    const { kind, message } = fault as Row;
    return [`${cell(kind)}: ${cell(message)}`, `${cell(checked)} before it are what was sealed.`];
  }
  return [
    `${cell(checked)} checked: all are what was sealed.`,
    ...(unsealed === 0 ? [] : [`${cell(unsealed)} more are about to be sealed.`]),
    ...missing.map((hash) => `missing: no chain holds ${cell(hash)}: what was sealed with it was taken away or written anew`),
  ];
}
