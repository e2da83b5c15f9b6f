export { checkBaseUrl } from "./address.ts";
export { type Call, type Guard, send } from "./call.ts";
export { requestHeaders, responseHeaders } from "./headers.ts";
export { redactSecrets } from "./redact.ts";
export { builtinUpstreams, pathOf, type ProviderRow, registry, speaks, type Upstream, type UpstreamKind } from "./registry.ts";
export { respond } from "./tollgate/index.ts";
export { aadOf, open, rewrap, seal, VaultError } from "./vault.ts";
export { type NewProvider, ProviderStore, type StoredProvider } from "./store.ts";
