import { attempt, concluded, totalMsOf } from "./attempt.ts";
import type { Gateway } from "./contract.ts";
import type { Hold } from "./hold.ts";
import { type Dispatched, Trip } from "./trip.ts";

/**
 * Sends a request to its target, or to one target of its route after the other until one answers. When nothing comes back the hold is
 * ended here: at nothing where the upstream was never reached, at its reservation where it may have worked and billed.
 * @throws TollgateError `upstream_error`, `upstream_timeout`, each listing the attempts.
 */
export async function dispatch(hold: Hold, at: Gateway): Promise<Dispatched> {
  const { course } = hold.draft;
  if (course !== null) {
    await using trip = new Trip(hold.move(), course, at);
    return await trip.run();
  }
  const tried = await attempt(
    hold,
    { totalMs: totalMsOf(hold.draft, at), firstByteMs: at.config.TOLLGATE_TIMEOUT_FIRST_BYTE_S * 1000 },
    at,
  );
  if ("error" in tried) throw concluded(hold, tried, at);
  return { answer: tried, hold: hold.move() };
}
