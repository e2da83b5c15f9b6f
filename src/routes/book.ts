import type { Place, Route } from "./contract.ts";
import { matched } from "./pattern.ts";

/** The routes of a deployment, by the names that they answer to. */
export class RouteBook {
  readonly #named: ReadonlyMap<string, Route>;
  /** Those with a `*`, the longest name first: it is the narrowest. */
  readonly #patterns: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#named = new Map(routes.map((route) => [route.name, route]));
    this.#patterns = routes.filter(({ name }) => name.includes("*")).toSorted((a, b) => b.name.length - a.name.length);
  }

  /** Every route. */
  all(): IterableIterator<Route> {
    return this.#named.values();
  }

  /** The route of exactly this name; null where there is none. */
  named(name: string): Route | null {
    return this.#named.get(name) ?? null;
  }

  /** The route whose pattern a name fits; null where there is none. */
  fitting(name: string): Route | null {
    return this.#patterns.find(({ name: pattern }) => matched(pattern, name) !== null) ?? null;
  }
}

/** Every place that a route can lead to for the model as it was asked for, whatever its conditions; as they are listed. */
export function everyPlace(route: Route, asked: string, routes: RouteBook, above: readonly string[] = []): Place[] {
  const star = matched(route.name, asked) ?? "";
  return route.targets.flatMap((target) => {
    if (!("route" in target)) return [{ provider: target.provider, model: target.model.replace("*", () => star) }];
    const next = above.includes(target.route) ? null : routes.named(target.route);
    return next ? everyPlace(next, asked, routes, [...above, route.name]) : [];
  });
}

/** The routes that a route leads through to itself again, itself first and last; null where none does. */
export function cycleOf(route: Pick<Route, "name" | "targets">, others: RouteBook): readonly string[] | null {
  const seen = new Set<string>();
  const walk = (at: Pick<Route, "targets">, path: readonly string[]): readonly string[] | null => {
    for (const target of at.targets) {
      if (!("route" in target)) continue;
      if (target.route === route.name) return [...path, route.name];
      const next = others.named(target.route);
      if (!next || seen.has(next.name)) continue;
      seen.add(next.name);
      const found = walk(next, [...path, next.name]);
      if (found) return found;
    }
    return null;
  };
  return walk(route, [route.name]);
}
