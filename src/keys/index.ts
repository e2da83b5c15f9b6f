export { readCredential } from "./credential.ts";
export { verifyToken } from "./jwt.ts";
export { KeyRing } from "./keyring.ts";
export { refuseKey } from "./refusal.ts";
export { type Action, may, mayGrant, ownRowsOnly, type Resource } from "./roles.ts";
export { equalText, mint } from "./secret.ts";
export { type KeyFields, type KeyRow, KeyStore } from "./store.ts";
export { mintTaskIdentity } from "./task-identity.ts";
export { type TeamRow, TenantStore, type UserRow } from "./tenants.ts";
