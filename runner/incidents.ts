import type { EventLog } from "./event-log.ts";
import type { Incident } from "./protocol.ts";

/** As many different ones of a kind are told of a job; what tries more hosts than that is known by then. */
const TOLD_MAX = 64;

/**
 * What of a job is a matter of security. The same is told once, and once that there was more than is told. Each kind has room of its own:
 * what an agent can do at will keeps nothing worse from being told.
 */
export class Incidents {
  readonly #events: EventLog;
  readonly #told = new Map<string, Set<string>>();
  #untold = false;

  constructor(events: EventLog) {
    this.#events = events;
  }

  tell(incident: Incident): void {
    const kind = "reason" in incident ? `${incident.event} ${incident.reason}` : incident.event;
    const told = this.#told.get(kind) ?? new Set();
    const said = JSON.stringify(incident);
    if (told.has(said)) return;
    if (told.size >= TOLD_MAX) return this.#more();
    this.#told.set(kind, told.add(said));
    this.#events.add({ type: "security", data: incident });
  }

  #more(): void {
    if (this.#untold) return;
    this.#untold = true;
    this.#events.add({ type: "security", data: { event: "incidents_untold", told: TOLD_MAX } });
  }
}
