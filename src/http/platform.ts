import type { AuditChain } from "#audit";
import type { LedgerStub } from "#budget";
import type { Cache } from "#cache";
import type { Config } from "#config";
import type { Contents } from "#content";
import type { Db } from "#db";
import type { Estimators } from "#estimate";
import type { DirectoryCache, Gateway } from "#gateway";
import type { KeyRing } from "#keys";
import type { Counters, Judge, Register } from "#policy";
import type { Responses } from "#responses";
import type { Health } from "#routes";
import type { Places } from "#socket";
import type { Hook, Tasks } from "#tasks";

/** What one isolate serves with, made once in `src/index.ts`; Hono carries it as its bindings. */
export interface Platform {
  readonly config: Config;
  readonly db: Db;
  readonly keys: KeyRing;
  readonly directory: DirectoryCache;
  /** What calls to providers may reach, and through what. */
  readonly outbound: Gateway["outbound"];
  readonly estimators: Estimators;
  /** How the places do that routes lead to, as this isolate has seen. */
  readonly health: Health;
  /** Finished events that no ledger delivers: refused requests and audit entries. */
  readonly events: Queue;
  /** Gives audit entries their places, and knows where each chain of them ends. */
  readonly chain: AuditChain;
  /** Asked only after a failed authentication. */
  readonly authFailures: RateLimit;
  /** A team's ledger; `background` keeps the isolate alive for what outlasts an answer. */
  readonly ledger: (team: string, background?: (work: Promise<unknown>) => void) => LedgerStub;
  /** Asks policies, behind the walls. */
  readonly judge: Judge;
  /** Loads a policy for the first time. */
  readonly register: Register;
  /** What a team's policies count. */
  readonly counters: (team: string) => Counters;
  /** What requests said, where their keys have it logged. */
  readonly contents: Contents;
  /** Answers that were given before. */
  readonly cache: Cache;
  /** What each key may name again. */
  readonly responses: Responses;
  /** What keys run in sandboxes. */
  readonly tasks: Tasks;
  /** What governs a task's calls. */
  readonly governor: Gateway["governor"];
  /** Verdicts that agents ask for. */
  readonly hook: Hook;
  /** Where sockets are held. */
  readonly sockets: Places;
  readonly now: () => number;
  /** Whoever reads answers may stand still for long. */
  readonly paced: boolean;
}

/** Hono's environment: the platform, and the id of the request at hand. */
export interface Http {
  Bindings: Platform;
  Variables: { requestId: string };
}
