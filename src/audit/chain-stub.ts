import type { ChainObject } from "./chain.do.ts";
import type { Event } from "./contract.ts";
import type { Head } from "./seals.ts";

/** The keeper of the chains, as flows hold it. */
export interface AuditChain {
  seal(ids: readonly string[]): Promise<void>;
  heads(): Promise<Head[]>;
}

/** The deployment's keeper of chains, by the binding of its class. */
export function auditChainOf(namespace: DurableObjectNamespace<ChainObject>): AuditChain {
  const stub = () => namespace.getByName("chain");
  return {
    seal: async (ids) => stub().seal(ids),
    heads: async () => stub().heads(),
  };
}

/** Has those of written events that are audit entries sealed. Where it fails, the batch comes again: so each is sealed at least once. */
export async function sealEntries(chain: AuditChain, events: readonly Event[]): Promise<void> {
  const ids = events.flatMap((event) => (event.kind === "audit" ? [event.id] : []));
  if (ids.length > 0) await chain.seal(ids);
}
