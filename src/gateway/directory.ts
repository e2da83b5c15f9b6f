import { type AutoTable, BUILT_IN } from "#auto";
import { WiderScopes } from "#budget";
import type { Config } from "#config";
import { type Limits, PriceBook, type PriceRow, type Target } from "#models";
import type { ActivePolicies } from "#policy";
import { type Route, RouteBook } from "#routes";
import { type ProviderRow, registry, type Upstream } from "#providers";

/** What the gateway knows of the outside: which upstreams, names and prices there are. */
export interface Directory {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly aliases: ReadonlyMap<string, Target & { readonly limits: Limits }>;
  readonly routes: RouteBook;
  readonly book: PriceBook;
  /** Which budgets across teams there are. */
  readonly wider: WiderScopes;
  /** Which policies are active, and where. */
  readonly policies: ActivePolicies;
  /** How the auto-router chooses. */
  readonly auto: AutoTable;
}

/** Reads the control plane's rows; credentials come opened. */
export interface DirectorySource {
  providers(): Promise<readonly ProviderRow[]>;
  aliases(): Promise<readonly ({ readonly name: string } & Target & Limits)[]>;
  routes(): Promise<readonly Route[]>;
  prices(): Promise<readonly PriceRow[]>;
  wider(): Promise<readonly string[] | null>;
  policies(): Promise<ActivePolicies>;
  /** Null where no operator wrote one. */
  auto(): Promise<AutoTable | null>;
}

const FRESH_MS = 2_000;
/** Older, after a spell without requests, it may lack a policy that was put in force since: requests wait for what stands now. */
const IDLE_MS = 4_000;
/** But so long at most: storage that does not answer stops nothing that can be served without it. */
const PATIENCE_MS = 1_000;
const LOOK_MS = 5;
const STALE_MS_MAX = 30_000;
/** A stranger's unknown model name may force at most this many reads of storage a second. */
const RELOAD_MS_MIN = 500;

/**
 * The directory as this isolate last read it. Requests take it as it stands while one of them reads it anew beside its own work,
 * since a promise of one request may not be awaited by another. While storage is down what was read last goes on being served;
 * only an isolate that has read nothing yet refuses.
 */
export class DirectoryCache {
  readonly #config: Config;
  readonly #source: DirectorySource;
  readonly #clock: () => number;
  #directory: Directory | null = null;
  #readAt = -Infinity;
  #askedAt = -Infinity;
  /** When the last read that has ended, well or badly, was asked for. */
  #endedAt = -Infinity;
  /** Grows with each invalidation: what was read before one is not what stands after it. */
  #generation = 0;

  constructor(config: Config, source: DirectorySource, clock: () => number) {
    this.#config = config;
    this.#source = source;
    this.#clock = clock;
  }

  /** The directory; `background` takes the refresh where what stands is good enough to serve with. */
  async get(background: (work: Promise<unknown>) => void): Promise<Directory> {
    const known = this.#directory;
    const age = this.#clock() - this.#readAt;
    if (!known || age > STALE_MS_MAX) return this.#read(known);
    if (age <= FRESH_MS) return known;
    if (this.#clock() - this.#askedAt > FRESH_MS) background(this.#read(known));
    return age > IDLE_MS ? this.#awaited(known) : known;
  }

  /** What is being read, by whichever request: promises are not shared between them, so each looks for itself. */
  async #awaited(known: Directory): Promise<Directory> {
    while (this.#endedAt < this.#askedAt && this.#clock() - this.#askedAt < PATIENCE_MS)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return this.#directory ?? this.#read(known);
  }

  /** Reads anew for a name that the directory lacks, unless it has just been read. */
  async reload(): Promise<Directory> {
    const known = this.#directory;
    return known && this.#clock() - this.#readAt < RELOAD_MS_MIN ? known : this.#read(known);
  }

  /** Forgets what was read: the control plane changed through this isolate. */
  invalidate(): void {
    this.#directory = null;
    this.#generation++;
  }

  async #read(known: Directory | null): Promise<Directory> {
    const askedAt = this.#clock();
    this.#askedAt = askedAt;
    const generation = this.#generation;
    try {
      const source = this.#source;
      const [providers, aliases, routes, prices, wider, policies, auto] = await Promise.all([
        source.providers(),
        source.aliases(),
        source.routes(),
        source.prices(),
        source.wider(),
        source.policies(),
        source.auto(),
      ]);
      const directory = {
        upstreams: registry(this.#config, providers),
        aliases: new Map(aliases.map(({ name, provider, model, ...limits }) => [name, { provider, model, limits }])),
        routes: new RouteBook(routes),
        book: new PriceBook(prices),
        wider: new WiderScopes(wider),
        policies,
        auto: auto ?? BUILT_IN,
      };
      if (generation === this.#generation) {
        this.#directory = directory;
        this.#readAt = askedAt;
      }
      return directory;
    } catch (error) {
      if (known) return known;
      throw error;
    } finally {
      this.#endedAt = Math.max(this.#endedAt, askedAt);
    }
  }
}
