/** One request as the vendor would have seen it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly digest: string;
  /** Milliseconds of the fake's clock: when the body was complete, and when the caller hung up before the end. */
  readonly at: number;
  abortedAt: number | null;
  /** Output tokens made so far; stops growing when the caller hangs up. */
  produced: number;
  /** Everything that was sent back, as bytes. */
  sent: Buffer;
}

/** What a vendor's imitation is given to answer with. */
export interface Exchange {
  readonly seen: Seen;
  readonly body: Readonly<Record<string, unknown>>;
  readonly scenario: string;
  readonly json: (status: number, body: unknown, headers?: Record<string, string>) => void;
  /** Sends text in one write; resolves when the socket took it. False once the caller has gone. */
  readonly write: (text: string | Buffer) => Promise<boolean>;
  readonly begin: (headers?: Record<string, string>) => void;
  readonly end: () => void;
  readonly cut: () => void;
  readonly wait: (ms: number) => Promise<void>;
}

/** Tells how a scenario paces its stream: `slow-50` waits 50 ms before every delta. */
export function paceOf(scenario: string): number {
  return Number(/^slow-(\d+)/.exec(scenario)?.[1] ?? 0);
}

/** The words of an answer: the vendor's own, or as many as a scenario such as `slow-5-x400` asks for. */
export function wordsOf(scenario: string, own: readonly string[]): readonly string[] {
  const count = Number(/-x(\d+)$/.exec(scenario)?.[1] ?? 0);
  return count > 0 ? Array.from({ length: count }, () => "word ") : own;
}

const STALL_MS = 20_000;

/**
 * What befalls a stream before its next delta; false where nothing more is to be sent. Whatever goes wrong does so after three
 * deltas. `announce` sends the vendor's own event of an error in the middle of a stream.
 */
export async function goesOn(exchange: Exchange, announce: () => Promise<unknown>): Promise<boolean> {
  const { scenario, seen, wait, cut, end } = exchange;
  if (paceOf(scenario) > 0) await wait(paceOf(scenario));
  if (scenario === "error-first") {
    await announce();
    end();
    return false;
  }
  if (seen.produced !== 3) return seen.abortedAt === null;
  switch (scenario) {
    case "cut-after-3":
      cut();
      return false;
    case "error-mid":
      await announce();
      end();
      return false;
    case "stall-mid":
      await wait(STALL_MS);
  }
  return seen.abortedAt === null;
}
