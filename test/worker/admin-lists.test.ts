import { beforeAll, describe, expect, test, vi } from "vitest";
import { admin, ADMIN, ask, newKey } from "../support/front.ts";

type Json = Record<string, unknown>;
interface Page {
  readonly data: Json[];
  readonly next_cursor: string | null;
}

/** What a caller may write about itself, some of it meant for whoever opens the export. */
const PEOPLE = ["ann", "=HYPERLINK(1)", "+1", "-1", "@x", "\uFF1D1", 'a "b", c', "plain"];
const CALLS = 24;
let [key, other] = [
  { id: "", secret: "" },
  { id: "", secret: "" },
];
let team = "";

beforeAll(async () => {
  team = String((await admin("POST", "/teams", { name: "lists" }))["id"]);
  const user = String((await admin("POST", "/users", { team, name: "u" }))["id"]);
  key = await newKey({ team, user, tags: ["own"] });
  other = await newKey();
  const call = async (at: number, secret: string) => {
    const headers = {
      "x-tollgate-tags": at % 2 === 0 ? "even" : "odd,=cmd|x",
      "x-tollgate-session-id": `s-${at % 3}`,
      "x-tollgate-metadata": JSON.stringify({ part: `p-${at % 5}`, [`only-${at % 2}`]: "=1+1" }),
    };
    const messages = [{ role: "user", content: "x".repeat(at) }];
    const person = PEOPLE[at % PEOPLE.length];
    const model = at % 3 === 0 ? "tollgate/slow" : "tollgate/echo";
    const asked = { model, max_tokens: 4, messages };
    const answer =
      at % 4 === 0
        ? await ask("POST", "/v1/messages", { as: secret, headers, body: { ...asked, metadata: { user_id: person } } })
        : await ask("POST", "/v1/chat/completions", { as: secret, headers, body: { ...asked, user: person } });
    expect(answer.status).toBe(200);
    await answer.text();
  };
  for (let at = 0; at < CALLS; at++) await call(at, key.secret);
  await call(1, other.secret);
  const arrived = async (path: string, count: number) => expect((await admin<Page>("GET", `${path}?limit=1000`)).data).toHaveLength(count);
  await vi.waitFor(() => arrived("/costs/records", CALLS + 1), { timeout: 20_000, interval: 100 });
  await vi.waitFor(() => arrived("/audit", 4), { timeout: 20_000, interval: 100 });
});

/** RFC 4180, as a reader on the other side has it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** The value at a column's path; names may hold dots themselves. */
function at(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, path)) return (value as Json)[path];
  const name = Object.keys(value).find((each) => path.startsWith(`${each}.`)) ?? "";
  return at((value as Json)[name], path.slice(name.length + 1));
}

/** Every path that leads to something which is no object. */
function leaves(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [prefix];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, prefix === "" ? name : `${prefix}.${name}`));
}

function shown(value: unknown): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const LISTS = [
  "/costs/records?limit=1000",
  "/requests?limit=1000",
  "/audit?limit=1000",
  "/costs/summary?group_by=tag,metadata.part,end_user",
  "/costs/summary?group_by=session,day",
  "/costs/summary?group_by=key,model,month",
  "/costs/summary?group_by=capability,model,hour&metadata.part=p-1",
  "/requests?tag=odd&metadata.part=p-1&limit=1000",
];

describe("exports", () => {
  test.each(LISTS)("%s: CSV and NDJSON hold every value of every row that JSON has, in its order", async (path) => {
    const { data } = await admin<Page>("GET", path);
    expect(data.length).toBeGreaterThan(2);
    const ndjson = await ask("GET", `/admin/v1${path}&format=ndjson`, { as: ADMIN });
    expect(ndjson.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = new TextDecoder()
      .decode(await ndjson.arrayBuffer())
      .trim()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line) as Json)).toEqual(data);
    const csv = await ask("GET", `/admin/v1${path}&format=csv`, { as: ADMIN });
    expect(csv.headers.get("content-type")).toContain("text/csv");
    const [columns = [], ...rows] = parseCsv(await csv.text());
    expect(rows).toHaveLength(data.length);
    for (const [index, row] of data.entries()) {
      expect(rows[index]).toHaveLength(columns.length);
      for (const [column, path] of columns.entries())
        expect([path, rows[index]![column]!.replace(/^'/, "")]).toEqual([path, shown(at(row, path))]);
      for (const leaf of leaves(row))
        expect([leaf, columns.some((path) => leaf === path || leaf.startsWith(`${path}.`))]).toEqual([leaf, true]);
    }
  });

  test.each(LISTS)("%s: no cell begins like a formula, whatever a caller wrote", async (path) => {
    const csv = await (await ask("GET", `/admin/v1${path}`, { as: ADMIN, headers: { accept: "text/csv" } })).text();
    const cells = parseCsv(csv).flat();
    expect(cells.length).toBeGreaterThan(10);
    expect(cells.filter((cell) => /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(cell))).toEqual([]);
    if (path.includes("end_user")) for (const person of PEOPLE.slice(1, 6)) expect(cells).toContain(`'${person}`);
  });

  test("nothing found is an empty file", async () => {
    for (const format of ["csv", "ndjson"]) {
      const answer = await ask("GET", `/admin/v1/costs/records?key=key_nobody&format=${format}`, { as: ADMIN });
      expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([200, 0]);
    }
  });
});

describe("pages", () => {
  test.each(["/costs/records", "/requests", "/audit", "/keys", "/users", "/teams"])(
    "of %s hold every row once, in one order",
    async (path) => {
      const whole = (await admin<Page>("GET", `${path}?limit=1000`)).data.map(({ id }) => id);
      for (const limit of [1, 3, 7]) {
        const seen: unknown[] = [];
        for (let cursor = ""; ;) {
          const page: Page = await admin("GET", `${path}?limit=${limit}${cursor}`);
          expect(page.data.length).toBeLessThanOrEqual(limit);
          seen.push(...page.data.map(({ id }) => id));
          if (page.next_cursor === null) break;
          cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`;
        }
        expect(seen).toEqual(whole);
      }
    },
  );

  test("of a CSV continue where its header says", async () => {
    const ids: string[] = [];
    for (let cursor = ""; ;) {
      const answer = await ask("GET", `/admin/v1/costs/records?limit=10&format=csv${cursor}`, { as: ADMIN });
      const [columns = [], ...rows] = parseCsv(await answer.text());
      ids.push(...rows.map((row) => row[columns.indexOf("id")]!));
      const next = answer.headers.get("x-next-cursor");
      if (next === null) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    expect(ids).toEqual((await admin<Page>("GET", "/costs/records?limit=1000")).data.map(({ id }) => id));
  });

  test("of a summary hold every group once, and the total is that of all", async () => {
    const query = `/costs/summary?key=${key.id}&group_by=metadata.part,session`;
    const whole = await admin<Page & { total: Json }>("GET", query);
    expect(whole.data).toHaveLength(15);
    const seen: Json[] = [];
    for (let cursor = ""; ;) {
      const page: Page & { total: Json } = await admin("GET", `${query}&limit=4${cursor}`);
      expect(page.total).toEqual(whole.total);
      seen.push(...page.data);
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(whole.data);
    const femto = (row: Json) => BigInt(Math.round(Number(row["usd"]) * 1e15));
    expect(whole.data.reduce((sum, row) => sum + femto(row), 0n)).toBe(femto(whole.total));
    expect(whole.total["requests"]).toBe(CALLS);
  });

  test.each(["0", "-1", "x", "20001", "1.5"])("of a summary never begin at %s", async (cursor) => {
    const answer = await ask("GET", `/admin/v1/costs/summary?group_by=key&cursor=${cursor}`, { as: ADMIN });
    expect([answer.status, ((await answer.json()) as { error: Json }).error]).toMatchObject([400, { param: "cursor" }]);
  });
});

describe("filters", () => {
  const RECORD: Record<string, (row: Json) => string | null> = {
    key: (row) => row["key"] as string | null,
    team: (row) => row["team"] as string | null,
    user: (row) => row["user"] as string | null,
    end_user: (row) => row["end_user"] as string | null,
    session: (row) => row["session"] as string | null,
    capability: (row) => row["capability"] as string | null,
    provider: (row) => (row["resource"] as Record<string, string>)["provider"]!,
    model: (row) => (row["resource"] as Record<string, string>)["model"]!,
    hour: (row) => `${String(row["at"]).slice(0, 13)}:00:00Z`,
    day: (row) => String(row["at"]).slice(0, 10),
    month: (row) => String(row["at"]).slice(0, 7),
    "metadata.part": (row) => (row["metadata"] as Record<string, string>)["part"]!,
    "metadata.only-1": (row) => (row["metadata"] as Record<string, string>)["only-1"] ?? null,
  };

  test.each(Object.keys(RECORD))("%s keeps exactly its rows, in records, in the log and in sums", async (name) => {
    const all = (await admin<Page>("GET", "/costs/records?limit=1000")).data;
    const values = [...new Set(all.map(RECORD[name]!))].filter((value) => value !== null);
    expect(values.length).toBeGreaterThan(0);
    for (const value of values) {
      const query = `${name}=${encodeURIComponent(value)}`;
      const expected = all.filter((row) => RECORD[name]!(row) === value);
      const records = (await admin<Page>("GET", `/costs/records?limit=1000&${query}`)).data;
      const requests = (await admin<Page>("GET", `/requests?limit=1000&${query}`)).data;
      const { total } = await admin<{ total: Json }>("GET", `/costs/summary?${query}`);
      expect(records).toEqual(expected);
      expect(new Set(requests.map(({ id }) => id))).toEqual(new Set(expected.map(({ request }) => request)));
      expect(total["requests"]).toBe(expected.length);
    }
  });

  test.each([
    ["metadata.=1", "metadata."],
    ["metadata.a%22b=1", 'metadata.a"b'],
    ["feature=1", "feature"],
    ["metadata.a=1&metadata.a=2", "metadata.a"],
    ["hour=2026-11-21T04:30:00Z", "hour"],
    ["day=2026-02-30", "day"],
    ["day=2026-11", "day"],
    ["month=2026-13", "month"],
    ["from=yesterday", "from"],
  ])("%s is refused by its name, wherever rows are chosen", async (query, param) => {
    for (const path of ["/costs/summary", "/costs/records", "/requests"]) {
      const answer = await ask("GET", `/admin/v1${path}?${query}`, { as: ADMIN });
      expect([path, answer.status, ((await answer.json()) as { error: Json }).error]).toMatchObject([
        path,
        400,
        { code: "invalid_request", param },
      ]);
    }
  });

  test("a bucket within a range keeps what both hold, and a summary says which range it took", async () => {
    const day = String((await admin<Page>("GET", "/costs/records?limit=1")).data[0]!["at"]).slice(0, 10);
    const to = `${day}T00:00:00.001Z`;
    const asked = await admin("GET", `/costs/summary?day=${day}&month=${day.slice(0, 7)}&to=${to}`);
    expect(asked).toMatchObject({ from: `${day}T00:00:00.000Z`, to, total: { requests: 0 } });
  });

  test("a tag keeps the rows that carry it, among others or alone", async () => {
    const all = (await admin<Page>("GET", "/costs/records?limit=1000")).data;
    for (const tag of ["even", "odd", "=cmd|x", "own", "nobody's"]) {
      const expected = all.filter((row) => (row["tags"] as string[]).includes(tag));
      expect((await admin<Page>("GET", `/costs/records?limit=1000&tag=${encodeURIComponent(tag)}`)).data).toEqual(expected);
    }
  });

  test("from is inclusive and to exclusive, whatever the offset they are given in", async () => {
    const all = (await admin<Page>("GET", `/costs/records?limit=1000&key=${key.id}`)).data;
    const [newest, oldest] = [all[0]!, all.at(-1)!].map(({ at: moment }) => Date.parse(String(moment))) as [number, number];
    const ranged = async (from: string, to: string) =>
      (await admin<Page>("GET", `/costs/records?limit=1000&key=${key.id}&from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`))
        .data;
    const iso = (ms: number) => new Date(ms).toISOString();
    expect(await ranged(iso(oldest), iso(newest + 1))).toEqual(all);
    expect(await ranged(iso(oldest), iso(newest))).toEqual(all.filter((row) => Date.parse(String(row["at"])) < newest));
    expect(await ranged(iso(oldest + 1), iso(newest + 1))).toEqual(all.filter((row) => Date.parse(String(row["at"])) > oldest));
    const berlin = iso(oldest + 3_600_000).replace("Z", "+01:00");
    expect(await ranged(berlin, iso(newest + 1))).toEqual(all);
  });
});

const DIMENSIONS = "key team user end_user tag provider model capability session task hour day month metadata.part metadata.only-0".split(
  " ",
);

describe("D6: a principal cannot see another's", () => {
  test.each(DIMENSIONS)("sums by %s: an ordinary key's are those of its own rows, whatever it filters by", async (name) => {
    for (const each of [key, other]) {
      const own = await admin<Page & { total: Json }>("GET", `/costs/summary?key=${each.id}&group_by=${name}`);
      for (const wish of ["", `&key=${key.id}`, `&key=${other.id}`]) {
        const answer = await ask("GET", `/admin/v1/costs/summary?group_by=${name}${wish}`, { as: each.secret });
        expect(await answer.json()).toEqual(own);
      }
    }
  });

  test("no filter finds another's rows, in records, in the log or in sums", async () => {
    const mine = (await admin<Page>("GET", `/costs/records?limit=1000&key=${other.id}`)).data;
    expect(mine).toHaveLength(1);
    const theirs = (await admin<Page>("GET", `/costs/records?limit=1000&key=${key.id}`)).data;
    const values = new Set(
      theirs.flatMap((row) => [
        `team=${String(row["team"])}`,
        `user=${String(row["user"])}`,
        `end_user=${encodeURIComponent(String(row["end_user"]))}`,
        `session=${String(row["session"])}`,
        `tag=${encodeURIComponent((row["tags"] as string[])[0]!)}`,
        `metadata.part=${(row["metadata"] as Record<string, string>)["part"]!}`,
      ]),
    );
    expect(values.size).toBeGreaterThan(15);
    for (const wish of values) {
      const records = (await (await ask("GET", `/admin/v1/costs/records?${wish}`, { as: other.secret })).json()) as Page;
      const requests = (await (await ask("GET", `/admin/v1/requests?${wish}`, { as: other.secret })).json()) as Page;
      const sums = (await (await ask("GET", `/admin/v1/costs/summary?${wish}`, { as: other.secret })).json()) as { total: Json };
      for (const row of [...records.data, ...requests.data]) expect([wish, row["key"]]).toEqual([wish, other.id]);
      expect([wish, sums.total["requests"]]).toEqual([wish, records.data.length]);
    }
    for (const { id, request } of theirs) {
      for (const path of [`/costs/records/${String(id)}`, `/requests/${String(request)}`])
        expect((await ask("GET", `/admin/v1${path}`, { as: other.secret })).status).toBe(404);
    }
  });
});

test("threat 6: a key holder's exports and sums hold its own rows only, whatever it filters by", async () => {
  for (const wish of ["", `&key=${key.id}`, `&team=${team}`]) {
    const csv = await (await ask("GET", `/admin/v1/costs/records?limit=1000&format=csv${wish}`, { as: other.secret })).text();
    const ndjson = await ask("GET", `/admin/v1/requests?limit=1000&format=ndjson${wish}`, { as: other.secret });
    const sums = await ask("GET", `/admin/v1/costs/summary?group_by=key${wish}`, { as: other.secret });
    for (const text of [csv, new TextDecoder().decode(await ndjson.arrayBuffer()), await sums.text()]) {
      expect(text).not.toContain(key.id);
      if (!wish.includes("team")) expect(text).toContain(other.id);
    }
  }
});
