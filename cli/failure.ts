/** How the program ends. Scripts rely on these numbers; docs/guides/cli.md tells them. */
export const EXIT = {
  ok: 0,
  /** The gateway refused, or the work could not be done. */
  failed: 1,
  /** The command line is wrong. Nothing was sent. */
  usage: 2,
  /** No gateway answered: none is there, it took too long, or something else stands at its address. */
  unreachable: 3,
  /** The answer is a clear no: a budget is exceeded, a check found something. */
  no: 4,
  interrupted: 130,
} as const;

/** An end of the program, by its meaning. */
export type Exit = keyof typeof EXIT;

/** What is known of a failure beside its message; on a refusal, as the gateway's error body says it. */
export interface FailureFacts {
  /** The option or the API's field that is at fault. */
  readonly param?: string | null;
  readonly code?: string;
  readonly status?: number;
  /** The gateway's id of the request, to be quoted. */
  readonly request?: string | null;
  readonly details?: unknown;
  readonly cause?: unknown;
}

/** Whatever ends a command before its time. `message` is for the person at the terminal and never holds a credential. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exit: Exit;
  readonly facts: FailureFacts;

  constructor(exit: Exit, message: string, facts: FailureFacts = {}) {
    super(message, { cause: facts.cause });
    this.exit = exit;
    this.facts = facts;
  }
}

/** A wrong command line, told before anything is sent. */
export function misuse(message: string, param?: string): Failure {
  return new Failure("usage", message, { code: "usage", param: param ?? null });
}
