import { and, asc, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import { VaultError } from "#core";
import type { Config } from "#config";
import { type Db, tables } from "#db";
import { type Posted, postSigned } from "./post.ts";
import { alertShape } from "./shape.ts";
import { type DeliveryRow, type WebhookRow, WebhookStore } from "./webhooks.ts";

const { alerts, webhooks, webhookDeliveries: deliveries } = tables;

/** What sending needs. */
export interface Outgoing {
  readonly db: Db;
  readonly config: Config;
  readonly now: () => number;
  /** How long a receiver may take to answer. */
  readonly timeoutMs?: number;
}

/** How long an attempt has its delivery to itself; one whose isolate died is made again after that. */
const LEASE_MS = 60_000;
/** What is waited after each attempt that failed; after the last there is none. */
const BACKOFF_MS = [30_000, 120_000, 480_000, 1_800_000] as const;
/** So many of one webhook at a go, that none keeps a clock's minute to itself. */
const AT_ONE_GO = 50;

/**
 * Sends what is due. Each webhook is served by itself, one delivery after the other and until one fails, so that a receiver that hangs
 * holds up nobody else and has one connection. Ends when all have had their turn.
 */
export async function sendDue(out: Outgoing): Promise<void> {
  const { db, now } = out;
  const due = db
    .selectDistinct({ id: deliveries.webhook })
    .from(deliveries)
    .where(and(eq(deliveries.status, "pending"), lte(deliveries.nextAt, now())));
  const waiting = await db
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.status, "active"), inArray(webhooks.id, due)));
  await Promise.all(waiting.map((webhook) => serve(out, webhook)));
}

async function serve(out: Outgoing, webhook: WebhookRow): Promise<void> {
  for (let sent = 0; sent < AT_ONE_GO; sent++) {
    const delivery = await claimed(out, inArray(deliveries.id, firstDue(out, webhook)));
    if (!delivery || (await attempt(out, webhook, delivery)).status !== "delivered") return;
  }
}

function firstDue({ db, now }: Outgoing, { id }: WebhookRow) {
  return db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(eq(deliveries.webhook, id), eq(deliveries.status, "pending"), lte(deliveries.nextAt, now())))
    .orderBy(asc(deliveries.nextAt), asc(deliveries.id))
    .limit(1);
}

/** Sends one delivery now, whether it is due or not; null where it is over or gone. */
export async function sendOne(out: Outgoing, { id, webhook }: Pick<DeliveryRow, "id" | "webhook">): Promise<DeliveryRow | null> {
  const [to] = await out.db.select().from(webhooks).where(eq(webhooks.id, webhook));
  const delivery = to && (await claimed(out, and(eq(deliveries.id, id), eq(deliveries.status, "pending"))));
  return delivery ? attempt(out, to, delivery) : null;
}

/** Takes a delivery for one attempt: of many isolates that want it, the one whose update comes first. */
async function claimed({ db, now }: Outgoing, which: SQL | undefined): Promise<DeliveryRow | undefined> {
  const taken = { attempts: sql`${deliveries.attempts} + 1`, nextAt: now() + LEASE_MS };
  const [row] = await db.update(deliveries).set(taken).where(which).returning();
  return row;
}

async function attempt(out: Outgoing, webhook: WebhookRow, delivery: DeliveryRow): Promise<DeliveryRow> {
  const result = await post(out, webhook, delivery);
  const { attempts } = delivery;
  const now = out.now();
  const wait = BACKOFF_MS[attempts - 1];
  const changed: Partial<DeliveryRow> & Posted = { ...result, ...fate(result, wait, now) };
  // Only as long as no later attempt has taken it.
  const mine = and(eq(deliveries.id, delivery.id), eq(deliveries.attempts, attempts));
  await out.db.update(deliveries).set(changed).where(mine);
  return { ...delivery, ...changed };
}

function fate({ error }: Posted, wait: number | undefined, now: number): Partial<DeliveryRow> {
  if (error === null) return { status: "delivered", endedAt: now };
  return wait === undefined ? { status: "failed", endedAt: now } : { nextAt: now + wait };
}

async function post({ db, config, now, timeoutMs }: Outgoing, webhook: WebhookRow, delivery: DeliveryRow): Promise<Posted> {
  try {
    const secret = await new WebhookStore(db, config, now).secretOf(webhook);
    const letter = { url: webhook.url, secret, ...(await contentOf(db, delivery)) };
    return await postSigned(letter, { allowPrivate: config.allowPrivateUpstreams, now: now(), timeoutMs });
  } catch (error) {
    const fault = error instanceof VaultError ? "the signing secret cannot be opened" : "could not be read";
    return { httpStatus: null, error: fault };
  }
}

/** What is sent, and by which id a receiver knows what it has had before. */
async function contentOf(db: Db, { id, alert, webhook, createdAt }: DeliveryRow): Promise<{ readonly id: string; readonly body: string }> {
  if (alert !== null) {
    const [row] = await db.select().from(alerts).where(eq(alerts.id, alert));
    if (row) return { id: row.id, body: JSON.stringify(alertShape(row)) };
  }
  const test = {
    id,
    object: "alert",
    type: "webhook.test",
    severity: "info",
    created_at: new Date(createdAt).toISOString(),
    team: null,
    key: null,
    subject: { kind: "webhook", id: webhook },
    data: {},
  };
  return { id, body: JSON.stringify(test) };
}
