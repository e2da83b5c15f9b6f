import * as z from "zod";

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most).optional();

/** What policies may use, each within bounds that the engine was tried at; what is not set is as docs/guides/policies.md says. */
export const POLICY_LIMITS = {
  TOLLGATE_POLICY_SOURCE_BYTES: whole(1_024, 256 * 1024),
  TOLLGATE_POLICY_CONTEXT_BYTES: whole(1_024, 2 * 1024 * 1024),
  TOLLGATE_POLICY_RESULT_BYTES: whole(256, 256 * 1024),
  TOLLGATE_POLICY_LOGS_CHARACTERS: whole(0, 8_192),
  TOLLGATE_POLICY_LOAD_FUEL: whole(500_000, 40_000_000),
  TOLLGATE_POLICY_EVALUATION_FUEL: whole(10_000, 40_000_000),
  TOLLGATE_POLICY_CHAIN_FUEL: whole(10_000, 80_000_000),
  TOLLGATE_POLICY_TESTS_FUEL: whole(10_000, 80_000_000),
  TOLLGATE_POLICY_TIMEOUT_MS: whole(100, 30_000),
  TOLLGATE_POLICY_NATIVE_CPU_MS: whole(10, 30_000),
};

type Given = z.infer<z.ZodObject<typeof POLICY_LIMITS>>;

/** The limits of policies that the deployment sets, by the names that the engine has for them. */
export function policyLimitsOf(given: Given) {
  const named = {
    sourceBytes: given.TOLLGATE_POLICY_SOURCE_BYTES,
    contextBytes: given.TOLLGATE_POLICY_CONTEXT_BYTES,
    resultBytes: given.TOLLGATE_POLICY_RESULT_BYTES,
    logsCharacters: given.TOLLGATE_POLICY_LOGS_CHARACTERS,
    loadFuel: given.TOLLGATE_POLICY_LOAD_FUEL,
    evaluationFuel: given.TOLLGATE_POLICY_EVALUATION_FUEL,
    chainFuel: given.TOLLGATE_POLICY_CHAIN_FUEL,
    testsFuel: given.TOLLGATE_POLICY_TESTS_FUEL,
    timeoutMs: given.TOLLGATE_POLICY_TIMEOUT_MS,
    nativeCpuMs: given.TOLLGATE_POLICY_NATIVE_CPU_MS,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) as Partial<
    Record<keyof typeof named, number>
  >;
}
