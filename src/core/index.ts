export { checkBaseUrl } from "./address.ts";
export { type Caller, type PaceLimits, type Role, ROLES, type Scope } from "./caller.ts";
export { type Capability, type Dialect, type Envelope, isSurface, type Surface, SURFACES } from "./dialect.ts";
export { asTollgateError, type ErrorCode, TollgateError } from "./errors.ts";
export { newId } from "./ids.ts";
export { type Currency, inCurrency } from "./currency.ts";
export { type Femto, femtoFromNano, femtoFromUsd, type Nano, NANO_MAX, nanoCeil, nanoFromUsd, usdFromFemto, usdFromNano } from "./money.ts";
export { addUsage, inputTokens, NO_USAGE, outputTokens, type Usage } from "./usage.ts";
export { aadOf, open, rewrap, Safe, seal, VaultError } from "./vault.ts";
