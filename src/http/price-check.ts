import { auditEntry } from "#audit";
import { asTollgateError, TollgateError } from "#core";
import { type Checked, PriceBook, PriceStore, proposalsFrom, ProposalStore, readPriceSource } from "#models";
import { readDocument } from "#providers";
import type { Platform } from "./platform.ts";

const LIMITS = { bytesMax: 4_000_000, timeoutMs: 20_000 };
const SOURCE_MAX = 256;

/**
 * Reads the configured price source and keeps what it proposes. It charges nobody anything: a proposal does nothing until it is
 * approved.
 * @throws TollgateError `invalid_request` where no source is configured or its address is refused, `upstream_error` for a bad one.
 */
export async function checkPrices({ config, db, now }: Platform): Promise<Checked> {
  const url = config.TOLLGATE_PRICES_URL;
  if (url === undefined) throw new TollgateError("invalid_request", "TOLLGATE_PRICES_URL names no price source");
  const text = await readDocument(url, { allowPrivate: config.allowPrivateUpstreams, param: "TOLLGATE_PRICES_URL" }, LIMITS);
  const book = new PriceBook(await new PriceStore(db, now).all());
  const proposed = proposalsFrom(book, readPriceSource(text, now()), now());
  return new ProposalStore(db, now).record(proposed, url.slice(0, SOURCE_MAX));
}

const ACTOR = { kind: "system", id: "housekeeping" } as const;

/** The same once a day, by the clock. What came of it stands in the audit where it is news or went wrong; nothing else is held up by it. */
export async function checkPricesDaily(platform: Platform): Promise<void> {
  if (platform.config.TOLLGATE_PRICES_URL === undefined || !isDue(platform.now())) return;
  try {
    const details = { ...(await checkPrices(platform)) };
    if (details.proposed + details.withdrawn === 0) return;
    await platform.events.send(auditEntry({ type: "price_proposal.create", actor: ACTOR, details }, platform.now()));
  } catch (thrown) {
    const { message, code } = asTollgateError(thrown);
    const entry = {
      type: "price_proposal.failed",
      severity: "warning",
      outcome: "error",
      actor: ACTOR,
      details: { code, message },
    } as const;
    await platform.events.send(auditEntry(entry, platform.now()));
  }
}

const TEN_MINUTES_MS = 600_000;
const DAY_MS = 86_400_000;
/** Four in the morning UTC, after vendors have changed what they change at midnight. */
const AT_MS = 4 * 3_600_000;

/** The clock rings every ten minutes; one of them a day is this one. */
function isDue(now: number): boolean {
  const ofDay = now % DAY_MS;
  return ofDay >= AT_MS && ofDay < AT_MS + TEN_MINUTES_MS;
}
