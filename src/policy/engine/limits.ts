/** What a policy may use, as far as a deployment may set it. Fuel is counted by the metered engine: a turn of its loops or a call is one. */
export interface Limits {
  readonly sourceBytes: number;
  readonly contextBytes: number;
  readonly resultBytes: number;
  readonly logsCharacters: number;
  readonly loadFuel: number;
  readonly evaluationFuel: number;
  /** What the policies of one chain have together, since the thread that they burn is one. */
  readonly chainFuel: number;
  /** What the tests of a policy may burn together when it is registered. */
  readonly testsFuel: number;
  /** Milliseconds until a chain that does not answer is given up. */
  readonly timeoutMs: number;
  /** Milliseconds of processor time of a policy that runs natively, where the platform keeps count of them. */
  readonly nativeCpuMs: number;
}

/** The limits where nothing is set. */
export const LIMITS: Limits = {
  sourceBytes: 256 * 1024,
  contextBytes: 1024 * 1024,
  resultBytes: 64 * 1024,
  logsCharacters: 4 * 1024,
  loadFuel: 20_000_000,
  evaluationFuel: 10_000_000,
  chainFuel: 20_000_000,
  testsFuel: 20_000_000,
  timeoutMs: 5_000,
  nativeCpuMs: 2_000,
};

/** What nobody sets: the engine is built for it, or others rely on it. The heap's 8 MB are the memory of the metered engine. */
export const FIXED = {
  stackBytes: 64 * 1024,
  reasonCharacters: 512,
  /** Bytes that a policy may have filled when it is loaded: every evaluation begins by copying them. */
  imageBytes: 4 * 1024 * 1024,
  tests: 100,
} as const;
