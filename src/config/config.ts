import type { Currency } from "#core";
import * as z from "zod";
import { POLICY_LIMITS, policyLimitsOf } from "./policy-limits.ts";

const origin = z.url({ protocol: /^https?$/ });
const seconds = z.coerce.number().positive().max(86_400);

const schema = z.object({
  TOLLGATE_ENV: z.enum(["development", "production"]).default("production"),
  /** Bootstrap admin token. Absent: the admin plane answers only to JWTs and admin keys. */
  TOLLGATE_ADMIN_KEY: z.string().min(16).optional(),
  /** Text of the development key that `npm start` adopts; refused in production. */
  TOLLGATE_DEV_KEY: z.string().optional(),
  /** HMAC key of every API key digest; at least 32 characters. Changing it invalidates every key. */
  TOLLGATE_PEPPER: z.string().min(32),
  /** Wraps the data keys of provider credentials; at least 32 characters. `TOLLGATE_ENCRYPTION_KEY_PREVIOUS` opens old ones during rotation. */
  TOLLGATE_ENCRYPTION_KEY: z.string().min(32),
  TOLLGATE_ENCRYPTION_KEY_PREVIOUS: z.string().min(32).optional(),
  TOLLGATE_ALLOW_PRIVATE_UPSTREAMS: z.stringbool().optional(),
  OPENAI_API_KEY: z.string().min(1).optional(),
  OPENAI_BASE_URL: origin.default("https://api.openai.com/v1"),
  ANTHROPIC_API_KEY: z.string().min(1).optional(),
  ANTHROPIC_BASE_URL: origin.default("https://api.anthropic.com"),
  OLLAMA_BASE_URL: origin.optional(),
  /** OIDC or Cloudflare Access: tokens of this issuer and audience, verified against the JWKS, are admitted to the admin plane. */
  TOLLGATE_JWT_ISSUER: z.string().min(1).optional(),
  TOLLGATE_JWT_AUDIENCE: z.string().min(1).optional(),
  TOLLGATE_JWKS_URL: origin.optional(),
  /** The claim that names the role; absent or unknown value: no access. */
  TOLLGATE_JWT_ROLE_CLAIM: z.string().min(1).default("tollgate_role"),
  TOLLGATE_MAX_BODY_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(32 * 1024 * 1024),
  /** The longest answer that is held in memory: a whole one, or a stream that is translated, judged or kept. Others pass, however long. */
  TOLLGATE_MAX_ANSWER_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(64 * 1024 * 1024),
  TOLLGATE_TIMEOUT_TOTAL_S: seconds.default(600),
  TOLLGATE_TIMEOUT_FIRST_BYTE_S: seconds.default(300),
  TOLLGATE_TIMEOUT_IDLE_S: seconds.default(120),
  /** How long a body may take to arrive. */
  TOLLGATE_TIMEOUT_BODY_S: seconds.default(30),
  /** How long after its total timeout a hold is expired as an estimate. */
  TOLLGATE_HOLD_GRACE_S: seconds.default(30),
  /** Where news of prices is read once a day: https, a document in the form of src/models/table.json or of genai-prices. */
  TOLLGATE_PRICES_URL: origin.optional(),
  /** A key's hour at more than so many times its usual one, and at more than so many USD, is an anomaly. */
  TOLLGATE_ANOMALY_FACTOR: z.coerce.number().int().min(2).default(5),
  TOLLGATE_ANOMALY_USD: z
    .string()
    .regex(/^(0|[1-9]\d{0,5})(\.\d{1,9})?$/, "must be an amount in USD")
    .default("10"),
  /** By how many percent a provider may say more output than was counted here. */
  TOLLGATE_USAGE_DOUBT_PERCENT: z.coerce.number().int().positive().default(20),
  /** A currency that costs are shown in beside USD, how much of it one USD is, and the day of that rate: all three, or none. */
  TOLLGATE_DISPLAY_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/, "must be a currency's three letters, such as EUR")
    .optional(),
  TOLLGATE_DISPLAY_RATE: z
    .string()
    .regex(/^(?=.*[1-9])(0|[1-9]\d{0,8})(\.\d{1,9})?$/, "must be what one USD is in that currency, with at most 9 fraction digits")
    .optional(),
  TOLLGATE_DISPLAY_RATE_DATE: z.iso.date().optional(),
  /** Who may sign policies: `id=base64` of raw Ed25519 public keys, separated by commas. Without one, production takes no upload. */
  TOLLGATE_POLICY_KEYS: z
    .string()
    .regex(
      /^[\w.-]{1,64}=[A-Za-z0-9+/]{43}=(,[\w.-]{1,64}=[A-Za-z0-9+/]{43}=)*$/,
      "must be id=base64 of raw Ed25519 public keys, by commas",
    )
    .transform((text) => new Map(text.split(",").map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)])))
    .optional(),
  /** Whoever uploaded a version of a policy may not be the one who activates it. */
  TOLLGATE_POLICY_TWO_PEOPLE: z.stringbool().default(false),
  /** How long an answer is kept where its request does not say, and how long one may ask for. */
  TOLLGATE_CACHE_TTL_S: z.coerce.number().int().positive().default(3_600),
  TOLLGATE_CACHE_TTL_MAX_S: z.coerce.number().int().positive().max(2_592_000).default(86_400),
  /** The largest answer that is kept, and all that is kept of one key or team. An answer travels in one message of at most 32 MiB. */
  TOLLGATE_CACHE_ANSWER_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .max(16 * 1024 * 1024)
    .default(8 * 1024 * 1024),
  TOLLGATE_CACHE_SCOPE_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(1024 * 1024 * 1024),
  /** How long responses are kept that their provider does not keep itself; 0 keeps none. */
  TOLLGATE_RESPONSES_DAYS: z.coerce.number().min(0).max(3_650).default(30),
  /** Origins of pages that may open a WebSocket here, separated by commas. */
  TOLLGATE_SOCKET_ORIGINS: z
    .string()
    .regex(/^https?:\/\/[\w.:[\]-]+(,https?:\/\/[\w.:[\]-]+)*$/, "must be origins such as https://app.example.com, by commas")
    .transform((text) => text.split(","))
    .default([]),
  ...POLICY_LIMITS,
  /** The runner that tasks are run by, and what its claims are signed with: both, or none. */
  RUNNER_URL: origin.optional(),
  /** This gateway's own address as its runner calls it. */
  TOLLGATE_URL: origin.optional(),
  RUNNER_SECRET: z.string().min(32).optional(),
  /** Instead of a runner that serves all: one for each task, in a container of its own. */
  RUNNER_CONTAINER: z.stringbool().default(false),
  TOLLGATE_REQUEST_LOG_DAYS: z.coerce.number().positive().default(30),
  /** How long is kept what requests said, of keys that have it logged. */
  TOLLGATE_CONTENT_DAYS: z.coerce.number().positive().default(7),
});

/** Everything the deployment can be told, parsed once per isolate. Secrets stand here and nowhere else. */
export type Config = Readonly<z.infer<typeof schema>> & {
  readonly development: boolean;
  /** Plain http and private addresses as upstreams: development, or said explicitly. */
  readonly allowPrivateUpstreams: boolean;
  /** The currency that costs are shown in beside USD; null where there is none. */
  readonly display: Currency | null;
  /** What policies may use, where it is not what they may by default. */
  readonly policyLimits: ReturnType<typeof policyLimitsOf>;
};

/** Raised when the deployment's variables are wrong; names every variable and never its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Parses the environment's variables. Empty strings count as absent, as shells and dashboards leave them behind.
 * @throws ConfigError naming each variable that is missing or wrong.
 */
export function readConfig(env: object): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([name, value]) => name in schema.shape && value !== ""));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new ConfigError(`The deployment's variables are wrong. ${faults.join("; ")}`);
  }
  const development = parsed.data.TOLLGATE_ENV === "development";
  if (parsed.data.TOLLGATE_DEV_KEY !== undefined && !development) {
    throw new ConfigError("The deployment's variables are wrong. TOLLGATE_DEV_KEY: only for development");
  }
  if ((parsed.data.RUNNER_URL === undefined) !== (parsed.data.RUNNER_SECRET === undefined)) {
    throw new ConfigError("The deployment's variables are wrong. RUNNER_URL, RUNNER_SECRET: a runner needs both");
  }
  if (parsed.data.RUNNER_CONTAINER && parsed.data.RUNNER_URL !== undefined) {
    throw new ConfigError("The deployment's variables are wrong. RUNNER_CONTAINER: not beside RUNNER_URL");
  }
  if (parsed.data.TOLLGATE_CACHE_TTL_S > parsed.data.TOLLGATE_CACHE_TTL_MAX_S) {
    throw new ConfigError("The deployment's variables are wrong. TOLLGATE_CACHE_TTL_S: more than TOLLGATE_CACHE_TTL_MAX_S");
  }
  const allowPrivateUpstreams = parsed.data.TOLLGATE_ALLOW_PRIVATE_UPSTREAMS ?? development;
  return { ...parsed.data, development, allowPrivateUpstreams, display: displayOf(parsed.data), policyLimits: policyLimitsOf(parsed.data) };
}

const DISPLAY = ["TOLLGATE_DISPLAY_CURRENCY", "TOLLGATE_DISPLAY_RATE", "TOLLGATE_DISPLAY_RATE_DATE"] as const;

/** A rate without its day, or a currency without its rate, would show figures that nobody can check. */
function displayOf(given: z.infer<typeof schema>): Currency | null {
  const [code, rate, date] = DISPLAY.map((name) => given[name]);
  if (code !== undefined && rate !== undefined && date !== undefined) return { code, rate, date };
  const missing = DISPLAY.filter((name) => given[name] === undefined);
  if (missing.length === DISPLAY.length) return null;
  throw new ConfigError(`The deployment's variables are wrong. ${missing.join(", ")}: missing; a display currency needs all three`);
}
