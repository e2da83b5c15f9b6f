import type { CounterObject } from "./counters.do.ts";
import type { Counter, Ticket } from "./counters.ts";

/** One team's counters, as flows hold them. */
export interface Counters {
  take(counters: readonly Counter[]): Promise<Ticket[]>;
  giveBack(tickets: readonly { readonly counter: Counter; readonly slot: number }[]): Promise<void>;
}

/** The counters of a team, by the binding of their class. */
export function countersOf(namespace: DurableObjectNamespace<CounterObject>, team: string): Counters {
  const stub = () => namespace.getByName(team);
  return {
    take: async (counters) => stub().take(counters),
    giveBack: async (tickets) => stub().giveBack(tickets),
  };
}
