import { env } from "cloudflare:workers";
import { consume, type RequestEvent } from "#audit";
import { NO_USAGE } from "#core";
import { connect } from "#db";

/** Finished events, and the queue that brings them. */

export const db = connect(env.DB);
let serial = 0;

/** One paid request of `team`, as the ledger sends it. */
export function paid(team: string, actualUsd: string, invocation: Partial<RequestEvent["invocation"]> = {}): RequestEvent {
  const id = `${team}_${++serial}`;
  return {
    v: 1,
    kind: "request",
    invocation: {
      request: `req_${id}`,
      at: Date.UTC(2026, 10, 21, 4) + serial,
      key: "key_a",
      team,
      user: null,
      endUser: null,
      session: null,
      task: null,
      capability: "chat.completions",
      requested: "m",
      provider: "acme",
      model: "m-1",
      stream: false,
      outcome: "ok",
      attempts: [
        {
          provider: "acme",
          model: "m-1",
          status: 200,
          ms: 1.5,
        },
      ],
      tags: [],
      metadata: {},
      ...invocation,
    },
    cost: {
      id: `cost_${id}`,
      status: "actual",
      priceState: "priced",
      cache: "miss",
      estimatedUsd: actualUsd,
      actualUsd,
      nanoUsd: 1,
      usage: {
        ...NO_USAGE,
        input: 3,
        output: 2,
      },
      serviceTier: null,
      reprices: null,
      receipt: {
        price: {},
        tableHash: "h",
        lines: [],
      },
    },
    log: { httpStatus: 200, code: null, latencyMs: 12.7, firstByteMs: null, overheadMs: 0.4, upstreamRequestId: null },
    charges: [],
  };
}

/** Sends bodies as one batch and tells which were acknowledged and which retried. */
export async function deliver(bodies: readonly unknown[], look?: Parameters<typeof consume>[2], into = db): Promise<string[]> {
  const fates: string[] = bodies.map(() => "none");
  const messages = bodies.map((body, at) => ({
    id: String(at),
    timestamp: new Date(0),
    body,
    attempts: 1,
    ack: () => void (fates[at] = "ack"),
    retry: () => void (fates[at] = "retry"),
  }));
  const batch = { queue: "events", messages, ackAll() {}, retryAll() {}, metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  await consume(batch, into, look);
  return fates;
}
