import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { consume } from "#audit";
import { NO_USAGE } from "#core";
import { connect, tables } from "#db";
import dashboard from "../../docs/grafana/tollgate.json" with { type: "json" };
import { createApp } from "#http";
import { Health } from "#routes";
import { platformOf } from "../../src/compose.ts";
import { exposition } from "../../src/http/exposition.ts";
import { ADMIN, ask, newKey } from "../support/front.ts";

/** Everything of the text that a scraper takes: samples by name and labels, and which names were declared. */
function read(text: string) {
  const declared = new Map<string, { help: boolean; type: string }>();
  const samples: { name: string; labels: Record<string, string>; value: number }[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    const meta = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (meta) {
      const known = declared.get(meta[2]!) ?? { help: false, type: "" };
      declared.set(meta[2]!, meta[1] === "HELP" ? { ...known, help: true } : { ...known, type: meta[3]! });
      continue;
    }
    const sample = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[\d.]+)$/.exec(line);
    expect([line, sample !== null]).toEqual([line, true]);
    const labels = [...(sample![2] ?? "").matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
      name!,
      value!.replace(/\\(.)/g, (_, each: string) => (each === "n" ? "\n" : each)),
    ]);
    samples.push({ name: sample![1]!, labels: Object.fromEntries(labels), value: Number(sample![3]) });
  }
  return {
    declared,
    samples,
    of: (name: string, labels: Record<string, string> = {}) =>
      samples.filter((each) => each.name === name && Object.entries(labels).every(([label, value]) => each.labels[label] === value)),
  };
}

/** A scrape by an isolate that has not scraped before, since its bindings are its own. */
async function scrape(as: string = ADMIN) {
  const answer = await ask("GET", "/metrics", { as, bindings: {} });
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

const settled = { timeout: 15_000, interval: 300 };
let serial = 0;

/** A request of so many milliseconds ago, as the queue brings it. */
async function recorded(fields: {
  agoMs: number;
  model?: string;
  key?: string;
  usd?: string;
  code?: string;
  outcome?: "ok" | "denied" | "error";
  overheadMs?: number;
  firstByteMs?: number;
  attempts?: readonly { provider: string; model: string; status: number | null; ms: number }[];
}): Promise<void> {
  const { agoMs, model = "m", key = "key_m", usd = "0.5", code = null, outcome = "ok", overheadMs = 3, firstByteMs = 150 } = fields;
  const id = `metrics_${++serial}`;
  const body = {
    v: 1,
    kind: "request",
    invocation: {
      request: `req_${id}`,
      at: Date.now() - agoMs,
      key,
      team: "team_default",
      user: null,
      endUser: null,
      session: null,
      task: null,
      capability: "chat.completions",
      requested: model,
      provider: outcome === "denied" ? null : "prov",
      model: outcome === "denied" ? null : model,
      stream: true,
      outcome,
      attempts: fields.attempts ?? (outcome === "denied" ? [] : [{ provider: "prov", model, status: 200, ms: 1 }]),
      tags: [],
      metadata: {},
    },
    cost:
      outcome === "denied"
        ? null
        : {
            id: `cost_${id}`,
            status: "actual",
            priceState: "priced",
            cache: "bypass",
            estimatedUsd: usd,
            actualUsd: usd,
            nanoUsd: 1,
            usage: { ...NO_USAGE, input: 10, cacheRead: 4, cacheWrite5m: 2, output: 7, reasoning: 3 },
            serviceTier: null,
            reprices: null,
            receipt: { price: {}, tableHash: "h", lines: [] },
          },
    log: { httpStatus: 200, code, latencyMs: 1, firstByteMs, overheadMs, upstreamRequestId: null },
    charges: [],
  };
  const messages = [{ id, timestamp: new Date(0), body, attempts: 1, ack() {}, retry() {} }];
  await consume(
    { queue: "q", messages, ackAll() {}, retryAll() {}, metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } },
    connect(env.DB),
  );
}

describe("D16: /metrics", () => {
  test("shows spend, tokens, requests, refusals, overhead and time to first token as the records have them", async () => {
    const before = read((await scrape()).text);
    await recorded({ agoMs: 60_000, usd: "0.000000001", overheadMs: 4, firstByteMs: 90 });
    await recorded({ agoMs: 60_000, usd: "2.5", overheadMs: 40, firstByteMs: 900 });
    await recorded({ agoMs: 60_000, outcome: "denied", code: "budget_exceeded" });
    await recorded({ agoMs: 400_000, usd: "1" });
    await recorded({ agoMs: 0, usd: "0.25" });
    const { text, type } = await scrape();
    expect(type).toBe("text/plain; version=0.0.4; charset=utf-8");
    const seen = read(text);
    const one = (name: string, labels: Record<string, string> = {}) => {
      const found = seen.of(name, labels);
      expect([name, found.length]).toEqual([name, 1]);
      return found[0]!.value;
    };
    expect(one("tollgate_spend_usd", { provider: "prov" })).toBe(3.750_000_001);
    expect(text).toContain('tollgate_spend_usd{provider="prov"} 3.750000001\n');
    expect(
      ["input", "cache_read", "cache_write", "output"].map((name) => one("tollgate_tokens", { provider: "prov", class: name })),
    ).toEqual([40, 16, 8, 28]);
    expect(one("tollgate_paid_requests", { provider: "prov" })).toBe(4);
    expect(one("tollgate_today_spend_usd_by_model", { model: "prov/m" })).toBeGreaterThan(0);
    expect(one("tollgate_today_spend_usd_by_key", { key: "key_m" })).toBeGreaterThan(0);
    const grown = (name: string, labels: Record<string, string>) => one(name, labels) - (before.of(name, labels)[0]?.value ?? 0);
    expect(grown("tollgate_recent_requests", { outcome: "ok" })).toBe(2);
    expect(grown("tollgate_recent_requests", { outcome: "denied" })).toBe(1);
    expect(grown("tollgate_recent_refusals", { code: "budget_exceeded" })).toBe(1);
    const overhead = (le: string) => grown("tollgate_recent_overhead_seconds_bucket", { le });
    expect(["0.001", "0.005", "0.02", "0.05", "1", "+Inf"].map(overhead)).toEqual([0, 2, 2, 3, 3, 3]);
    const first = (le: string) => grown("tollgate_recent_time_to_first_token_seconds_bucket", { le });
    expect(["0.05", "0.1", "0.2", "0.5", "1", "30", "+Inf"].map(first)).toEqual([0, 1, 2, 2, 3, 3, 3]);
    expect(one("tollgate_recent_window_seconds")).toBe(300);
  });

  test("shows what policies said of the same requests, by policy, mode and outcome, and 35: how they failed", async () => {
    const row = { team: "t", key: "k", version: "1.0.0", hash: "h", scopeKind: "deployment", scopeId: "", stage: "evaluate" } as const;
    const kept = { reason: "", metadata: {}, obligations: [], fuel: 1, contextDigest: "d" };
    const said = [
      { policy: "hours", mode: "enforce", outcome: "denied", ago: 60_000 },
      { policy: "hours", mode: "enforce", outcome: "denied", ago: 70_000 },
      { policy: "hours", mode: "shadow", outcome: "failed", failure: "fuel", ago: 60_000 },
      { policy: "hours", mode: "enforce", outcome: "failed", failure: "threw", ago: 400_000 },
      { policy: "hours", mode: "enforce", outcome: "allowed", ago: 400_000 },
    ] as const;
    const rows = said.map(({ ago, ...each }, at) => ({
      ...row,
      ...kept,
      ...each,
      id: `dec_m_${at}`,
      request: `req_m_${at}`,
      at: Date.now() - ago,
    }));
    await connect(env.DB).insert(tables.policyDecisions).values(rows);
    const seen = read((await scrape()).text).of("tollgate_recent_policy_decisions", { policy: "hours" });
    expect(seen.map(({ labels, value }) => [labels["mode"], labels["outcome"], value])).toEqual([
      ["enforce", "denied", 2],
      ["shadow", "failed", 1],
    ]);
    const failed = read((await scrape()).text).of("tollgate_recent_policy_failures", { policy: "hours" });
    expect(failed.map(({ labels, value }) => [labels["mode"], labels["failure"], value])).toEqual([["shadow", "fuel", 1]]);
  });

  test("declares every family before its samples, says that it is a gauge and of what, and names no metric twice", async () => {
    const { text } = await scrape();
    const { declared, samples } = read(text);
    expect(declared.size).toBeGreaterThan(12);
    for (const [name, { help, type }] of declared) expect([name, help, type]).toEqual([name, true, "gauge"]);
    for (const { name } of samples) expect([name, declared.has(name)]).toEqual([name, true]);
    expect(text.match(/^# TYPE .*$/gm)).toHaveLength(declared.size);
    for (const line of text.match(/^# HELP tollgate_(?!info|recent_window|isolate_).*$/gm)!)
      expect(line).toMatch(/by the cost records in D1|by the request log in D1|by the tasks in D1/);
  });

  test("a request of this gateway shows in it, with the overhead that its record has", async () => {
    const { secret } = await newKey();
    const chat = await ask("POST", "/v1/chat/completions", { as: secret, body: { model: "tollgate/echo", messages: [] } });
    await chat.text();
    const id = chat.headers.get("x-request-id")!;
    const row = async () => {
      const answer = await ask("GET", `/admin/v1/requests/${id}`, { as: ADMIN });
      return answer.ok ? await answer.json<Record<string, unknown>>() : null;
    };
    await expect.poll(row, settled).toMatchObject({ overhead_ms: expect.any(Number) as unknown });
    expect(read((await scrape()).text).of("tollgate_spend_usd", { provider: "tollgate" })).toHaveLength(1);
  });

  test("labels have at most 20 values and one for all others, whose spend adds up to the total", async () => {
    for (let at = 0; at < 30; at++)
      await recorded({ agoMs: 1_000, model: `many-${at}`, key: `key_${at}`, usd: `0.${String(at + 1).padStart(3, "0")}` });
    const seen = read((await scrape()).text);
    for (const name of ["tollgate_today_spend_usd_by_model", "tollgate_today_spend_usd_by_key"]) {
      const found = seen.of(name);
      expect([name, found.length]).toEqual([name, 21]);
      expect(found.filter(({ labels }) => Object.values(labels).includes("other"))).toHaveLength(1);
    }
    const sum = (name: string) => seen.of(name).reduce((total, { value }) => total + value, 0);
    expect(sum("tollgate_today_spend_usd_by_model")).toBeCloseTo(sum("tollgate_today_spend_usd_by_key"), 12);
  });

  test("what a caller wrote into a name cannot end its line or its label", () => {
    const hostile = 'a"} 1\ntollgate_spend_usd{provider="x"} 9\\';
    const seen = read(exposition([{ name: "tollgate_x", help: "a\nb \\", samples: [{ labels: { model: hostile }, value: 1 }] }]));
    expect(seen.samples).toEqual([{ name: "tollgate_x", labels: { model: hostile }, value: 1 }]);
  });

  test("threat 5: only roles that may read metrics are answered", async () => {
    for (const [role, status] of [
      ["owner", 200],
      ["operator", 200],
      ["analyst", 200],
      ["auditor", 403],
      ["key_holder", 403],
    ] as const) {
      const { secret } = await newKey({ role });
      expect([role, (await scrape(secret)).status]).toEqual([role, status]);
    }
    expect((await ask("GET", "/metrics")).status).toBe(401);
    expect((await ask("POST", "/metrics", { as: ADMIN })).status).toBe(405);
  });

  test("figures stand for ten seconds within an isolate, so that scrapers load storage no more than one", async () => {
    let statements = 0;
    const counting = new Proxy(env.DB, {
      get: (target, name: keyof D1Database) => {
        if (name === "prepare") statements++;
        return target[name].bind(target) as unknown;
      },
    });
    const platform = platformOf({ ...env, DB: counting });
    const request = () => new Request("https://gateway.test/metrics", { headers: { authorization: `Bearer ${ADMIN}` } });
    const first = await createApp().fetch(request(), platform, createExecutionContext());
    const once = statements;
    const second = await createApp().fetch(request(), platform, createExecutionContext());
    expect([first.status, once > 0, statements]).toEqual([200, true, once]);
    expect(await second.text()).toBe(await first.text());
  });
});

describe("routes in /metrics", () => {
  test("attempts by target and status, requests that took several, and the breakers of the isolate that is asked", async () => {
    const ok = { provider: "prov", model: "two", status: 200, ms: 5 };
    await recorded({
      agoMs: 60_000,
      model: "two",
      attempts: [{ ...ok, model: "one", status: 500 }, { ...ok, model: "none", status: null }, ok],
    });
    await recorded({ agoMs: 60_000, model: "two", attempts: [ok] });
    const health = new Health(() => Date.now());
    const breaker = { callsMin: 1, failurePercent: 1, windowS: 10, openS: 10 };
    health.failed("prov/one", breaker);
    health.succeeded("prov/two", breaker, { firstByteMs: 1, stream: false });
    const seen = read(await (await ask("GET", "/metrics", { as: ADMIN, bindings: {}, platform: { health } })).text());
    const attempts = (target: string, status: string) => seen.of("tollgate_recent_attempts", { target, status }).map(({ value }) => value);
    expect([attempts("prov/one", "500"), attempts("prov/none", "none"), attempts("prov/two", "200")]).toEqual([[1], [1], [2]]);
    expect(seen.of("tollgate_recent_retried_requests").map(({ value }) => value)).toEqual([1]);
    expect(seen.of("tollgate_isolate_breaker_open")).toMatchObject([{ labels: { target: "prov/one" }, value: 1 }]);
  });
});

describe("A61, A70: tasks in /metrics", () => {
  test("those that wait to begin, those that run, those that ended by engine and reason, and how long they took", async () => {
    const db = connect(env.DB);
    const now = Date.now();
    const row = (id: string, engine: string, agoMs: number, ended?: { reason: "ok" | "timeout"; ms: number }) => ({
      id: `task_metrics_${id}`,
      key: "key_m",
      team: "team_default",
      profile: "default",
      engine,
      createdAt: now - agoMs,
      ...(ended ? { exitReason: ended.reason, endedAt: now - agoMs + ended.ms } : {}),
    });
    await db.insert(tables.tasks).values([
      row("a", "command", 60_000, { reason: "ok", ms: 900 }),
      row("b", "command", 60_000, { reason: "ok", ms: 4_000 }),
      row("c", "native", 600_000, { reason: "timeout", ms: 300_000 }),
      { ...row("d", "native", 600_000), startedAt: now - 599_000 },
      row("g", "native", 60_000),
      row("h", "native", 60_000),
      // Before the hour: what ended then is not of it, what runs still runs.
      row("e", "command", 7_200_000, { reason: "ok", ms: 10 }),
      { ...row("f", "codex", 7_200_000), startedAt: now - 7_100_000 },
    ]);
    const { of } = read((await scrape()).text);
    const values = (name: string) => of(name).map(({ labels, value }) => [...Object.values(labels), value]);
    expect(values("tollgate_running_tasks").toSorted()).toEqual([
      ["codex", 1],
      ["native", 1],
    ]);
    expect(values("tollgate_pending_tasks")).toEqual([["native", 2]]);
    expect(values("tollgate_hour_tasks").toSorted()).toEqual([
      ["command", "ok", 2],
      ["native", "timeout", 1],
    ]);
    const took = (le: string) => of("tollgate_hour_task_duration_seconds_bucket", { le })[0]?.value;
    expect(["1", "5", "120", "300", "+Inf"].map(took)).toEqual([1, 2, 2, 3, 3]);
    expect(of("tollgate_hour_task_duration_seconds_sum")[0]?.value).toBe(304.9);
  });
});

describe("the Grafana dashboard", () => {
  const expressions = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));

  test("asks for nothing that is not exposed, and shows every family", async () => {
    await recorded({ agoMs: 60_000, outcome: "denied", code: "rate_limited" });
    const { declared } = read((await scrape()).text);
    const asked = new Set<string>();
    for (const [title, expr] of expressions) {
      const names = expr.match(/\btollgate_[a-z_]+/g) ?? [];
      expect([title, names.length > 0]).toEqual([title, true]);
      for (const name of names) {
        expect([title, name, declared.has(name)]).toEqual([title, name, true]);
        asked.add(name);
      }
    }
    expect([...declared.keys()].filter((name) => !asked.has(name))).toEqual(["tollgate_info"]);
  });

  test("groups by labels that its metrics have, and holds every panel once in its place", async () => {
    const { samples } = read((await scrape()).text);
    for (const [title, expr] of expressions) {
      for (const [, labels, name] of expr.matchAll(/by \(([a-z, ]+)\) \((tollgate_[a-z_]+)/g)) {
        const found = samples.find((each) => each.name === name);
        for (const label of labels!.split(", "))
          expect([title, label, Object.keys(found?.labels ?? {}).includes(label)]).toEqual([title, label, true]);
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    expect(new Set(dashboard.panels.map(({ gridPos }) => `${gridPos.x} ${gridPos.y}`)).size).toBe(dashboard.panels.length);
  });
});
