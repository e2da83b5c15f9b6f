import type { Context } from "hono";
import packageJson from "#package" with { type: "json" };
import { costSummary, type Sums, traffic } from "#audit";
import { femtoFromUsd, TollgateError, usdFromFemto } from "#core";
import { may } from "#keys";
import { countDecisions, countFailures } from "#policy";
import type { Health } from "#routes";
import { identify } from "./admin/actor.ts";
import { exposition, type Family, gauge, histogram, type Sample } from "./exposition.ts";
import type { Http, Platform } from "./platform.ts";
import { taskFamilies } from "./task-metrics.ts";

const DAY_MS = 86_400_000;
/** How long figures stand, so that many scrapers load storage no more than one. */
const FRESH_MS = 10_000;
const RECENT_MS = 300_000;
/** Records arrive within this time of a request's end; what is younger is not counted yet. */
const SETTLED_MS = 10_000;
/** No label takes more values than this: keys, models and providers beyond it are summed as `other`. */
const TOP = 20;
const OTHER = "other";
/** Twenty policies with every outcome in three modes. */
const DECISIONS_MAX = 180;
const BREAKERS_MAX = 180;

const scraped = new WeakMap<Platform, { readonly at: number; readonly text: string }>();

/**
 * `GET /metrics` in Prometheus's text format, for admin credentials that may read metrics. Isolates are many and short-lived, so
 * nothing is counted in them: every figure is read from the records in D1, and no request pays for it.
 */
export async function metrics(context: Context<Http>): Promise<Response> {
  const platform = context.env;
  const { role } = await identify(platform, context.req.raw);
  if (!may(role, "read", "metrics")) throw new TollgateError("permission_denied", `The role ${role} may not read metrics`);
  const known = scraped.get(platform);
  const now = platform.now();
  const found = known && now - known.at < FRESH_MS ? known : { at: now, text: exposition(await families(platform, now)) };
  scraped.set(platform, found);
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store" };
  return new Response(found.text, { headers });
}

async function families(platform: Platform, now: number): Promise<Family[]> {
  const today = { from: now - (now % DAY_MS) };
  const to = now - SETTLED_MS;
  const summary = (filter: { readonly from?: number }, by: string) => costSummary(platform.db, { filter, groupBy: [by], limit: TOP });
  const [all, models, keys, recent, decisions, failures, tasks] = await Promise.all([
    summary({}, "provider"),
    summary(today, "model"),
    summary(today, "key"),
    traffic(platform.db, { from: to - RECENT_MS, to }),
    countDecisions(platform.db, { from: to - RECENT_MS, to }, DECISIONS_MAX),
    countFailures(platform.db, { from: to - RECENT_MS, to }, DECISIONS_MAX),
    taskFamilies(platform.db, now),
  ]);
  const info = { version: packageJson.version, environment: platform.config.TOLLGATE_ENV };
  return [
    gauge("tollgate_info", "Always 1; what runs here.", [{ labels: info, value: 1 }]),
    ...totals(all),
    gauge("tollgate_today_spend_usd_by_model", `${TODAY} by model.`, spend(models, "model")),
    gauge("tollgate_today_spend_usd_by_key", `${TODAY} by the id of the key.`, spend(keys, "key")),
    gauge("tollgate_recent_window_seconds", "How much time the recent figures cover: divide by it for a rate.", [
      { value: RECENT_MS / 1000 },
    ]),
    gauge(
      "tollgate_recent_requests",
      `Requests that arrived ${RECENTLY}, by outcome; refused ones are denied.`,
      recent.outcomes.map(({ outcome, requests: value }) => ({ labels: { outcome }, value })),
    ),
    gauge(
      "tollgate_recent_refusals",
      `Requests that arrived ${RECENTLY} and ended in an error of the gateway's, by its code.`,
      recent.codes.map(({ code, requests: value }) => ({ labels: { code }, value })),
    ),
    gauge(
      "tollgate_recent_policy_decisions",
      `What policies said of requests that arrived ${RECENTLY}, by policy, mode and outcome; the ${DECISIONS_MAX} most frequent.`,
      decisions.map(({ count, ...labels }) => ({ labels, value: count })),
    ),
    gauge(
      "tollgate_recent_policy_failures",
      `Policies that gave no decision about requests that arrived ${RECENTLY}, by policy, mode and failure.`,
      failures.map(({ count, failure, ...labels }) => ({ labels: { ...labels, failure: failure ?? "" }, value: count })),
    ),
    gauge(
      "tollgate_recent_attempts",
      `Calls to providers of requests that arrived ${RECENTLY}, by target and status; none where no answer came.`,
      recent.attempts.map(({ target, status, calls: value }) => ({ labels: { target, status: String(status ?? "none") }, value })),
    ),
    gauge("tollgate_recent_retried_requests", `Requests that arrived ${RECENTLY} and took more than one attempt.`, [
      { value: recent.retried },
    ]),
    gauge(
      "tollgate_isolate_breaker_open",
      "Breakers that are not closed, in the isolate that was asked: 1 where open, 0.5 where one call may try. Each isolate has its own.",
      breakers(platform.health),
    ),
    ...delays(recent),
    ...tasks,
  ];
}

function delays({ overhead, firstByte }: Awaited<ReturnType<typeof traffic>>): Family[] {
  const of = `of requests that arrived ${RECENTLY}.`;
  return [
    ...histogram("tollgate_recent_overhead_seconds", `Seconds from arrival until the call left for the provider, ${of}`, overhead),
    ...histogram("tollgate_recent_time_to_first_token_seconds", `Seconds from arrival until a streamed answer began, ${of}`, firstByte),
  ];
}

/** The targets that calls are kept from; a credential beyond a provider's first is named by its id. */
function breakers(health: Health): Sample[] {
  const open = health.places().flatMap((target) => {
    const state = health.state(target);
    return state === "closed" ? [] : [{ labels: { target }, value: state === "open" ? 1 : 0.5 }];
  });
  return open.slice(-BREAKERS_MAX);
}

const RECENTLY = `in the last ${RECENT_MS / 60_000} minutes (up to ${SETTLED_MS / 1000} s ago), by the request log in D1`;
const TODAY = `USD spent since midnight UTC, by the cost records in D1, of the ${TOP} dearest and of all others,`;

type Summary = Awaited<ReturnType<typeof costSummary>>;
/** What the gauges show of a sum. */
type Shown = Omit<Sums, "pieces" | "savedUsd">;

/** What stands in the cost records since the first. They are gauges, since a record that is repriced may lower them. */
function totals(summary: Summary): Family[] {
  const rows = [...summary.groups.map((each) => ({ provider: each.group["provider"] ?? "", sums: each as Shown })), ...restOf(summary)];
  const since = "of all time, by the cost records in D1, by provider. A gauge: repricing may lower it.";
  const tokens = rows.flatMap(({ provider, sums }) => [
    { labels: { provider, class: "input" }, value: sums.tokens.input },
    { labels: { provider, class: "cache_read" }, value: sums.tokens.cacheRead },
    { labels: { provider, class: "cache_write" }, value: sums.tokens.cacheWrite },
    { labels: { provider, class: "output" }, value: sums.tokens.output },
  ]);
  return [
    gauge("tollgate_spend_usd", `USD ${since}`, spend(summary, "provider")),
    gauge("tollgate_tokens", `Tokens ${since} Classes are disjoint; reasoning is within output.`, tokens),
    gauge(
      "tollgate_paid_requests",
      `Requests with a cost record, ${since}`,
      rows.map(({ provider, sums }) => ({ labels: { provider }, value: sums.requests })),
    ),
  ];
}

/** Each group's USD, and that of all the others together, to the last digit. */
function spend({ groups, total }: Summary, by: string): Sample[] {
  const rest = groups.reduce((left, { usd }) => left - femtoFromUsd(usd), femtoFromUsd(total.usd));
  const samples = groups.map(({ group, usd }) => ({ labels: { [by]: group[by] ?? "" }, value: usd }));
  return rest > 0n ? [...samples, { labels: { [by]: OTHER }, value: usdFromFemto(rest) }] : samples;
}

/** What the providers beyond the dearest used. */
function restOf({ groups, total }: Summary): { readonly provider: string; readonly sums: Shown }[] {
  if (groups.length < TOP) return [];
  const left = (of: (sums: Shown) => number) => groups.reduce((rest, group) => rest - of(group), of(total));
  const tokens = {
    input: left((sums) => sums.tokens.input),
    cacheRead: left((sums) => sums.tokens.cacheRead),
    cacheWrite: left((sums) => sums.tokens.cacheWrite),
    output: left((sums) => sums.tokens.output),
    reasoning: left((sums) => sums.tokens.reasoning),
  };
  return [{ provider: OTHER, sums: { usd: "0", requests: left((sums) => sums.requests), tokens } }];
}
