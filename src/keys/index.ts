export { readCredential } from "./credential.ts";
export { type FetchJwks, type TokenIdentity, verifyToken } from "./jwt.ts";
export { callerFrom, KeyRing } from "./keyring.ts";
export { refuseKey } from "./refusal.ts";
export { type Action, may, mayGrant, ownRowsOnly, type Resource } from "./roles.ts";
export { certified, digest, equalText, mint, type MintedSecret, parse, type SecretParts } from "./secret.ts";
export { KEY_DEFAULTS, type KeyFields, type KeyFilter, type KeyRow, KeyStore } from "./store.ts";
export { type TeamRow, TenantStore, type UserRow } from "./tenants.ts";
