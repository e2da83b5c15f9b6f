import type { Vendor } from "./vendors.ts";

/** A value that is not to be shown: where it comes from. */
export type Secret = { readonly variable: string } | { readonly literal: string };

/** An upstream to register. */
interface Provider {
  readonly name: string;
  readonly kind: Vendor["kind"];
  readonly baseUrl: string | Secret;
  readonly apiKey: Secret | null;
}

/** When a target is one. */
export interface When {
  readonly models?: readonly string[];
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Where requests of a name may go. */
export type Target = ({ readonly provider: string; readonly model: string } | { readonly route: string }) & {
  readonly priority: number;
  readonly weight: number;
  readonly when?: When;
};

/** How requests of a name go on, as the API of routes has it. */
export type Settings = Readonly<Record<string, unknown>>;

/** A name that callers send, and what it leads to. */
export interface Name {
  readonly name: string;
  readonly targets: Target[];
  settings: Settings;
  /** How much its model takes and gives, where somebody said so. */
  limits: { readonly context_tokens?: number; readonly max_output_tokens?: number };
}

/** One write to the API. */
export interface Step {
  readonly kind: "provider" | "price" | "alias" | "route" | "budget" | "key";
  readonly name: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Fields of the body whose values are filled in when it is applied, and never shown. */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** Fields by which a row that is there already is known as this one. */
  readonly known: readonly string[];
}

const PROVIDER_NAME_MAX = 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** Why no alias or route can be called so; null where one can. */
export function nameFault(name: string): string | null {
  if (name === "auto") return "auto has a model chosen for each request, and is no name for one";
  return NAME.test(name.replace("*", "x")) ? null : "a name here is of letters, digits and . _ : / -, with at most one *";
}

/** What a configuration comes to here, as it is read. */
export class Blueprint {
  readonly #source: string;
  readonly #providers = new Map<string, Provider>();
  readonly #names = new Map<string, Name>();
  readonly #rest: Step[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  get names(): readonly Name[] {
    return [...this.#names.values()];
  }

  /** Variables of the environment that credentials and addresses are read from. */
  get variables(): ReadonlySet<string> {
    const secrets = [...this.#providers.values()].flatMap(({ apiKey, baseUrl }) => [apiKey, baseUrl]);
    const named = secrets.filter((secret) => secret !== null && typeof secret === "object").filter((secret) => "variable" in secret);
    return new Set(named.map(({ variable }) => variable));
  }

  /** The provider for a vendor at an address with a key, made where there is none; its name. */
  provider(wished: string, { kind, baseUrl, apiKey }: Omit<Provider, "name">): string {
    const identity = JSON.stringify([kind, baseUrl, apiKey]);
    const known = this.#providers.get(identity);
    if (known) return known.name;
    const stem = wished.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, PROVIDER_NAME_MAX - 3); // prettier-ignore
    const free = stem === "" || stem === "tollgate" ? "imported" : stem;
    const taken = new Set([...this.#providers.values()].map(({ name }) => name));
    let name = free;
    for (let at = 2; taken.has(name); at++) name = `${free}-${at}`;
    this.#providers.set(identity, { name, kind, baseUrl, apiKey });
    return name;
  }

  /** The name that callers send, made where there is none; one that leads to another is made after it. */
  name(name: string): Name {
    const known = this.#names.get(name) ?? { name, targets: [], settings: {}, limits: {} };
    this.#names.set(name, known);
    return known;
  }

  /** The name, where something leads there. */
  find(name: string): Name | undefined {
    return this.#names.get(name);
  }

  /** A price of a provider's model, by USD for a million tokens. False where another price was given for it before. */
  price(provider: string, model: string, { rates, tiers }: { readonly rates: Settings; readonly tiers: readonly Settings[] }): boolean {
    const body = { provider, model, rates, ...(tiers.length > 0 ? { tiers } : {}), source: `imported from ${this.#source}` };
    const name = `${provider}/${model}`;
    const before = this.#rest.find((step) => step.kind === "price" && step.name === name);
    if (before) return JSON.stringify(before.body) === JSON.stringify(body);
    this.#rest.push({ kind: "price", name, path: "/prices", body, secrets: {}, known: ["provider", "model", "source"] });
    return true;
  }

  /** A budget of the whole deployment. */
  budget(window: string, limit_usd: string): void {
    const body = { scope: { kind: "deployment" }, window, limit_usd };
    this.#rest.push({
      kind: "budget",
      name: `${limit_usd} USD a ${window}`,
      path: "/budgets",
      body,
      secrets: {},
      known: ["scope", "window"],
    });
  }

  /** A key; its secret is shown once, when it is made. */
  key(name: string, body: Settings): void {
    this.#rest.push({ kind: "key", name, path: "/keys", body: { name, ...body }, secrets: {}, known: ["name"] });
  }

  /** The writes, in an order in which each finds what it refers to. */
  steps(): Step[] {
    const of = (kind: Step["kind"]) => this.#rest.filter((step) => step.kind === kind);
    const names = this.names.flatMap((each) => nameStep(each) ?? []);
    const aliases = names.filter(({ kind }) => kind === "alias");
    const routes = names.filter(({ kind }) => kind === "route");
    return [...[...this.#providers.values()].map(providerStep), ...of("price"), ...aliases, ...routes, ...of("budget"), ...of("key")];
  }
}

function providerStep({ name, kind, baseUrl, apiKey }: Provider): Step {
  const plain = typeof baseUrl === "string";
  const secrets = { ...(plain ? {} : { base_url: baseUrl }), ...(apiKey ? { api_key: apiKey } : {}) };
  return {
    kind: "provider",
    name,
    path: "/providers",
    body: { name, kind, ...(plain ? { base_url: baseUrl } : {}) },
    secrets,
    known: ["name"],
  };
}

/** Whether a name is one other name for one model, and nothing else is said of it. */
export function isAlias({ name, targets, settings }: Name): boolean {
  const [target] = targets;
  const plain = target !== undefined && "provider" in target && !target.when;
  return plain && targets.length === 1 && !name.includes("*") && Object.keys(settings).length === 0;
}

/** A name with one target and nothing else to say is an alias, and none at all where it is what the target is called anyway. */
function nameStep(named: Name): Step | null {
  const { name, targets, settings, limits } = named;
  const [target] = targets;
  if (!target) return null;
  const common = { name, secrets: {}, known: ["name"] };
  if (!("provider" in target) || !isAlias(named))
    return { ...common, kind: "route", path: "/routes", body: { name, ...settings, targets } };
  const { provider, model } = target;
  if (name === `${provider}/${model}` && Object.keys(limits).length === 0) return null;
  return { ...common, kind: "alias", path: "/models", body: { name, provider, model, ...limits } };
}
