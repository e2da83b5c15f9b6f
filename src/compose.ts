import { auditChainOf } from "#audit";
import { AutoStore } from "#auto";
import { BudgetStore, ledgerOf, Tills } from "#budget";
import { cacheOf } from "#cache";
import { type Config, readConfig } from "#config";
import { Contents } from "#content";
import { connect, type Db } from "#db";
import { Estimators } from "#estimate";
import { barrier, DirectoryCache, type DirectorySource } from "#gateway";
import type { Platform } from "#http";
import { callbackSecret, KeyRing, mintTaskIdentity } from "#keys";
import { ModelStore, PriceStore } from "#models";
import { bench, countersOf, StandingPolicies } from "#policy";
import { ProviderStore } from "#providers";
import { responsesOf } from "#responses";
import { Health, RouteStore } from "#routes";
import { placesOf } from "#socket";
import { CONTAINER_GATEWAY, Governors, Hook, RunnerHealth, Tasks } from "#tasks";
import engine from "./policy/engine/quickjs.wasm";

/** The bindings of wrangler.toml, and one that a runtime may add: a way out for calls to providers that is shorter than its `fetch`. */
type Bindings = Env & { readonly OUTBOUND?: Fetcher };

let composed: { readonly env: Bindings; readonly platform: Platform } | null = null;

/**
 * The platform of this isolate, made once from its bindings. The only place where rooms are introduced to the environment.
 * @throws ConfigError naming the variables that are wrong.
 */
export function platformOf(env: Bindings): Platform {
  if (composed?.env !== env) composed = { env, platform: compose(env) };
  return composed.platform;
}

function compose(env: Bindings): Platform {
  const config = readConfig(env);
  const db = connect(env.DB);
  const now = () => Date.now();
  const governors = new Governors({ objects: env.TASKS, events: env.EVENTS, now });
  const tills = new Tills((team) => ledgerOf(env.LEDGER, team), now);
  const directory = new DirectoryCache(config, directorySource(db, config, now), now);
  return {
    config,
    db,
    keys: new KeyRing(db, config.TOLLGATE_PEPPER, now, config.TOLLGATE_DEV_KEY ?? null),
    directory,
    outbound: outboundOf(env, config),
    estimators: new Estimators(),
    health: new Health(now),
    events: env.EVENTS,
    chain: auditChainOf(env.CHAIN),
    authFailures: env.AUTH_FAILURES,
    ledger: (team, background) => tills.ledger(team, background),
    ...bench(engine, env.POLICIES, config),
    counters: (team) => countersOf(env.COUNTERS, team),
    contents: new Contents(db, config),
    cache: cacheOf(env.CACHE),
    responses: responsesOf(env.RESPONSES, config.TOLLGATE_PEPPER),
    tasks: new Tasks({
      db,
      events: env.EVENTS,
      objects: env.TASKS,
      ledger: (team) => tills.ledger(team),
      runner: config.RUNNER_URL !== undefined || config.RUNNER_CONTAINER,
      health: config.RUNNER_URL === undefined ? null : new RunnerHealth(config.RUNNER_URL, now),
      origin: config.RUNNER_CONTAINER ? CONTAINER_GATEWAY : (config.TOLLGATE_URL ?? null),
      barrier: async (model, caller) => barrier(model, caller, await directory.reload(), now()),
      callbackSecret: (key) => callbackSecret(config.TOLLGATE_PEPPER, key),
      allowPrivate: config.allowPrivateUpstreams,
      identity: (of, expiresAt) => mintTaskIdentity(config.TOLLGATE_PEPPER, of, expiresAt),
      strict: !config.development,
      now,
    }),
    governor: (task) => governors.of(task),
    hook: new Hook(env.TASKS, governors),
    sockets: placesOf(env.SOCKETS),
    now,
    paced: false,
  };
}

function outboundOf({ OUTBOUND: out }: Bindings, { allowPrivateUpstreams: allowPrivate }: Config): Platform["outbound"] {
  return out === undefined ? { allowPrivate } : { allowPrivate, fetch: (url, init) => out.fetch(url, init) };
}

function directorySource(db: Db, config: Config, now: () => number): DirectorySource {
  const providers = new ProviderStore(db, config, now);
  const models = new ModelStore(db, now);
  const routes = new RouteStore(db, now);
  const prices = new PriceStore(db, now);
  const budgets = new BudgetStore(db, now);
  const policies = new StandingPolicies(db);
  const auto = new AutoStore(db, now);
  return {
    providers: () => providers.all(),
    aliases: () => models.all(),
    routes: () => routes.all(),
    prices: () => prices.all(),
    wider: () => budgets.wider(),
    policies: () => policies.read(),
    auto: async () => (await auto.read())?.table ?? null,
  };
}
