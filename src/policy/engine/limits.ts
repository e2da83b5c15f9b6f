/** What a policy may use. Fuel is counted by the metered engine: a turn of its interpreter's loop or a call within it is one. */
export interface Limits {
  readonly sourceBytes: number;
  readonly contextBytes: number;
  readonly stackBytes: number;
  readonly resultBytes: number;
  readonly logsCharacters: number;
  readonly reasonCharacters: number;
  /** Bytes that a policy may have filled when it is loaded: every evaluation begins by copying them. */
  readonly imageBytes: number;
  readonly loadFuel: number;
  readonly evaluationFuel: number;
  /** What the policies of one chain have together, since the thread that they burn is one. */
  readonly chainFuel: number;
  /** What the tests of a policy may burn together when it is registered. */
  readonly testsFuel: number;
  readonly tests: number;
}

/** The limits of policies. The heap's, 8 MB, is the memory of the metered engine and set when that is built. */
export const LIMITS: Limits = {
  sourceBytes: 256 * 1024,
  contextBytes: 1024 * 1024,
  stackBytes: 64 * 1024,
  resultBytes: 64 * 1024,
  logsCharacters: 4 * 1024,
  reasonCharacters: 512,
  imageBytes: 4 * 1024 * 1024,
  loadFuel: 20_000_000,
  evaluationFuel: 10_000_000,
  chainFuel: 20_000_000,
  testsFuel: 20_000_000,
  tests: 100,
};
