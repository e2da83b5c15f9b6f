import type { EventLog } from "./event-log.ts";
import type { Incident } from "./protocol.ts";

/** As many different ones are told of a job; what tries more hosts than that is known by then. */
const TOLD_MAX = 64;

/** What of a job is a matter of security. The same is told once, and that there was more is the last that is told. */
export class Incidents {
  readonly #events: EventLog;
  readonly #told = new Set<string>();

  constructor(events: EventLog) {
    this.#events = events;
  }

  tell(incident: Incident): void {
    const said = JSON.stringify(incident);
    if (this.#told.has(said) || this.#told.size > TOLD_MAX) return;
    this.#told.add(said);
    const data: Incident = this.#told.size > TOLD_MAX ? { event: "incidents_untold", told: TOLD_MAX } : incident;
    this.#events.add({ type: "security", data });
  }
}
