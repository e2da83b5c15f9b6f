import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, describe, expect, inject, it, vi } from "vitest";
import { femtoFromUsd, usdFromFemto } from "#core";
import { Admin } from "../support/gateway.ts";
import { emptyFolder, rows, tollgate } from "./run.ts";

/** More than one page of an export, and than two of a list. */
const RECORDS = 503;
const HOSTILE = 'a "quoted",\r\n=user';
const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
let key = { id: "", secret: "" };

const ask = (user: string, session: string, secret = key.secret) =>
  fetch(`${inject("origin")}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "x-tollgate-session-id": session },
    body: JSON.stringify({ model: "tollgate/echo", max_tokens: 5, user, messages: [{ role: "user", content: session }] }),
  });

const requestId = (answer: Response) => answer.headers.get("x-request-id")!;

/** The records of this file's key, as the API sums them. */
const total = () => admin().call<{ total: { usd: string; requests: number } }>("GET", `/costs/summary?key=${key.id}`);

beforeAll(async () => {
  key = await admin().key({ name: "cli-costs" });
  const sessions = Array.from({ length: RECORDS }, (_, at) => `s-${at}`);
  while (sessions.length > 0) {
    const answers = await Promise.all(sessions.splice(0, 40).map((session, at) => ask(at === 0 ? HOSTILE : "u", session)));
    for (const answer of answers) expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
  }
  await vi.waitFor(async () => expect((await total()).total.requests).toBe(RECORDS), { timeout: 60_000, interval: 250 });
}, 120_000);

/** The cells of a CSV text, read by its grammar (RFC 4180). */
function cells(text: string): string[][] {
  const table: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    table.at(-1)!.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === "\r\n") table.push([]);
  }
  return table.slice(0, -1);
}

const NO_PIECES = Object.fromEntries(
  ["images", "web_searches", "file_searches", "search_sources", "characters", "seconds", "rankings", "extras"].map((name) => [name, 0]),
);

describe("tollgate costs", () => {
  it("summary groups as asked and adds up to the API's total", async () => {
    const words = ["costs", "summary", "--by", "model,end_user", "--key", key.id, "--from", "1d"];
    const [summed] = await rows<{ data: { group: object; usd: string }[]; total: { usd: string } }>(words);
    const groups = summed!.data.map(({ group }) => group);
    expect(groups).toHaveLength(2);
    expect(groups).toContainEqual({ model: "tollgate/echo", end_user: HOSTILE });
    expect(summed!.total).toEqual((await total()).total);
    const { out } = await tollgate(["costs", "summary", "--by", "model", "--key", key.id]);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^MODEL +USD +REQUESTS +INPUT/);
    expect(lines.at(-1)).toMatch(new RegExp(`^\\(total\\) +${summed!.total.usd.replace(".", "\\.")} +${RECORDS} `));
  });

  it("summary goes on to the next groups up to its limit, and says when there are more", async () => {
    const words = ["costs", "summary", "--by", "session", "--key", key.id, "--limit"];
    const [summed] = await rows<{ data: { group: { session: string } }[] }>([...words, "450"]);
    expect(new Set(summed!.data.map(({ group }) => group.session)).size).toBe(450);
    expect((await tollgate([...words, "450"])).err).toContain("There are more groups");
    expect((await tollgate([...words, "2000"])).err).toBe("");
  });

  it("records lists the newest, and record shows the receipt, as the API has them", async () => {
    const listed = await rows<{ id: string }>(["costs", "records", "--key", key.id, "--limit", "3"]);
    expect(listed).toEqual((await admin().call<{ data: unknown[] }>("GET", `/costs/records?key=${key.id}&limit=3`)).data);
    const id = listed[0]!.id;
    const [record] = await rows<{ actual_usd: string }>(["costs", "record", id]);
    expect(record).toEqual(await admin().call("GET", `/costs/records/${id}`));
    const { out } = await tollgate(["costs", "record", id]);
    expect(out).toMatch(new RegExp(`^receipt\\.total_usd +${record!.actual_usd.replace(".", "\\.")}$`, "m"));
    expect(out).toMatch(/^receipt\.lines\nclass +quantity +rate +per +usd$/m);
    const table = await tollgate(["costs", "records", "--key", key.id]);
    expect(table.out.trimEnd().split("\n")).toHaveLength(51);
    expect(table.err).toContain("There are more");
  });

  it("an ordinary key sees its own records, and of another's none", async () => {
    const env = { TOLLGATE_ADMIN_KEY: "", TOLLGATE_KEY: key.secret };
    const own = await rows<{ key: string; id: string }>(["costs", "records", "--limit", "5"], { env });
    expect(own.map((record) => record.key)).toEqual(Array(5).fill(key.id));
    const other = await admin().key({ name: "cli-other" });
    const theirs = { env: { ...env, TOLLGATE_KEY: other.secret } };
    expect(await rows(["costs", "records"], theirs)).toEqual([]);
    expect((await tollgate(["costs", "record", own[0]!.id], theirs)).code).toBe(1);
  });

  it("export writes every record of a range once, as CSV with one head, over all pages, to a file or standard output", async () => {
    const folder = emptyFolder();
    const words = ["costs", "export", "--key", key.id, "--from", "1d"];
    const { code, out, err } = await tollgate([...words, "--out", "all.csv"], { folder });
    expect([code, out, err]).toEqual([0, "", `${RECORDS} records are in all.csv.\n`]);
    expect(readdirSync(folder)).toEqual(["all.csv"]);
    const text = readFileSync(join(folder, "all.csv"), "utf8");
    const [head, ...lines] = cells(text);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([head!.length]));
    expect(new Set(lines.map((line) => line[head!.indexOf("id")])).size).toBe(RECORDS);
    expect(lines).toHaveLength(RECORDS);
    expect(lines.map((line) => line[head!.indexOf("end_user")])).toContain(HOSTILE);
    expect((await tollgate(words)).out).toBe(text);
  });

  it("export as NDJSON is the API's records, the whole range of them", async () => {
    const { code, out } = await tollgate(["costs", "export", "--format", "ndjson", "--key", key.id]);
    expect(code).toBe(0);
    const records = out.trimEnd().split("\n");
    const [newest] = (await admin().call<{ data: object[] }>("GET", `/costs/records?key=${key.id}&limit=1`)).data;
    expect(JSON.parse(records[0]!)).toEqual(newest);
    expect(new Set(records.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(RECORDS);
  });

  it("an export that cannot be finished leaves no file, and none that cannot be written is begun", async () => {
    const folder = emptyFolder();
    const refused = await tollgate(["costs", "export", "--out", "x.csv"], { folder, env: { TOLLGATE_ADMIN_KEY: "", TOLLGATE_KEY: "" } });
    expect([refused.code, readdirSync(folder)]).toEqual([2, []]);
    const gone = await tollgate(["costs", "export", "--out", "no/such/folder/x.csv"], { folder });
    expect([gone.code, gone.out]).toEqual([1, ""]);
    expect(gone.err).toContain("--out: no/such/folder/x.csv cannot be written (ENOENT)");
    mkdirSync(join(folder, "taken"));
    const taken = await tollgate(["costs", "export", "--key", key.id, "--out", "taken"], { folder });
    expect([taken.code, taken.err]).toEqual([1, "error: --out: taken cannot be written (EISDIR)\n"]);
    expect(existsSync(join(folder, "taken.part"))).toBe(false);
  });

  it("summary shows what the cache saved, exactly what it had cost, where there is any; the API's CSV has it as a column", async () => {
    const own = await admin().key({ name: "cli-saved", cache: "key" });
    const paid = await admin().record(requestId(await ask("u", "once", own.secret)));
    for (let time = 0; time < 2; time++) await admin().record(requestId(await ask("u", "once", own.secret)));
    const saved = usdFromFemto(2n * femtoFromUsd(paid.actual_usd));
    const { out } = await tollgate(["costs", "summary", "--by", "model", "--key", own.id]);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/OUTPUT +SAVED$/);
    for (const line of lines.slice(1))
      expect(line).toMatch(new RegExp(` ${paid.actual_usd.replace(".", "\\.")} .* ${saved.replace(".", "\\.")}$`));
    const query = `key=${own.id}&group_by=model&format=csv`;
    const headers = { authorization: `Bearer ${inject("adminKey")}` };
    const [head, row] = cells(await (await fetch(`${inject("origin")}/admin/v1/costs/summary?${query}`, { headers })).text());
    expect(row![head!.indexOf("saved_usd")]).toBe(saved);
    expect((await tollgate(["costs", "summary", "--key", key.id])).out).not.toContain("SAVED");
  });

  it("D17: summary shows a deployment's own currency beside USD, with its rate and day", async () => {
    const sums = { requests: 2, tokens: { input: 4, cache_read: 0, cache_write: 0, output: 2, reasoning: 0 }, pieces: NO_PIECES };
    const summary = {
      group_by: ["model"],
      data: [{ group: { model: "acme/m" }, usd: "2", ...sums, display: "1.8426" }],
      total: { usd: "2", ...sums },
      display: { currency: "EUR", rate: "0.9213", rate_date: "2026-11-20", total: "1.8426" },
      next_cursor: null,
    };
    const server = createServer((_, response) => response.setHeader("content-type", "application/json").end(JSON.stringify(summary)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { out } = await tollgate(["costs", "summary", "--by", "model", "--base-url", url]);
    server.close();
    expect(out.split("\n")).toEqual([
      expect.stringMatching(/^MODEL +USD +EUR +REQUESTS /),
      expect.stringMatching(/^acme\/m +2 +1\.8426 +2 /),
      expect.stringMatching(/^\(total\) +2 +1\.8426 +2 /),
      "",
      "1 USD is 0.9213 EUR, as of 2026-11-20; what is counted and billed is USD.",
      "",
    ]);
  });

  it("a range without records exports nothing, and says so", async () => {
    const folder = emptyFolder();
    const { code, err } = await tollgate(["costs", "export", "--from", "2020-01", "--to", "2020-02", "--out", "none.csv"], { folder });
    expect([code, err, readFileSync(join(folder, "none.csv"), "utf8")]).toEqual([0, "0 records are in none.csv.\n", ""]);
  });

  it.each([
    ["summary", "--by", "nonsense", 1, "group_by"],
    ["summary", "--from", "yesterday", 2, "--from"],
    ["records", "--from", "2026-02-30", 2, "--from"],
    ["records", "--limit", "0", 2, "--limit"],
    ["export", "--format", "xml", 2, "--format"],
  ])("%s %s %s ends with %d and names %s", async (verb, option, value, code, named) => {
    const ran = await tollgate(["costs", verb, option, value, "--json"]);
    expect([ran.code, ran.out]).toEqual([code, ""]);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { param: named } });
  });
});
