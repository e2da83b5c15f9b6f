import { and, desc, eq, isNotNull, isNull, ne, type SQL } from "drizzle-orm";
import { type Page, paged, type Paging, after, tables } from "#db";
import type { TaskState, TaskStatus, TaskView } from "./contract.ts";
import { withCosts } from "./money.ts";
import type { TaskPlatform } from "./platform.ts";

const { tasks } = tables;
/** So many objects are told at once. */
const TOLD_AT_ONCE = 50;
/** The longest page: each of its tasks is asked for its state. */
const PAGE_MAX = 100;

/** Which tasks are meant; all of them where nothing is named. */
export interface TaskFilter {
  readonly key?: string;
  readonly team?: string;
  readonly status?: TaskStatus;
}

type Placed = Pick<TaskState, "id" | "team">;

/** Everybody's tasks, for those who answer for them. */
export class Oversight {
  readonly #platform: TaskPlatform;

  constructor(platform: TaskPlatform) {
    this.#platform = platform;
  }

  /** Tasks, newest first. A page may be short: it is of a hundred at most, and whether one that has not ended runs yet, it alone knows. */
  async list(filter: TaskFilter, { limit: asked, cursor }: Paging): Promise<Page<TaskView>> {
    const limit = Math.min(asked, PAGE_MAX);
    const rows = await this.#platform.db
      .select({ id: tasks.id, createdAt: tasks.createdAt })
      .from(tasks)
      .where(and(...conditions(filter), after(tasks, cursor)))
      .orderBy(desc(tasks.createdAt), desc(tasks.id))
      .limit(limit + 1);
    const page = paged(rows, limit);
    const states = await Promise.all(page.rows.map(({ id }) => this.#state(id)));
    const meant = states.filter((state) => state !== null).filter(({ status }) => filter.status === undefined || status === filter.status);
    return { rows: await withCosts(this.#platform.ledger, meant), next: page.next };
  }

  /** One of them; null where there is none. */
  async get(id: string): Promise<TaskView | null> {
    const [row] = await this.#platform.db.select({ id: tasks.id }).from(tasks).where(eq(tasks.id, id));
    const state = row ? await this.#state(id) : null;
    return state && ((await withCosts(this.#platform.ledger, [state]))[0] ?? null);
  }

  /** Ends every task that is meant and has not ended; says how many. */
  async cancel(filter: Omit<TaskFilter, "status">): Promise<number> {
    const open = await this.#platform.db
      .select({ id: tasks.id, team: tasks.team })
      .from(tasks)
      .where(and(...conditions(filter), isNull(tasks.endedAt)));
    await this.end(open);
    return open.length;
  }

  /** Ends tasks: their money first, by which no call of theirs is admitted any more, begun or still about to begin; then what runs. */
  async end(placed: readonly Placed[]): Promise<void> {
    const { ledger, objects } = this.#platform;
    const byTeam = [...Map.groupBy(placed, ({ team }) => team)];
    await Promise.all(byTeam.map(([team, its]) => ledger(team).endLeases(its.map(({ id }) => id))));
    for (let at = 0; at < placed.length; at += TOLD_AT_ONCE)
      await Promise.all(placed.slice(at, at + TOLD_AT_ONCE).map(({ id }) => objects.getByName(id).cancel()));
  }

  #state(id: string): Promise<TaskState | null> {
    return this.#platform.objects.getByName(id).view();
  }
}

function conditions({ key, team, status }: TaskFilter): (SQL | undefined)[] {
  return [key === undefined ? undefined : eq(tasks.key, key), team === undefined ? undefined : eq(tasks.team, team), inRow(status)];
}

/** What a task's row knows of its state. */
function inRow(status: TaskStatus | undefined): SQL | undefined {
  switch (status) {
    case undefined:
      return undefined;
    case "pending":
    case "running":
    case "waiting_approval":
      return isNull(tasks.endedAt);
    case "completed":
      return eq(tasks.exitReason, "ok");
    case "cancelled":
      return eq(tasks.exitReason, "cancelled");
    case "failed":
      return and(isNotNull(tasks.endedAt), ne(tasks.exitReason, "ok"), ne(tasks.exitReason, "cancelled"));
  }
}
