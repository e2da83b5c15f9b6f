import { Account, type Part } from "./account.ts";
import { Blueprint, type Secret, type Settings, type Target, type When } from "./blueprint.ts";
import type { Imported } from "./litellm.ts";
import { conditionsOf } from "./portkey-conditions.ts";
import { type Vendor, vendorOf, vendorWithin } from "./vendors.ts";

/** What a Portkey configuration does not say itself. */
export interface Told {
  /** What callers are to send as the model; Portkey's send the configuration's id in a header. */
  readonly name: string;
  /** The vendors behind virtual keys, by the keys' names. */
  readonly virtualKeys: Readonly<Record<string, string>>;
}

const RETRIES_MAX = 5;
const STRATEGIES: Readonly<Record<string, string>> = {
  single: "priority",
  fallback: "priority",
  loadbalance: "weighted",
  conditional: "priority",
};
const GUARDED = "what may be said is decided by policies: tollgate policy push";
/** What stands in a configuration and is said elsewhere here, or not at all. */
const LEFT: Readonly<Record<string, string>> = {
  retry: "the targets of a route share its retries",
  request_timeout: "the targets of a route share its deadline",
  on_status_codes: "the targets of a route share its fall_back_on",
  cache: "caching is a setting of each key",
  input_guardrails: GUARDED,
  output_guardrails: GUARDED,
  before_request_hooks: GUARDED,
  after_request_hooks: GUARDED,
  default_input_guardrails: GUARDED,
  default_output_guardrails: GUARDED,
  forward_headers: "headers of the vendors' own pass, and no others",
  custom_headers: "no headers are added to requests",
  metadata: "metadata comes with each request, in x-tollgate-metadata",
  openai_organization: "no header of OpenAI's is added; a key of the project says the same",
  openai_project: "no header of OpenAI's is added; a key of the project says the same",
  id: "configurations have no ids here: callers send the route's name as the model",
  name: "callers send the route's name as the model",
  strict_open_ai_compliance: "answers are in the caller's own dialect, always",
};

/** Reads one configuration of Portkey's. */
export function readPortkey(document: unknown, told: Told): Imported {
  const account = new Account(document);
  const blueprint = new Blueprint("Portkey");
  const { root } = account;
  // What the API answers with holds the configuration under a name of its own.
  const config = root.at("config").present ? root.at("config") : root;
  const reader = new Reader(blueprint, told);
  const settings = reader.settings(config);
  const targets = reader.targets(config, {});
  // What callers send is all that a route has of their model: where it matters, it stands behind the route's name.
  const open = targets.some((target) => ("model" in target && target.model === "*") || target.when?.models !== undefined);
  const name = blueprint.name(open ? `${told.name}/*` : told.name);
  name.targets.push(...targets.map((target) => behind(told.name, target)));
  name.settings = { ...settings, strategy: strategyOf(config) };
  leftOver(config);
  root.left("is no part of a configuration");
  return { blueprint, account };
}

function behind(name: string, target: Target): Target {
  const models = target.when?.models?.map((model) => `${name}/${model}`);
  return models ? { ...target, when: { ...target.when, models } } : target;
}

function strategyOf(config: Part): string {
  return STRATEGIES[config.at("strategy", "mode").text ?? "single"] ?? "priority";
}

const NAMELESS = "it names no provider, and no virtual key of which one is known: --virtual-key <name>=<provider>";

/** What a target has of those that it stands in. */
interface Inherited {
  readonly vendor?: Vendor;
  readonly apiKey?: Secret;
}

class Reader {
  readonly #blueprint: Blueprint;
  readonly #told: Told;
  #nested = 0;
  #depth = 0;

  constructor(blueprint: Blueprint, told: Told) {
    this.#blueprint = blueprint;
    this.#told = told;
  }

  /** The targets of a configuration, in the order that its strategy gives them. */
  targets(config: Part, inherited: Inherited): Target[] {
    const mode = config.at("strategy", "mode");
    const known = STRATEGIES[mode.text ?? "single"];
    if (known === undefined) mode.left("no strategy here is like it: the targets are tried in their order");
    else mode.to(`the route's strategy: ${known}`);
    const list = config.at("targets").items;
    if (list.length === 0) return this.#target(config, inherited, 0);
    if (mode.text === "conditional") return this.#conditional(config, list, inherited);
    return list.flatMap((each, at) => this.#target(each, inherited, mode.text === "loadbalance" ? 0 : at));
  }

  /** How requests go on, as routes have it. */
  settings(config: Part): Settings {
    const [attempts, statuses, others] = [config.at("retry", "attempts"), config.at("retry", "on_status_codes"), config.at("strategy", "on_status_codes")]; // prettier-ignore
    const timeout = config.at("request_timeout");
    const codes = [...new Set([...statuses.items, ...others.items].flatMap(({ number }) => number ?? []))].filter((code) => code >= 400);
    for (const part of [statuses, others]) part.to("the route's fall_back_on");
    config.at("retry", "use_retry_after_header").left("retry-after is obeyed, always");
    return {
      ...(attempts.number !== null && { retries: Math.min(RETRIES_MAX, attempts.to("the route's retries").number!) }),
      ...(timeout.number !== null && { timeout_ms: timeout.to("the route's timeout_ms").number! }),
      ...(codes.length > 0 && { fall_back_on: codes }),
    };
  }

  /** Conditions are tried in their order, then what holds without one. Behind the first that holds, the later ones stand by. */
  #conditional(config: Part, list: readonly Part[], inherited: Inherited): Target[] {
    const byName = new Map(list.map((each) => [each.at("name").text, each]));
    const conditions = config.at("strategy", "conditions").items;
    const taken = conditions.flatMap((condition, at): Target[] => {
      const [then, when] = [condition.at("then"), conditionsOf(condition.at("query"))];
      const target = byName.get(then.text);
      if (!target || when === null) {
        then.left(target ? "its condition has no counterpart" : "names no target of the configuration");
        return [];
      }
      then.to("a target of the route, with a condition");
      return when.flatMap((each) => this.#target(target, inherited, at, each));
    });
    const otherwise = config.at("strategy", "default");
    const last = byName.get(otherwise.text);
    otherwise.to("the route's last target");
    for (const each of list) each.at("name").to("what its conditions call the target");
    return [...taken, ...(last ? this.#target(last, inherited, conditions.length) : [])];
  }

  #target(part: Part, above: Inherited, priority: number, when?: When): Target[] {
    const weight = part.at("weight").to("the target's weight").number ?? 1;
    const standing = { priority, weight, ...(when && { when }) };
    if (part.at("targets").items.length > 0) return [{ route: this.#inner(part, above), ...standing }];
    const place = this.#place(part, above);
    leftOver(part);
    return place ? [{ ...place, ...standing }] : [];
  }

  /** A configuration within a configuration is a route that the outer one leads to. */
  #inner(config: Part, above: Inherited): string {
    const vendor = this.#vendor(config, above);
    const number = ++this.#nested;
    const settings = this.settings(config);
    this.#depth++;
    const targets = this.targets(config, { ...above, ...(typeof vendor === "object" && { vendor }) });
    this.#depth--;
    // Named once what it leads to is, so that no route comes before one that it needs.
    const name = this.#blueprint.name(`${this.#told.name}-${number}`);
    name.settings = { ...settings, strategy: strategyOf(config) };
    name.targets.push(...targets);
    leftOver(config);
    return name.name;
  }

  #place(part: Part, above: Inherited): { readonly provider: string; readonly model: string } | null {
    const vendor = this.#vendor(part, above);
    if (typeof vendor === "string") {
      part.left(vendor);
      return null;
    }
    const baseUrl = part.at("custom_host").text ?? vendor.baseUrl;
    if (baseUrl === null) {
      part.left(`${vendor.name} has no address of its own: custom_host is missing`);
      return null;
    }
    const model = part.at("override_params", "model");
    if (model.text === null && this.#depth > 0) {
      part.left("a route that another one leads to does not see the caller's model: give it one in override_params");
      return null;
    }
    const apiKey = keyOf(part) ?? above.apiKey ?? null;
    const provider = this.#blueprint.provider(slugOf(part) ?? vendor.name, { kind: vendor.kind, baseUrl, apiKey });
    for (const field of ["provider", "api_key", "custom_host", "virtual_key"]) part.at(field).to(`provider ${provider}`);
    return { provider, model: model.to(`provider ${provider}: the model`).text?.replace(/^@[^/]+\//, "") ?? "*" };
  }

  /** The vendor of a target: as it is named, as somebody told of its virtual key, or as the key's name tells; else why there is none. */
  #vendor(part: Part, above: Inherited): Vendor | string {
    const slug = slugOf(part);
    const toldOf = slug === null ? undefined : this.#told.virtualKeys[slug];
    if (toldOf !== undefined) return vendorOf(toldOf);
    if (slug !== null) return vendorWithin(slug) ?? NAMELESS;
    const named = part.at("provider").text;
    return named === null ? (above.vendor ?? NAMELESS) : vendorOf(named);
  }
}

/** The name of a key that Portkey keeps: of a virtual key, or of a provider in its catalogue, as `@name`. */
function slugOf(part: Part): string | null {
  const named = [part.at("virtual_key").text, part.at("provider").text, part.at("override_params", "model").text];
  const [virtual, provider, model] = named;
  if (virtual !== null && virtual !== undefined) return virtual;
  return [provider, model?.split("/")[0]].find((text) => text?.startsWith("@"))?.slice(1) ?? null;
}

/** A target's credential. One that Portkey keeps is read from a variable that is named after its key. */
function keyOf(part: Part): Secret | null {
  const key = part.at("api_key").text;
  if (key !== null) return { literal: key };
  const slug = slugOf(part);
  return slug === null ? null : { variable: `${slug.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_")}_API_KEY` };
}

function leftOver(config: Part): void {
  for (const [, part] of config.at("override_params").entries)
    part.left("no parameters are added to requests: what a caller sends is what the provider gets");
  config.at("strategy").left("there is no such setting here");
  for (const [name, part] of config.entries) {
    if (name === "targets") continue;
    const cloud = /^(azure|aws|vertex|amzn|oracle|snowflake|workers_ai|huggingface)/.test(name);
    part.left(LEFT[name] ?? (cloud ? "it serves a vendor that no provider kind here calls" : "there is no such setting here"));
  }
}
