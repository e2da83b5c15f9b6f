export { type Call, send, type Guard } from "./call.ts";
export { CredentialStore, type StoredCredential } from "./credentials.ts";
export { readDocument } from "./document.ts";
export { requestHeaders, responseHeaders, restMsOf, upstreamRequestId } from "./headers.ts";
export { redactSecrets } from "./redact.ts";
export { accountOf, callable, keepsResponses, type ProviderRow, registry, speaks, type Upstream } from "./registry.ts";
export { askResource } from "./resource.ts";
export { respond } from "./tollgate/index.ts";
export { ProviderStore, type StoredProvider } from "./store.ts";
