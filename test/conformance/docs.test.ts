import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { greeting } from "../../scripts/greeting.ts";
import { UNABLE } from "../support/runner.ts";
import { stage } from "./stage.ts";

const set = stage("docs");
const run = promisify(execFile);
const FILES = ["README.md", ...readdirSync("docs/guides").map((file) => `docs/guides/${file}`)];

/** Whether there is one to run a snippet with. */
const PYTHON = spawnSync("python3", ["--version"]).status === 0;
const RUNS: Readonly<Record<string, { readonly ending: string; readonly argv: readonly [string, ...string[]] }>> = {
  sh: { ending: "sh", argv: ["bash", "-euo", "pipefail"] },
  ts: { ending: "mts", argv: [process.execPath] },
  python: { ending: "py", argv: ["python3"] },
};

interface Snippet {
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of a language that can be run. `console` blocks are what CI itself does, or what needs an account. */
const snippets = FILES.flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]): Snippet => ({
    file,
    language: language!,
    text: text!,
  })),
).filter(
  ({ language, text }) =>
    (language === "sh" || language === "ts" || (language === "python" && PYTHON)) && !(UNABLE !== null && text.includes("/v1/task")),
);

/** A folder inside the checkout, so that a snippet finds the packages that a user would have installed. */
let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(import.meta.dirname, ".snippets-"));
  // Who reads the guide on tasks has the development key, which may run some.
  await set.admin.call("PATCH", `/keys/${set.keyId}`, { profile: "default" });
  if (UNABLE !== null) console.warn(`What the guides show of tasks is not tried on this machine: ${UNABLE}`);
  // Who reads the guide on the auto-router has the built-in provider; here the providers of all other files stand beside it.
  await set.admin.call("PUT", "/auto", { tiers: [{ name: "own", models: ["tollgate/echo"] }], otherwise: "own" });
  // Who reads the guide on costs has made a request before.
  const headers = { authorization: `Bearer ${set.key}`, "content-type": "application/json" };
  const answer = await fetch(`${set.origin}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: '{"model":"tollgate/echo","messages":[]}',
  });
  await set.admin.record(answer.headers.get("x-request-id") ?? "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("A10: documentation", () => {
  it("has snippets in every guide that shows one", () => {
    expect(snippets.length).toBeGreaterThan(15);
  });

  it.each(snippets.map((each, at) => ({ ...each, at })))(
    "$file: snippet $at does what it says, pasted again too",
    async ({ language, text, at }) => {
      const source = text.replaceAll("//127.0.0.1:8787", set.origin.replace("http:", ""));
      const file = join(folder, `snippet-${at}.${RUNS[language]!.ending}`);
      writeFileSync(file, source);
      const env = { ...process.env, TOLLGATE_KEY: set.key, TOLLGATE_ADMIN_KEY: inject("adminKey"), TOLLGATE_URL: set.origin };
      const [program, ...words] = RUNS[language]!.argv;
      // The one snippet that shows an error is meant to.
      const expectsError = text.includes('"max_tokens":"many"');
      for (const pasted of ["once", "again"]) {
        const { stdout } = await run(program, [...words, file], { env, maxBuffer: 64 * 1024 * 1024 });
        expect(stdout.length).toBeGreaterThan(0);
        const told = pasted === "once" ? stdout : stdout.replaceAll(TAKEN, "");
        expect([pasted, /"error":\s*\{/.test(told)]).toEqual([pasted, expectsError]);
      }
    },
    90_000,
  );

  it("a first start prints code that runs as it is printed, by curl and by both SDKs", async () => {
    const port = Number(new URL(set.origin).port);
    const secrets = { TOLLGATE_DEV_KEY: set.key, TOLLGATE_PEPPER: "", TOLLGATE_ENCRYPTION_KEY: "" };
    const lines = greeting({ port, first: true, development: true, secrets, given: {}, noRunner: null }).split("\n");
    const from = lines.findIndex((line) => line.startsWith("import OpenAI"));
    const to = lines.indexOf("console.log(message.content);") + 1;
    const file = join(folder, "hello.mjs");
    writeFileSync(file, lines.slice(from, to).join("\n"));
    const { stdout } = await run(process.execPath, [file]);
    expect(stdout.match(/You said: Hello, Tollgate/g)).toHaveLength(2);
    const curls = lines
      .slice(0, from - 2)
      .concat(lines.slice(to))
      .join("\n")
      .match(/^curl (?:.*\\\n)*.*/gm);
    expect(curls).toHaveLength(2);
    for (const curl of curls ?? []) expect((await run("bash", ["-c", curl])).stdout).toMatch(/^(data: \{"id":"chatcmpl|\{"id":"key_)/);
  });

  it("links to nothing that is not there", () => {
    for (const file of [
      "README.md",
      "SECURITY.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      ...readdirSync("docs", { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".md"))
        .map((file) => join("docs", file)),
    ]) {
      for (const [, target] of readFileSync(file, "utf8").matchAll(/\]\(([^)#:]+)\)/g))
        expect([file, target, readable(join(file, "..", target!))]).toEqual([file, target, true]);
    }
  });

  it("names tests in SECURITY.md that are there, by file and by number", () => {
    for (const [, file, number] of readFileSync("SECURITY.md", "utf8").matchAll(/`(test\/[\w./-]+\.ts)`(?: "threat (\d+)")?/g)) {
      expect([file, readable(file!)]).toEqual([file, true]);
      if (number !== undefined)
        expect([file, readFileSync(file!, "utf8")]).toEqual([
          file,
          expect.stringMatching(new RegExp(`threats? [\\d, and]*\\b${number}\\b`)),
        ]);
    }
  });

  it("traces each behaviour to a test of each client, by file and name", () => {
    const rows = [...readFileSync("docs/conformance.md", "utf8").matchAll(/^\|.*`(test\/[\w./-]+)`.*$/gm)].map(([row]) => row);
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      const file = /`(test\/[\w./-]+)`/.exec(row)![1]!;
      const name = /"([^"]+)"/.exec(row)?.[1];
      expect([row, name !== undefined && readFileSync(file, "utf8").includes(name)]).toEqual([row, true]);
    }
  });

  it("A66: whoever launches it finds a dashboard, tests of load and what to do in an incident, from the README on", () => {
    const readme = readFileSync("README.md", "utf8");
    for (const guide of ["incidents", "metrics", "deploy"]) expect(readme).toContain(`(docs/guides/${guide}.md)`);
    const incidents = readFileSync("docs/guides/incidents.md", "utf8");
    expect(incidents.match(/^## /gm)!.length).toBeGreaterThan(6);
    const { panels } = JSON.parse(readFileSync("docs/grafana/tollgate.json", "utf8")) as { panels: unknown[] };
    expect(panels.length).toBeGreaterThan(10);
    const { results } = JSON.parse(readFileSync("bench/results.json", "utf8")) as { results: { scenario: string }[] };
    expect(results.map(({ scenario }) => scenario)).toEqual(expect.arrayContaining([expect.stringContaining("16 connections")]));
  });

  it("shows what policies add as it was measured", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const policies = JSON.parse(readFileSync("bench/policies.json", "utf8")) as { gateway: Record<string, Record<string, number>> };
    expect(Object.keys(policies.gateway)).toContain("five that judge requests");
    for (const [name, row] of Object.entries(policies.gateway))
      expect(text).toContain(
        `| ${name} | ${row["added_p50_ms"]} ms | ${row["over_no_policy"]} × | ${row["added_processor_ms"]} ms | ${row["processor_over_no_policy"]} × |`,
      );
  });

  it("shows figures that the committed results hold", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const { results } = JSON.parse(readFileSync("bench/results.json", "utf8")) as {
      results: {
        scenario: string;
        compared: {
          way: string;
          added_by_bare_ms: number;
          added_by_tollgate_ms: number;
          added_over_bares_own: number;
          throughput_over_bare: number;
          range: [number, number];
          processor_over_bare: number;
        }[];
      }[];
    };
    for (const { scenario, compared } of results) {
      for (const each of compared) {
        expect(text).toContain(
          `| ${scenario} | ${each.way} | ${each.added_by_bare_ms} ms | ${each.added_by_tollgate_ms} ms | ${each.added_over_bares_own} × | ${each.throughput_over_bare} × | ${each.range.join(" to ")} | ${each.processor_over_bare} × |`,
        );
      }
    }
    const steps = JSON.parse(readFileSync("bench/steps.json", "utf8")) as { results: Record<string, number> };
    for (const [step, cost] of Object.entries(steps.results)) expect(text).toContain(`| ${step} | ${cost} |`);
    const translation = JSON.parse(readFileSync("bench/translation.json", "utf8")) as { results: Record<string, number> };
    for (const [step, cost] of Object.entries(translation.results)) expect(text).toContain(`| ${step} | ${cost} |`);
    const reports = JSON.parse(readFileSync("bench/reports.json", "utf8")) as {
      filled: { records: number };
      results: Record<string, { p50_ms: number; p99_ms: number }>;
    };
    expect(reports.filled.records).toBe(1_000_000);
    expect(Object.keys(reports.results).length).toBeGreaterThan(20);
    for (const [report, { p50_ms, p99_ms }] of Object.entries(reports.results))
      expect(text).toContain(`| ${report} | ${p50_ms} | ${p99_ms} |`);
  });

  it("A12, A64: shows figures of tasks that the committed results hold; a task is accepted, and begins to tell of itself, in time", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const { results } = JSON.parse(readFileSync("bench/tasks.json", "utf8")) as {
      results: { measure: string; value: number; unit: string; target: string }[];
    };
    for (const { measure, value, unit, target } of results) expect(text).toContain(`| ${measure} | ${value} ${unit} | ${target} |`);
    expect(results.length).toBeGreaterThan(8);
    const median = (measure: string) => results.find((each) => each.measure === `${measure}, median`)?.value;
    expect(median("accepted (202)")).toBeLessThanOrEqual(100);
    expect(median("first event")).toBeLessThanOrEqual(180);
  });

  it("shows figures of whole requests that were translated, as the committed results hold them, and they are within their bounds", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const { results } = JSON.parse(readFileSync("bench/translated.json", "utf8")) as {
      results: { stream: boolean; rows: { name: string; cpu_us: number; over: number | null; chunk_us_above_identity?: number }[] }[];
    };
    for (const { stream, rows } of results)
      for (const { name, cpu_us, over, chunk_us_above_identity: chunk } of rows)
        expect(text).toContain(
          `| ${stream ? "stream" : "JSON"} | ${name} | ${cpu_us} µs | ${over === null ? "" : `${over} ×`} | ${chunk === undefined ? "" : `${chunk} µs`} |`,
        );
    const translated = results.flatMap(({ stream, rows }) =>
      rows.filter(({ name }) => TRANSLATED.has(name)).map((row) => ({ stream, ...row })),
    );
    expect(translated).toHaveLength(2 * TRANSLATED.size);
    for (const { stream, over, chunk_us_above_identity: chunk } of translated) {
      if (stream) expect(chunk).toBeLessThanOrEqual(60);
      else expect(over).toBeLessThanOrEqual(1.15);
    }
  });

  it("shows figures of streams at a model's pace that the committed results hold", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const { rows } = JSON.parse(readFileSync("bench/paced.json", "utf8")) as {
      rows: { name: string; processor_ms: number; over_bare: number }[];
    };
    expect(rows).toHaveLength(4);
    for (const { name, processor_ms, over_bare } of rows) expect(text).toContain(`| ${name} | ${processor_ms} ms | ${over_bare} × |`);
  });

  it("shows figures of searching the audit that the committed results hold", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const { filled, results } = JSON.parse(readFileSync("bench/audit.json", "utf8")) as {
      filled: { entries: number };
      results: Record<string, { p50_ms: number; p99_ms: number; processor_ms: number }>;
    };
    expect(filled.entries).toBe(100_000);
    expect(Object.keys(results).length).toBeGreaterThan(20);
    for (const [search, { p50_ms, p99_ms, processor_ms }] of Object.entries(results))
      expect(text).toContain(`| ${search} | ${p50_ms} | ${p99_ms} | ${processor_ms} |`);
  });

  it("shows figures of the cache that the committed results hold", () => {
    const text = readFileSync("docs/performance.md", "utf8");
    const cache = JSON.parse(readFileSync("bench/cache.json", "utf8")) as { results: Record<string, number | string>[] };
    for (const { scenario, hit_over_bare, without_cache_over_bare, hit_throughput_over_bare, without_cache_throughput_over_bare } of cache.results)
      expect(text).toContain(`| ${scenario} | ${hit_over_bare} × | ${without_cache_over_bare} × | ${hit_throughput_over_bare} × | ${without_cache_throughput_over_bare} × |`); // prettier-ignore
    expect(cache.results.length).toBeGreaterThan(3);
  });
});

/** What is there is not made twice, and says what it is. */
const TAKEN = /\{"error":\{"message":"(?:name|id) is taken: [^}]*\}\}/g;

/** What is translated and nothing else. */
const TRANSLATED: ReadonlySet<string> = new Set(["chat, translated to Messages", "responses, translated, not stored"]);

function readable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
