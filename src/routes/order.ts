import type { RouteBook } from "./book.ts";
import type { Place, Route, RouteTarget, When } from "./contract.ts";
import { matched } from "./pattern.ts";

/** What the order of a route's places depends on beside the route. */
export interface Circumstances {
  /** The model as the caller named it. */
  readonly asked: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Of the request: two with one id are ordered alike. */
  readonly id: string;
  readonly session: string | null;
  readonly routes: RouteBook;
  /** Milliseconds to the first byte lately; null where it is not known, and then it is tried. */
  readonly latencyOf: (place: Place) => number | null;
  /** What the request likely costs there, in any unit; null where it cannot go there. */
  readonly costOf: (place: Place) => number | null;
}

/** The places that a request may go to, best first; none stands there twice. Other routes stand for their own places, in their own order. */
export function order(route: Route, about: Circumstances): Place[] {
  const places = walk(route, about, new Set());
  return [...new Map(places.map((place) => [`${place.provider}/${place.model}`, place])).values()];
}

/** A target with the places that it leads to. */
interface Way {
  readonly target: RouteTarget;
  readonly index: number;
  readonly places: readonly Place[];
}

/** `above` holds the routes that lead here: one of them leads nowhere, so that rows which were written around each other end. */
function walk(route: Route, about: Circumstances, above: ReadonlySet<string>): Place[] {
  const within = new Set([...above, route.name]);
  const star = matched(route.name, about.asked) ?? "";
  const ways = route.targets.flatMap((target, index): Way[] => {
    if (!applies(target.when, about)) return [];
    const places = placesOf(target, star, about, within);
    return places.length === 0 ? [] : [{ target, index, places }];
  });
  const groups = [...Map.groupBy(ways, ({ target }) => target.priority)].toSorted(([a], [b]) => a - b);
  return groups.flatMap(([, group]) => ranked(group, route, about)).flatMap(({ places }) => places);
}

function placesOf(target: RouteTarget, star: string, about: Circumstances, within: ReadonlySet<string>): Place[] {
  if (!("route" in target)) return [{ provider: target.provider, model: target.model.replace("*", () => star) }];
  const next = within.has(target.route) ? null : about.routes.named(target.route);
  return next ? walk(next, about, within) : [];
}

function applies({ models, tags, metadata }: When, about: Circumstances): boolean {
  return (
    (models.length === 0 || models.some((pattern) => matched(pattern, about.asked) !== null)) &&
    (tags.length === 0 || tags.some((tag) => about.tags.includes(tag))) &&
    Object.entries(metadata).every(([name, value]) => about.metadata[name] === value)
  );
}

/** Targets of one priority, best first; equal ones as they are listed. */
function ranked(group: readonly Way[], { strategy, sticky }: Route, about: Circumstances): Way[] {
  const session = sticky ? about.session : null;
  const drawn = strategy === "weighted" || (strategy === "latency" && session !== null);
  const rank = (way: Way): number => {
    if (drawn) return draw(session ?? about.id, way);
    if (strategy === "latency") return Math.min(...way.places.map((place) => about.latencyOf(place) ?? -1));
    if (strategy === "cost") return Math.min(...way.places.map((place) => about.costOf(place) ?? Infinity));
    return way.index;
  };
  const ranks = new Map(group.map((way) => [way, rank(way)]));
  return group.toSorted((a, b) => ascending(ranks.get(a)!, ranks.get(b)!) || a.index - b.index);
}

function ascending(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/**
 * Weighted rendezvous: the least draw goes first, each as often as its weight says, and a target that comes or goes moves only the
 * seeds that it wins or had won.
 */
function draw(seed: string, { target, places: [place] }: Way): number {
  const name = "route" in target ? target.route : `${place!.provider}/${place!.model}`;
  return -Math.log(fraction(`${seed}\n${name}`)) / target.weight;
}

/** Names in an order of the seed's own: each goes first as often as any other. */
export function spread<Item>(items: readonly Item[], seed: string, nameOf: (item: Item) => string): Item[] {
  const drawn = items.map((item) => ({ item, at: fraction(`${seed}\n${nameOf(item)}`) }));
  return drawn.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}

/** A text's place between 0 and 1, both exclusive: FNV-1a, mixed as MurmurHash3 ends, since alike texts must not land side by side. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 0x1_0000_0000;
}
