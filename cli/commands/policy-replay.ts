import { command } from "../command.ts";
import { moment, text } from "../option.ts";
import type { Column } from "../print.ts";
import { parsedJson, readSource } from "../source.ts";

const CHANGES: readonly Column[] = [
  { head: "REQUEST", path: "request" },
  { head: "BEFORE", path: "before" },
  { head: "AFTER", path: "after" },
  { head: "REASON", path: "reason" },
];

/** `policy replay`: what a version would have changed. */
export const policyReplay = command({
  name: "policy replay",
  summary: "Ask a version about requests as they were, and list those that would have come out otherwise.",
  more: `Requests are those that a version of the same policy was asked about, the newest 2,000 of the last day where nothing is said. Nothing
is changed by it. not_replayable counts those of which too little was kept. A range that is busy takes a while: --timeout 2m.`,
  operands: ["<id>"],
  options: {
    from: moment("from then on: a day, a month, a time, or a duration back from now (1d)", "ago", "from"),
    to: moment("until then, itself left out", "ago", "to"),
    config: text("a JSON file with its settings, - for standard input", undefined, "<file>"),
  },
  examples: [
    ["policy replay pol_01k2m7q1xab", "the last day, with the settings that the module has by default"],
    ["policy replay pol_01k2m7q1xab --from 7d --to 1d --config stricter.json", "six days, with other settings"],
    ["policy replay pol_01k2m7q1xab --field changed", "how many, for a script"],
  ],
  async run({ operands: [id], given: { config: file }, fields, gateway, output }) {
    const config = file === undefined ? {} : { config: parsedJson(await readSource(file, "--config"), file, "--config") };
    const path = `/admin/v1/policies/${encodeURIComponent(id ?? "")}/replay`;
    const answer = (await gateway.write("POST", path, { body: { ...fields, ...config } })) ?? {};
    await output.object(answer, (all) => output.details(all, { changes: CHANGES }));
  },
});
