import { Account, type Part } from "./account.ts";
import { perMillion } from "./amounts.ts";
import { Blueprint, isAlias, nameFault, type Secret, type Target } from "./blueprint.ts";
import { readSettings, WAYS_ON } from "./litellm-settings.ts";
import { isVendor, type Vendor, vendorOf } from "./vendors.ts";

/** A configuration as it was read: what it comes to, and what became of each of its values. */
export interface Imported {
  readonly blueprint: Blueprint;
  readonly account: Account;
}

const VARIABLE = "os.environ/";
const CREDENTIALS = ["api_key", "api_base", "base_url"] as const;
/** What LiteLLM's price fields are called here. */
const RATES: Readonly<Record<string, string>> = {
  input_cost_per_token: "input",
  output_cost_per_token: "output",
  cache_read_input_token_cost: "cache_read",
  cache_creation_input_token_cost: "cache_write_5m",
  cache_creation_input_token_cost_above_1hr: "cache_write_1h",
  output_cost_per_reasoning_token: "reasoning",
  input_cost_per_audio_token: "audio_input",
  output_cost_per_audio_token: "audio_output",
};
const TIERED = /^(input|output)_cost_per_token_above_(\d+)k_tokens$/;

/** Reads LiteLLM's `config.yaml`. */
export function readLitellm(document: unknown): Imported {
  const account = new Account(document);
  const blueprint = new Blueprint("LiteLLM");
  const { root } = account;
  const credentials = new Map(root.at("credential_list").items.map((each) => [each.at("credential_name").text, each]));
  const models = root.at("model_list").items;
  for (const model of models) readModel(model, credentials, blueprint);
  readSettings(root, blueprint);
  // Only now it is known which names are aliases.
  for (const model of models) {
    readLimits(model, blueprint);
    leftOver(model);
  }
  for (const [name, part] of root.at("environment_variables").entries) {
    const needed = blueprint.variables.has(name);
    if (needed) part.to(`the environment variable ${name}, which is read when the plan is applied`);
    else part.left("no credential here is read from it; the gateway's own variables are set where it is deployed");
  }
  root.at("credential_list").left("it is no part of a credential that a model of this file names");
  return { blueprint, account };
}

function readModel(entry: Part, credentials: ReadonlyMap<string | null, Part>, blueprint: Blueprint): void {
  const [params, info] = [entry.at("litellm_params"), entry.at("model_info")];
  const [called, full] = [entry.at("model_name"), params.at("model")];
  if (called.text === null || full.text === null) return void entry.left("it names no model");
  const fault = nameFault(called.text);
  if (fault !== null) return void entry.left(fault);
  const { vendor, model } = modelOf(full.text);
  if (typeof vendor === "string") return void entry.left(vendor);
  const provider = providerOf(vendor, { params, credentials, blueprint });
  if (provider === null) return void entry.left(`${vendor.name} has no address of its own: api_base is missing`);
  full.to(`provider ${provider}, model ${model}`);
  readPrices([params, info], { provider, model }, blueprint);
  if (model === "*" && called.text !== "*") {
    called.to(`every model of the provider, as ${provider}/<model>`);
    return;
  }
  const name = blueprint.name(called.text);
  called.to(`the name ${called.text}`);
  name.targets.push(targetOf(params, { provider, model }));
  for (const [field, way] of Object.entries(WAYS_ON)) {
    const setting = way(params.at(field));
    if (setting) name.settings = { ...name.settings, ...setting };
  }
}

/** The vendor and its model that LiteLLM means by a model's text. */
function modelOf(text: string): { readonly vendor: Vendor | string; readonly model: string } {
  const slash = text.indexOf("/");
  const prefix = text.slice(0, Math.max(0, slash));
  if (prefix !== "" && isVendor(prefix)) return { vendor: vendorOf(prefix), model: text.slice(slash + 1) };
  if (prefix !== "") return { vendor: vendorOf(prefix), model: text };
  return { vendor: vendorOf(text.startsWith("claude") ? "anthropic" : "openai"), model: text };
}

interface Place {
  readonly params: Part;
  readonly credentials: ReadonlyMap<string | null, Part>;
  readonly blueprint: Blueprint;
}

/** The provider that a deployment is called at; null where nobody says where it is. */
function providerOf(vendor: Vendor, { params, credentials, blueprint }: Place): string | null {
  const named = params.at("litellm_credential_name");
  const shared = credentials.get(named.text);
  const values = shared?.at("credential_values");
  const [key, base, other] = CREDENTIALS.map((name) => {
    const within = values?.at(name);
    return within?.present ? within : params.at(name);
  }) as [Part, Part, Part];
  const address = base.present ? base : other;
  const baseUrl = address.text === null ? vendor.baseUrl : secretOr(address.text);
  if (baseUrl === null) return null;
  const provider = blueprint.provider(vendor.name, { kind: vendor.kind, baseUrl, apiKey: key.text === null ? null : secretOf(key.text) });
  key.to(`provider ${provider}: its credential`);
  address.to(`provider ${provider}: its address`);
  named.to(`provider ${provider}`);
  shared?.at("credential_name").to(`provider ${provider}`);
  return provider;
}

function secretOf(text: string): Secret {
  return text.startsWith(VARIABLE) ? { variable: text.slice(VARIABLE.length) } : { literal: text };
}

function secretOr(text: string): string | Secret {
  return text.startsWith(VARIABLE) ? secretOf(text) : text;
}

function targetOf(params: Part, place: { readonly provider: string; readonly model: string }): Target {
  const [weight, order, tags] = [params.at("weight"), params.at("order"), params.at("tags")];
  weight.to("the target's weight");
  order.to("the target's priority");
  tags.to("the target's tags");
  return {
    ...place,
    priority: Math.max(0, Math.trunc(order.number ?? 0)),
    weight: weight.number ?? 1,
    ...(tags.texts.length > 0 && { when: { tags: tags.texts } }),
  };
}

/** Prices stand in either of two places; LiteLLM takes that of `litellm_params` first. */
function readPrices(
  places: readonly Part[],
  { provider, model }: { readonly provider: string; readonly model: string },
  blueprint: Blueprint,
): void {
  const read = places.flatMap(({ entries }) => entries).flatMap(([field, part]) => rateOf(field, part) ?? []);
  if (read.length === 0) return;
  const taken = model !== "*" && blueprint.price(provider, model, listOf(read));
  for (const { part } of read) {
    if (taken) part.to(`the price of ${provider}/${model}`);
    else part.left(`${provider}/${model} has another price already, and a model has one price at a time`);
  }
}

interface Rate {
  readonly part: Part;
  readonly name: string;
  /** Input tokens from which on it holds; null for any. */
  readonly above: number | null;
  readonly usd: string;
}

/** A field as a rate; null for one that is none. */
function rateOf(field: string, part: Part): Rate | null {
  const [, side, thousands] = TIERED.exec(field) ?? [];
  const name = side ?? RATES[field];
  if (name === undefined) return null;
  const usd = part.number === null ? null : perMillion(part.number);
  if (usd === null) part.left("is no price");
  return usd === null ? null : { part, name, above: thousands === undefined ? null : Number(thousands) * 1_000, usd };
}

/** Rates as a price has them. Of two of a name the first holds. */
function listOf(read: readonly Rate[]) {
  const named = (rates: readonly Rate[]) => Object.fromEntries(rates.toReversed().map(({ name, usd }) => [name, usd]));
  const tiers = [...Map.groupBy(read, ({ above }) => above)].flatMap(([above, rates]) => (above === null ? [] : [{ above_input_tokens: above, rates: named(rates) }])); // prettier-ignore
  const rates = named(read.filter(({ above }) => above === null));
  return { rates, tiers: tiers.toSorted((a, b) => a.above_input_tokens - b.above_input_tokens) };
}

/** How much a model takes and gives, which an alias says of the model that it stands for. */
function readLimits(entry: Part, blueprint: Blueprint): void {
  const name = blueprint.find(entry.at("model_name").text ?? "");
  if (!name) return;
  const info = entry.at("model_info");
  const input = info.at("max_input_tokens");
  const output = info.at("max_output_tokens").present ? info.at("max_output_tokens") : info.at("max_tokens");
  const alias = isAlias(name);
  if (alias && input.number !== null) name.limits = { ...name.limits, context_tokens: input.number };
  if (alias && output.number !== null) name.limits = { ...name.limits, max_output_tokens: output.number };
  for (const part of [input, output]) {
    if (alias) part.to(`the alias ${name.name}`);
    else part.left("aliases say how much their model takes; of a route's models the price table does");
  }
}

/** What a deployment says that is said elsewhere here, or not at all. */
const LEFT: Readonly<Record<string, string>> = {
  rpm: "limits of pace stand on keys, not on upstreams",
  tpm: "limits of pace stand on keys, not on upstreams",
  max_parallel_requests: "limits of pace stand on keys, not on upstreams",
  max_budget: "budgets stand on the deployment, teams, users, keys and tags, not on upstreams",
  budget_duration: "budgets stand on the deployment, teams, users, keys and tags, not on upstreams",
  organization: "no header of OpenAI's is added; a key of the organisation's project says the same",
  api_version: "the vendor's own default holds",
  drop_params: "what a dialect cannot say and may be ignored is always dropped, and named in x-tollgate-dropped",
  id: "deployments have no ids of their own here",
  mode: "a model does what it is called for",
  base_model: "a price is found by the model's own name; give one where it has none",
  litellm_provider: "the provider is read from the model's name",
};

function leftOver(entry: Part): void {
  for (const [name, part] of [...entry.at("litellm_params").entries, ...entry.at("model_info").entries]) {
    const supports = name.startsWith("supports_") ? "what a model can do is not declared" : null;
    part.left(LEFT[name] ?? supports ?? "no parameters are added to requests: what a caller sends is what the provider gets");
  }
}
