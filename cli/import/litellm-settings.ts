import type { Part } from "./account.ts";
import { usd, windowOf } from "./amounts.ts";
import { type Blueprint, type Name, nameFault, type Settings } from "./blueprint.ts";

const RETRIES_MAX = 5;

/** Reads one value as settings of a route; null where it is absent or cannot be one. */
type Way = (part: Part) => Settings | null;

const whole =
  (field: string, factor: number, most = Infinity): Way =>
  (part) => {
    if (part.number === null) return null;
    part.to(`routes: ${field}`);
    return { [field]: Math.min(most, Math.round(part.number * factor)) };
  };

/** How a request goes on from a deployment that failed it; the same words serve for one deployment and for all. */
export const WAYS_ON: Readonly<Record<string, Way>> = {
  num_retries: whole("retries", 1, RETRIES_MAX),
  max_retries: whole("retries", 1, RETRIES_MAX),
  timeout: whole("timeout_ms", 1_000),
  request_timeout: whole("timeout_ms", 1_000),
  stream_timeout: whole("first_byte_timeout_ms", 1_000),
  retry_after: whole("backoff_ms", 1_000),
};

const STRATEGIES: Readonly<Record<string, string>> = {
  "simple-shuffle": "weighted",
  "latency-based-routing": "latency",
  "cost-based-routing": "cost",
};

/** Reads what LiteLLM says of all models: `router_settings`, `litellm_settings`, `general_settings`. */
export function readSettings(root: Part, blueprint: Blueprint): void {
  const [router, litellm, general] = [root.at("router_settings"), root.at("litellm_settings"), root.at("general_settings")];
  const common = { ...waysOn(router), ...waysOn(litellm), ...breakerOf(router) };
  const strategy = strategyOf(router);
  for (const name of blueprint.names) name.settings = { ...(name.targets.length > 1 && { strategy }), ...common, ...name.settings };
  // A copy, since a fallback leads to what a name was before it had fallbacks of its own.
  const before = new Map(blueprint.names.map(({ name, targets }) => [name, [...targets]]));
  for (const section of [router, litellm]) {
    for (const each of section.at("fallbacks").items) for (const [name, to] of each.entries) fallBack([name], to, { before, blueprint });
    const rest = section.at("default_fallbacks");
    if (rest.present) fallBack([...before.keys()], rest, { before, blueprint });
  }
  for (const [alias, part] of router.at("model_group_alias").entries) aliasOf(alias, part, blueprint);
  readBudget(litellm, blueprint);
  readKeyDefaults(litellm.at("default_key_generate_params"), blueprint);
  for (const [name, reason] of Object.entries(ROUTER_LEFT)) router.at(name).left(reason);
  for (const section of [litellm, general]) for (const [name, part] of section.entries) part.left(reasonFor(name));
}

function waysOn(section: Part): Settings {
  return Object.fromEntries(Object.entries(WAYS_ON).flatMap(([name, way]) => Object.entries(way(section.at(name)) ?? {})));
}

/** Where LiteLLM's choice has no counterpart, targets of equal priority share the requests by weight, as they do there by default. */
function strategyOf(router: Part): string {
  const part = router.at("routing_strategy");
  const strategy = STRATEGIES[part.text ?? "simple-shuffle"];
  if (strategy === undefined) part.left(`no strategy here is like ${part.text}: targets share the requests by weight`);
  else part.to(`routes: strategy ${strategy}`);
  return strategy ?? "weighted";
}

function breakerOf(router: Part): Settings {
  const [fails, cooldown] = [router.at("allowed_fails"), router.at("cooldown_time")];
  if (fails.number === null && cooldown.number === null) return {};
  fails.to("routes: breaker.calls_min");
  cooldown.to("routes: breaker.open_s");
  return {
    breaker: {
      ...(fails.number === null ? {} : { calls_min: Math.max(1, fails.number + 1) }),
      ...(cooldown.number === null ? {} : { open_s: cooldown.number }),
    },
  };
}

/** A second name for what another one leads to. */
function aliasOf(alias: string, part: Part, blueprint: Blueprint): void {
  const model = part.text === null ? part.at("model") : part;
  const meant = model.text === null ? undefined : blueprint.find(model.text);
  if (!meant) return void part.left("it leads to no model of this file");
  const fault = nameFault(alias);
  if (fault !== null) return void part.left(fault);
  const made = blueprint.name(alias);
  Object.assign(made, { settings: meant.settings, limits: meant.limits });
  made.targets.push(...meant.targets);
  model.to(`the name ${alias}, which leads where ${meant.name} does`);
  part.at("hidden").left("lists of models show every name");
}

interface Fallbacks {
  readonly before: ReadonlyMap<string, Name["targets"]>;
  readonly blueprint: Blueprint;
}

/** Puts the targets of other names behind those of a name, each list one priority later. */
function fallBack(names: readonly string[], to: Part, { before, blueprint }: Fallbacks): void {
  for (const each of names) {
    const name = blueprint.find(each);
    if (!name) return void to.left(`${each} is no model of this file`);
    for (const part of Array.isArray(to.value) ? to.items : [to]) {
      const targets = before.get(part.text ?? "");
      if (!targets) {
        part.left("it leads to no model of this file");
        continue;
      }
      part.to(`routes: behind the targets of ${names.length > 1 ? "every name" : each}`);
      if (part.text === each) continue;
      const last = Math.max(-1, ...name.targets.map(({ priority }) => priority));
      const own = targets.filter((target) => !name.targets.some((known) => placeOf(known) === placeOf(target)));
      name.targets.push(...own.map((target) => ({ ...target, priority: last + 1 + target.priority })));
    }
  }
}

function placeOf(target: Name["targets"][number]): string {
  return "route" in target ? target.route : `${target.provider}/${target.model}`;
}

/** The budget of all keys together. */
function readBudget(section: Part, blueprint: Blueprint): void {
  const [limit, duration] = [section.at("max_budget"), section.at("budget_duration")];
  const read = budgetOf(limit, duration);
  if (!read) return;
  blueprint.budget(read.window, read.limit_usd);
  for (const part of [limit, duration]) part.to("a budget of the deployment");
}

function budgetOf(limit: Part, duration: Part): { readonly window: string; readonly limit_usd: string } | null {
  if (limit.number === null) return null;
  const window = windowOf(duration.text);
  const amount = usd(limit.number);
  if (window !== null && amount !== null) return { window, limit_usd: amount };
  for (const part of [limit, duration]) part.left("budgets run by the hour, day, week or month, or in total");
  return null;
}

/** What LiteLLM gives every new key is given to one, to be copied. */
function readKeyDefaults(defaults: Part, blueprint: Blueprint): void {
  if (defaults.entries.length === 0) return;
  const [limit, duration] = [defaults.at("max_budget"), defaults.at("budget_duration")];
  const budget = budgetOf(limit, duration);
  const limits = { rpm: defaults.at("rpm_limit"), tpm: defaults.at("tpm_limit"), concurrency: defaults.at("max_parallel_requests") };
  const given = Object.entries(limits).filter(([, part]) => part.number !== null);
  const models = defaults.at("models");
  const tags = defaults.at("tags");
  blueprint.key("litellm-default", {
    ...(models.texts.length > 0 && { models: { allow: [...new Set(models.texts.flatMap((name) => allowed(name, blueprint)))] } }),
    ...(tags.texts.length > 0 && { tags: tags.texts }),
    ...(given.length > 0 && { limits: Object.fromEntries(given.map(([name, part]) => [name, part.number])) }),
    ...(budget && { budgets: [budget] }),
  });
  for (const part of [models, tags, ...given.map(([, each]) => each), ...(budget ? [limit, duration] : [])])
    part.to("the key litellm-default");
  defaults.left("keys have no such setting");
}

/** An allow list names what answers, so that no alias is a way around it. */
function allowed(name: string, blueprint: Blueprint): string[] {
  const targets = blueprint.find(name)?.targets ?? [];
  const places = targets.flatMap((target) => ("provider" in target ? `${target.provider}/${target.model}` : []));
  return places.length === 0 ? [name] : places;
}

const NO_REDIS = "what is shared stands in Durable Objects: there is no Redis to point to";
const ROUTER_LEFT: Readonly<Record<string, string>> = {
  redis_host: NO_REDIS,
  redis_port: NO_REDIS,
  redis_password: NO_REDIS,
  redis_url: NO_REDIS,
  cache_responses: "caching is a setting of each key",
  enable_pre_call_checks: "what is longer than a model's context is refused by the provider; the model auto passes it over",
  enable_tag_filtering: "a target with tags is one for requests that bear one of them, always",
  tag_filtering_match_any: "a target with tags is one for requests that bear one of them, always",
  disable_cooldowns: "a place that fails is always left alone for a while",
  retry_policy: "what is worth a retry is the same for every kind of error: a route's fall_back_on adds statuses",
  allowed_fails_policy: "a breaker counts failures of every kind",
  context_window_fallbacks: "routes go on after failures; the model auto chooses by length before anything is sent",
  content_policy_fallbacks: "a refusal by a provider is an answer, and passes",
  routing_strategy_args: "strategies have no arguments",
  model_group_retry_policy: "retries are a setting of each route, the same for every kind of error",
};

const OBSERVED = "requests are recorded here already; read them by the API, in /metrics, or by webhooks";
const REASONS: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^(fallbacks|default_fallbacks|num_retries|request_timeout|max_budget|budget_duration)$/, "has no form that this importer knows"],
  [/callback|langfuse|otel|^turn_off_message_logging$|^redact_|^store_prompts|spend_log|^json_logs$|^set_verbose$/, OBSERVED],
  [/^(context_window|content_policy)_fallbacks$/, "routes go on after failures, and a refusal by a provider is an answer"],
  [/^cache/, "caching is a setting of each key"],
  [/redis/, NO_REDIS],
  [/^drop_params$|^modify_params$/, "what a dialect cannot say and may be ignored is always dropped, and named in x-tollgate-dropped"],
  [/^master_key$/, "the admin key is set where the gateway is deployed, as TOLLGATE_ADMIN_KEY; make a new one"],
  [/database|^store_model_in_db$|_db$|salt/, "what is stored stands in D1 and Durable Objects: there is no database to point to"],
  [/parallel|_limit$/, "limits of pace stand on keys"],
  [/alert/, "alerts are told by webhooks: tollgate webhooks create"],
  [/jwt|sso|auth|^ui_/, "who may use the admin plane is set where the gateway is deployed (TOLLGATE_JWKS_URL)"],
  [/guardrail|policy|policies/, "what may be said is decided by policies: tollgate policy push"],
  [/health/, "breakers look after upstreams by the requests that there are"],
  [/mcp/, "there are no MCP servers here yet"],
  [/key_generat|internal_user|team/, "keys, teams and users are made by the admin API, one by one"],
  [/model_alias|completion_model|infer_model/, "every request names its model"],
];

/** Why a setting of LiteLLM's goes nowhere. */
function reasonFor(name: string): string {
  return REASONS.find(([form]) => form.test(name))?.[1] ?? "there is no such setting here";
}
