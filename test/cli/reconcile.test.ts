import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { stage } from "../conformance/stage.ts";
import { emptyFolder, rows, tollgate } from "./run.ts";

const set = stage("cli-reconcile");
const folder = emptyFolder();
const file = (name: string, content: string) => writeFileSync(join(folder, name), content);
const reconcile = (...words: string[]) => tollgate(["reconcile", ...words, "--provider", set.openai], { folder });
let day = "";
let usd = "";
let tokens: Record<string, number> = {};

beforeAll(async () => {
  const answers = await Promise.all(
    Array.from({ length: 3 }, () =>
      fetch(`${set.origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${set.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: `${set.openai}/gpt-4o-mini`, messages: [{ role: "user", content: "hi" }] }),
      }),
    ),
  );
  for (const answer of answers) await set.admin.record(answer.headers.get("x-request-id")!);
  const [summary] = await rows<{ data: { group: { day: string }; usd: string; tokens: Record<string, number> }[] }>([
    "costs",
    "summary",
    "--by",
    "day",
    "--provider",
    set.openai,
  ]);
  const [sums] = summary!.data;
  day = sums!.group.day;
  usd = sums!.usd;
  tokens = sums!.tokens;
  file(
    "right.csv",
    `day,model,input,cache_read,output,usd\n${day},gpt-4o-mini,${tokens["input"]},${tokens["cache_read"]},${tokens["output"]},${usd}\n`,
  );
});

describe("tollgate reconcile", () => {
  it("ends with 0 where the provider's export is what was recorded, to the last digit", async () => {
    expect(Number(usd)).toBeGreaterThan(0);
    const { code, out, err } = await reconcile("right.csv");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("0 of 1 model days differ (compared: input, cache_read, output, usd).");
    expect(out).toContain(`USD in all: theirs ${usd}, ours ${usd}, delta 0.`);
  });

  it("ends with 4 where it is not, and prints each difference by day and model with its cause", async () => {
    const more = `${day},gpt-4o-mini,${tokens["input"]},${tokens["cache_read"]},${tokens["output"]},${usd}1\n${day},ghost,7,0,5,0.5\n`;
    file("wrong.csv", `day,model,input,cache_read,output,usd\n${more}`);
    const { code, out, err } = await reconcile("wrong.csv");
    expect([code, err]).toEqual([4, ""]);
    expect(out).toMatch(new RegExp(`^${day} +ghost +missing_here +0\\.5 +- +-0\\.5 +input -7, output -5$`, "m"));
    expect(out).toMatch(new RegExp(`^${day} +gpt-4o-mini +price_differs +${usd}1 `, "m"));
    const machine = await reconcile("wrong.csv", "--json");
    expect([machine.code, JSON.parse(machine.out)]).toEqual([
      4,
      expect.objectContaining({ object: "reconciliation", agrees: false, cells: 2 }),
    ]);
    expect((await reconcile("right.csv", "--tolerance-usd", "0")).code).toBe(0);
  });

  it("sees from a page of a provider's API what it is, puts files together, and warns where the provider has more", async () => {
    const start_time = Date.parse(day) / 1000;
    const bucket = (result: object) => ({ object: "bucket", start_time, end_time: start_time + 86_400, results: [result] });
    const usage = {
      object: "organization.usage.completions.result",
      model: "gpt-4o-mini",
      num_model_requests: 3,
      input_tokens: tokens["input"]! + tokens["cache_read"]!,
      input_cached_tokens: tokens["cache_read"],
      output_tokens: tokens["output"],
    };
    const cost = { object: "organization.costs.result", line_item: "gpt-4o-mini, input", amount: { value: usd, currency: "usd" } };
    file("usage.json", JSON.stringify({ object: "page", data: [bucket(usage)], has_more: false }));
    file("costs.json", JSON.stringify({ object: "page", data: [bucket(cost)], has_more: true }));
    expect((await reconcile("usage.json")).code).toBe(0);
    const both = await reconcile("usage.json", "costs.json");
    expect(both.code).toBe(4);
    expect(both.err).toBe("warning: the provider has more of this export than the files hold\n");
    expect(both.out).toContain("0 of 1 model days differ");
  });

  it("what is wrong with an export is told by its file, and nothing that is unclear is guessed", async () => {
    file("broken.csv", `day,model,input\n${day},gpt-4o-mini,minus\n`);
    const broken = await reconcile("right.csv", "broken.csv");
    expect([broken.code, broken.out]).toEqual([1, ""]);
    expect(broken.err).toMatch(/^error: broken\.csv: exports\.1\.data\.2\.input: /);
    file("empty.json", '{"data":[]}');
    expect(await reconcile("empty.json")).toMatchObject({ code: 2, err: expect.stringContaining("--format") });
    file("half.json", "{");
    expect(await reconcile("half.json")).toMatchObject({ code: 1, err: "error: <file>: half.json is not JSON\n" });
    expect(await reconcile("none.csv")).toMatchObject({ code: 1, err: "error: <file>: none.csv cannot be read (ENOENT)\n" });
    expect(await reconcile("right.csv", "--tolerance-usd", "much")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/option +--tolerance-usd/),
    });
  });
});
