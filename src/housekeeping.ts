import { checkpoints, fire, forget } from "#alerts";
import { pruneRequests } from "#audit";
import { checkPricesDaily, type Platform, pruneIdempotency } from "#http";

const DAY_MS = 86_400_000;

/** What the clock does every ten minutes: drops what has outlived its time, and once a day tells where the audit's chains end and looks for news of prices. Cost records and audit entries are kept for good. */
export async function housekeeping(platform: Platform): Promise<void> {
  const { db, chain, config, contents, tasks, now } = platform;
  await pruneIdempotency(db, now());
  await pruneRequests(db, now() - config.TOLLGATE_REQUEST_LOG_DAYS * DAY_MS);
  await contents.prune(now() - config.TOLLGATE_CONTENT_DAYS * DAY_MS);
  await forget(db, now());
  await tasks.sweep();
  await fire(db, checkpoints(await chain.heads(), now()), now());
  await checkPricesDaily(platform);
}
