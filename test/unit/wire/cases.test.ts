import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import * as fc from "fast-check";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { type Capability, type Surface, usdFromFemto } from "#core";
import { PriceBook, receipt } from "#models";
import { type Reported, reportedFromJson } from "#wire";
import { bytesOf, event, oneByOne, readAll } from "./said.ts";

const FOLDER = "test/cases";

/** One answer as a vendor gives it, whole and as a stream, and what it costs (test/cases/expected.ts). */
interface Case {
  readonly name: string;
  readonly cites: string;
  /** Whether a vendor shows these very numbers as an example. */
  readonly example: boolean;
  readonly compared: string;
  readonly capability: Exclude<Capability, Surface>;
  readonly model: string;
  readonly at: string;
  readonly price: string;
  readonly billed: Readonly<Record<string, number>> | null;
  readonly state: "priced" | "free" | "unknown";
  readonly answer: { readonly usage?: Readonly<Record<string, unknown>> | null; readonly status?: string; readonly error?: unknown };
  readonly stream?: readonly (readonly [name: string | null, data: unknown])[];
  readonly arithmetic: readonly string[];
  readonly total: string | null;
  readonly provider: string;
}

const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json") && !["prices.json", "sources.json"].includes(file));
/** What a case says that was compared with no source. */
const UNCOMPARED = ["shape as documented; not compared with a page", "made up here"];
const CASES = files.flatMap((file) =>
  (JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Case[]).map((each): Case => ({ ...each, provider: file.replace(".json", "") })),
);
const STREAMED = CASES.filter(({ stream }) => stream);
const titled = (cases: readonly Case[]) => cases.map((each) => [`${each.provider}, ${each.model}: ${each.name}`, each] as const);

const book = new PriceBook([]);
const bytesOfStream = ({ stream = [] }: Case) => bytesOf(stream.map(([name, data]) => event(data, name ?? undefined)).join(""));

/** What an answer costs by the bundled table; null where it reports nothing that can be priced. */
function cost({ provider, model, at }: Case, { usage, serviceTier }: Reported) {
  if (!usage) return { total: null, state: null, lines: [], source: "" };
  const made = receipt(book.find(provider, model, "team_default", Date.parse(at)), usage, serviceTier, book.tableHash);
  return { total: usdFromFemto(made.total), state: made.state, lines: made.lines, source: made.price.source };
}

/** What the case says, in the same form. */
function stated({ billed, state, total }: Case) {
  return { total, state: billed ? state : null };
}

/** Classes for which the case says that no rate is listed. */
function unrated({ arithmetic }: Case): string[] {
  return arithmetic.filter((line) => /stands in|stand-in/.test(line)).map((line) => line.slice(0, line.indexOf(":")));
}

describe("wire cases", () => {
  it("are at least 200, of every provider, and at least 40 are vendors' own examples", () => {
    expect(CASES.length + STREAMED.length).toBeGreaterThanOrEqual(200);
    expect(CASES.filter(({ example }) => example).length).toBeGreaterThanOrEqual(40);
    expect(files.map((file) => file.replace(".json", ""))).toEqual([
      "anthropic",
      "cohere",
      "deepseek",
      "google",
      "groq",
      "mistral",
      "ollama",
      "openai",
      "tollgate",
      "xai",
    ]);
    const titles = titled(CASES).map(([title]) => title);
    expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([]);
  });

  it("say with what copy of which page they were compared and when it was read, or that they were not", () => {
    const read = (file: string) => JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Record<string, unknown>;
    const sources = read("sources.json") as Record<string, { what: string; copy: string; of: string | null; read: string }>;
    const { rows } = read("prices.json") as { rows: Record<string, { page: string; from: string[]; note?: string }> };
    for (const [name, source] of Object.entries(sources)) {
      expect([name, source.read]).toEqual([name, expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/)]);
      expect([name, source.of ?? source.copy]).toEqual([name, expect.stringMatching(source.of ? /^\d{4}-\d{2}-\d{2}$/ : /\bundated\b/)]);
      expect([name, (source.of ?? "") <= source.read]).toEqual([name, true]);
    }
    for (const { cites, price, example, compared } of CASES) {
      const row = rows[price]!;
      expect([price, row.page]).toEqual([price, expect.stringMatching(/^(https:\/\/|docs\/guides\/)/)]);
      expect([price, row.from.filter((from) => !sources[from])]).toEqual([price, []]);
      expect([price, row.from.length > 0 || row.note !== undefined]).toEqual([price, true]);
      expect([...(example ? [] : UNCOMPARED), ...Object.keys(sources)]).toContain(compared);
      expect(cites.length).toBeGreaterThan(9);
    }
  });

  it("are worked out by a script that knows nothing of the code under test", () => {
    const script = readFileSync(join(FOLDER, "expected.ts"), "utf8");
    const imports = [...script.matchAll(/from "([^"]+)"/g)].map(([, from]) => from);
    expect(imports).toEqual(["node:fs", "node:path"]);
    execFileSync(process.execPath, [join(FOLDER, "expected.ts"), "--check"]);
  });

  it.each(titled(CASES))("whole: %s", (_title, each) => {
    const { lines, source, ...made } = cost(each, reportedFromJson(each.capability, JSON.stringify(each.answer)));
    expect(made).toEqual(stated(each));
    for (const name of unrated(each)) expect([name, source]).toEqual([name, expect.stringMatching(`no rate for [^:]*\\b${name}\\b`)]);
    const billed = Object.fromEntries(lines.map((line) => [line.class, line.quantity]));
    expect(billed).toEqual(each.billed ?? {});
    for (const line of lines) expect(each.arithmetic.join("\n")).toContain(`${line.class}: ${line.quantity} × ${line.rate}`);
  });

  it.each(titled(STREAMED))("streamed, in whatever pieces: %s", (_title, each) => {
    const bytes = bytesOfStream(each);
    const whole = readAll(each.capability, [bytes]);
    const { lines: _, source: _told, ...made } = cost(each, whole);
    expect(made).toEqual(stated(each));
    expect(whole.usage).toEqual(reportedFromJson(each.capability, JSON.stringify(each.answer)).usage);
    expect(readAll(each.capability, oneByOne(bytes))).toEqual(whole);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const offsets = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = offsets.slice(1).map((end, at) => bytes.subarray(offsets[at], end));
        expect(readAll(each.capability, pieces)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it.each(titled(CASES.filter(({ answer }) => Number(answer.usage?.["cost_in_usd_ticks"]) > 0)))(
    "is what the vendor itself said that it billed: %s",
    (_title, { answer, total }) => {
      const ticks = BigInt(Number(answer.usage?.["cost_in_usd_ticks"]));
      expect(total).toBe(usdFromFemto(ticks * 100_000n));
    },
  );
});

describe("wire cases are shapes that the official clients read", () => {
  const answering = (body: BodyInit, type: string) => () => Promise.resolve(new Response(body, { headers: { "content-type": type } }));
  const clientsOf = (body: BodyInit, type: string) => ({
    openai: new OpenAI({ apiKey: "k", maxRetries: 0, fetch: answering(body, type) }),
    anthropic: new Anthropic({ apiKey: "k", maxRetries: 0, fetch: answering(body, type) }),
  });
  const asked = { model: "m", messages: [], max_tokens: 1 };

  /** The answer as the vendor's own client hands it over. */
  async function whole({ capability, answer }: Case): Promise<{ usage?: unknown }> {
    const { openai, anthropic } = clientsOf(JSON.stringify(answer), "application/json");
    switch (capability) {
      case "chat.completions":
        return openai.chat.completions.create(asked);
      case "completions":
        return openai.completions.create({ model: "m", prompt: "" });
      case "embeddings":
        return openai.embeddings.create({ model: "m", input: "", encoding_format: "float" });
      case "responses":
        return openai.responses.create({ model: "m", input: "" });
      case "messages":
      case "count_tokens":
        return anthropic.beta.messages.create(asked);
    }
  }

  /** The last usage that the vendor's own client reads off the stream. */
  async function streamed(each: Case): Promise<unknown> {
    const { openai, anthropic } = clientsOf(new Blob([bytesOfStream(each) as Uint8Array<ArrayBuffer>]), "text/event-stream");
    let last: unknown = null;
    switch (each.capability) {
      case "chat.completions":
        for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true }))
          last = chunk.usage ?? (chunk as { x_groq?: { usage?: unknown } }).x_groq?.usage ?? last;
        return last;
      case "completions":
        for await (const chunk of await openai.completions.create({ model: "m", prompt: "", stream: true })) last = chunk.usage ?? last;
        return last;
      case "responses":
        return (await openai.responses.stream({ model: "m", input: "" }).finalResponse()).usage;
      default:
        return (await anthropic.beta.messages.stream(asked).finalMessage()).usage;
    }
  }

  it.each(titled(CASES.filter(({ answer }) => !("error" in answer) || answer.status)))("whole: %s", async (_title, each) => {
    expect((await whole(each)).usage).toEqual(each.answer.usage);
  });

  it.each(titled(STREAMED))("streamed: %s", async (_title, each) => {
    const read = await streamed(each);
    if (each.capability === "messages") expect(read).toMatchObject({ output_tokens: each.answer.usage!["output_tokens"] });
    else expect(read ?? null).toEqual(each.answer.usage ?? null);
  });
});
