import { TollgateError } from "#core";
import { accountOf, type Upstream } from "#providers";
import { conversationOf, type Elsewhere, itemIn, itemsOf, type Json, type Kept, responseOf } from "#responses";
import { type Ask, withInput, wrong } from "#wire";
import type { Arrival, Gateway } from "./contract.ts";

const PREVIOUS = "previous_response_id";
/** Responses, and items of a provider's, that one request may name; and how many are in memory at once, since each may be a conversation. */
const PLACES_MAX = 1_000;
const PLACES_AT_ONCE = 4;

/** Whether a request refers to what was said before; only those of Responses can. */
export function goesOn({ capability, body: { value } }: Ask): boolean {
  if (capability !== "responses") return false;
  return isNamed(value[PREVIOUS]) || isNamed(value["conversation"]) || itemsOf(value["input"]).some(isReference);
}

function isNamed(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** An item that is named by its id instead of being told; its type may be left out. */
function isReference(item: Json): boolean {
  return item["type"] === "item_reference" || (!isNamed(item["type"]) && !isNamed(item["role"]) && typeof item["id"] === "string");
}

/**
 * A request that goes on from what was said before, with all of that in its own input where it is kept here; with the name of the
 * provider that keeps it where one does. Tenants share a provider's account, so that what the caller does not own is not there.
 * @throws TollgateError `not_found`; `invalid_request`, `payload_too_large`.
 */
export async function resume(ask: Ask, arrival: Arrival, at: Gateway): Promise<Ask> {
  const { value } = ask.body;
  if (isNamed(value["conversation"])) {
    throw wrong(
      "conversation",
      "is not offered: a provider's conversations are its account's, which all keys share; previous_response_id goes on from a response",
    );
  }
  const from = previousOf(value[PREVIOUS]);
  const input = itemsOf(value["input"]);
  const find = (id: string) => at.responses.find({ key: arrival.caller.key, id });
  const before = from === null ? null : await owned(from, find);
  const named = await namedIn(input, find, at.config.TOLLGATE_MAX_BODY_BYTES);
  const items = input.map((item, index) => toldOf(item, index, named));
  const told = items.map((item, index) => (item.at === "provider" ? input[index]! : item.item));
  const holders = [before, ...items].flatMap((each) => (each?.at === "provider" ? [each] : []));
  const [heldBy = null] = holders;
  if (holders.some(({ provider, account }) => provider !== heldBy?.provider || account !== heldBy.account))
    throw wrong("input", "refers to items that different providers keep");
  const history = before?.at === "here" ? conversationOf(before) : [];
  if (before?.at !== "here" && told.every((item, index) => item === input[index])) return { ...ask, resumed: { from, heldBy } };
  const whole = withInput(ask, [...history, ...told], before?.at === "here");
  requireSize(whole, from, at);
  return { ...whole, resumed: { from, heldBy } };
}

function previousOf(value: unknown): string | null {
  if (!isNamed(value)) return null;
  if (typeof value !== "string") throw wrong(PREVIOUS, "must be a string");
  return value;
}

type Find = (id: string) => Promise<Kept | null>;

async function owned(id: string, find: Find): Promise<Kept> {
  const kept = await find(id);
  if (!kept) throw notThere(id, PREVIOUS);
  return kept;
}

/** An item as it stands, or what its reference stands for: told here, or left to its provider. */
type Told = { readonly at: "here"; readonly item: Json } | Elsewhere;

/**
 * What references stand for, by the id that they name; what is not there is not among it. A short reference may stand for much, and for
 * the same again and again: each place is looked up once and let go of, and what all of it comes to is known before it is told.
 * @throws TollgateError `invalid_request`, `payload_too_large`.
 */
async function namedIn(input: readonly Json[], find: Find, bytesMax: number): Promise<ReadonlyMap<string, Told>> {
  const counts = new Map<string, number>();
  for (const { id } of input.filter(isReference)) if (typeof id === "string") counts.set(id, (counts.get(id) ?? 0) + 1);
  const places = [...Map.groupBy(counts.keys(), (id) => responseOf(id) ?? id)];
  if (places.length > PLACES_MAX) throw wrong("input", `refers to more than ${PLACES_MAX} responses`);
  const named = new Map<string, Told>();
  let bytes = 0;
  const look = async () => {
    for (let next = places.pop(); next; next = places.pop()) {
      const [place, ids] = next;
      const kept = await find(place);
      for (const id of ids) {
        const told = kept && toldBy(kept, id);
        if (!told) continue;
        named.set(id, told);
        if (told.at === "here") bytes += JSON.stringify(told.item).length * counts.get(id)!;
        if (bytes > bytesMax) throw tooLarge("input", bytesMax);
      }
    }
  };
  await Promise.all(Array.from({ length: PLACES_AT_ONCE }, look));
  return named;
}

function toldBy(kept: Kept, id: string): Told | null {
  if (kept.at === "provider") return kept;
  const item = itemIn(kept, id);
  return item && { at: "here", item };
}

function toldOf(item: Json, index: number, named: ReadonlyMap<string, Told>): Told {
  if (!isReference(item)) return { at: "here", item };
  const [id, param] = [item["id"], `input.${index}.id`];
  if (typeof id !== "string") throw wrong(param, "must be a string");
  const told = named.get(id);
  if (!told) throw notThere(id, param);
  return told;
}

/** Whose an id is, is nobody's business: another key's looks as one that was never made. */
export function notThere(id: string, param?: string): TollgateError {
  const shown = JSON.stringify(id.slice(0, 64));
  return new TollgateError(
    "not_found",
    `There is nothing under the id ${shown} that this key could go on from; it was not kept, or not by this key`,
    {
      ...(param !== undefined && { param }),
    },
  );
}

function requireSize({ body }: Ask, from: string | null, { config }: Gateway): void {
  const bytesMax = config.TOLLGATE_MAX_BODY_BYTES;
  if (body.bytes.byteLength > bytesMax) throw tooLarge(from === null ? "input" : PREVIOUS, bytesMax);
}

function tooLarge(param: string, bytesMax: number): TollgateError {
  return new TollgateError("payload_too_large", `With what it goes on from, the request is larger than ${bytesMax} bytes`, { param });
}

/**
 * The upstream as a request may use it: what one account of a provider keeps, no other can go on with, and no other provider.
 * @throws TollgateError `invalid_request`.
 */
export function holderOf({ resumed }: Ask, upstream: Upstream): Upstream {
  const heldBy = resumed?.heldBy ?? null;
  if (heldBy === null) return upstream;
  const holder = heldBy.provider === upstream.name ? accountOf(upstream, heldBy.account) : null;
  if (holder) return holder;
  const param = resumed?.from === null ? "input" : PREVIOUS;
  throw wrong(
    param,
    `names what the provider ${heldBy.provider} keeps, which alone can go on with it; the model is one of ${upstream.name}`,
  );
}
