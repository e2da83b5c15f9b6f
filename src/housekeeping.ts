import { pruneRequests } from "#audit";
import { type Platform, pruneIdempotency } from "#http";

const DAY_MS = 86_400_000;

/** What the clock does every ten minutes: drops what has outlived its time. Cost records and audit entries are kept for good. */
export async function housekeeping({ db, config, now }: Platform): Promise<void> {
  await pruneIdempotency(db, now());
  await pruneRequests(db, now() - config.TOLLGATE_REQUEST_LOG_DAYS * DAY_MS);
}
