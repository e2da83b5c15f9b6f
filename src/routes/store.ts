import { desc, eq } from "drizzle-orm";
import { found, newId, taken, TollgateError } from "#core";
import { after, type Db, type Page, paged, type Paging, tables } from "#db";
import { cycleOf, RouteBook } from "./book.ts";
import type { Route, RouteTarget } from "./contract.ts";

const { routes } = tables;

/** A route as stored. */
export type RouteRow = typeof routes.$inferSelect;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** The routes of the deployment. */
export class RouteStore {
  readonly #db: Db;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Makes a route. @throws TollgateError `invalid_request` naming the field. */
  async create(route: Route): Promise<RouteRow> {
    if (!NAME.test(route.name.replace("*", "x")))
      throw new TollgateError("invalid_request", "name must be of letters, digits and . _ : / -, with at most one *", { param: "name" });
    if (route.name === "auto")
      throw new TollgateError("invalid_request", "name: auto has a model chosen for each request", { param: "name" });
    await this.#check(route);
    const now = this.#clock();
    const row = { id: newId("rte", now), ...stored(route), createdAt: now };
    const made = await this.#db.insert(routes).values(row).onConflictDoNothing().returning();
    if (made.length === 0) throw taken("name", "routes");
    return row;
  }

  /** The route, or null. */
  async get(id: string): Promise<RouteRow | null> {
    return (await this.#db.select().from(routes).where(eq(routes.id, id)))[0] ?? null;
  }

  /** Routes, newest first. */
  async list({ limit, cursor }: Paging): Promise<Page<RouteRow>> {
    const rows = await this.#db
      .select()
      .from(routes)
      .where(after(routes, cursor))
      .orderBy(desc(routes.createdAt), desc(routes.id))
      .limit(limit + 1);
    return paged(rows, limit);
  }

  /** Changes what is named. @throws TollgateError `not_found`, `invalid_request` naming the field. */
  async patch(id: string, changes: Partial<Omit<Route, "name">>): Promise<RouteRow> {
    const before = found(await this.get(id), "route");
    const next = { ...before, ...changes };
    await this.#check(next);
    const [row] = await this.#db.update(routes).set(stored(next)).where(eq(routes.id, id)).returning();
    return found(row, "route");
  }

  /** Removes a route; its name is unknown from then on. @throws TollgateError `not_found`, `invalid_request` where another leads to it. */
  async delete(id: string): Promise<RouteRow> {
    const row = found(await this.get(id), "route");
    const user = (await this.all()).find(({ targets }) => targets.some((target) => "route" in target && target.route === row.name));
    if (user) throw new TollgateError("invalid_request", `The route ${user.name} leads to this one; change that first`);
    await this.#db.delete(routes).where(eq(routes.id, id));
    return row;
  }

  /** Every route, for the directory. */
  all(): Promise<RouteRow[]> {
    return this.#db.select().from(routes);
  }

  async #check(route: Route): Promise<void> {
    const others = new RouteBook((await this.all()).filter(({ name }) => name !== route.name));
    for (const [index, target] of route.targets.entries()) checkTarget(route, { target, index, others });
    if (route.targets.every(({ weight }) => weight === 0))
      throw new TollgateError("invalid_request", "targets: one of them must have a weight above 0", { param: "targets" });
  }
}

interface Checked {
  readonly target: RouteTarget;
  readonly index: number;
  readonly others: RouteBook;
}

function checkTarget(route: Route, { target, index, others }: Checked): void {
  const wrong = (field: string, message: string) =>
    new TollgateError("invalid_request", `targets.${index}.${field}: ${message}`, { param: `targets.${index}.${field}` });
  if (!("route" in target)) {
    if (target.model.includes("*") && !route.name.includes("*")) throw wrong("model", "may hold a * only where the route's name does");
    return;
  }
  if (target.route !== route.name && !others.named(target.route)) throw wrong("route", `there is no route ${JSON.stringify(target.route)}`);
  const cycle = cycleOf({ name: route.name, targets: [target] }, others);
  if (cycle) throw wrong("route", `leads back to itself: ${cycle.join(" > ")}`);
}

function stored(route: Route): Omit<RouteRow, "id" | "createdAt"> {
  const { name, strategy, sticky, retries, backoffMs, timeoutMs, firstByteTimeoutMs, breaker } = route;
  const scalars = { name, strategy, sticky, retries, backoffMs, timeoutMs, firstByteTimeoutMs, breaker };
  return { ...scalars, targets: [...route.targets], fallBackOn: [...route.fallBackOn] };
}
