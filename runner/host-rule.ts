/** A host that a job may reach; without a port those of the web. `*.` before a name stands for any name below it, and not for itself. */
export interface HostRule {
  readonly host: string;
  readonly port: number | null;
}

const WEB_PORTS: ReadonlySet<number | null> = new Set([443, 80]);
const FORM = /^(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?$/;
const NAME_CHARACTERS = 253;
const PORT_MAX = 65_535;
const ADDRESS = /^(?:\d+\.\d+\.\d+\.\d+|\[.+\])$/;

/** A rule as it is written: `example.com`, `*.example.com`, `example.com:8443`, or an address, the newer kind in brackets; null for what is none. */
export function hostRuleOf(text: string): HostRule | null {
  const [, star, name, port] = FORM.exec(text.toLowerCase()) ?? [];
  const host = name === undefined ? null : inFull(name);
  if (host === null || Number(port ?? 0) > PORT_MAX) return null;
  if (star !== undefined && (isAddress(host) || !host.includes("."))) return null;
  return { host: (star ?? "") + host, port: port === undefined ? null : Number(port) };
}

/** A name, or an address in full: in another spelling, such as 0x7f.1, it would be one that nobody recognises in a list. */
function inFull(name: string): string | null {
  const host = name.length > NAME_CHARACTERS ? null : hostIn(name);
  return host === name || name.startsWith("[") ? host : null;
}

/** Whether all that the inner rule reaches the outer one does; a place is a rule with its port. */
export function reaches(outer: HostRule, inner: HostRule): boolean {
  const wild = outer.host.startsWith("*.");
  const host = outer.host === inner.host || (wild && inner.host.endsWith(outer.host.slice(1)));
  const port = outer.port === inner.port || (outer.port === null && WEB_PORTS.has(inner.port));
  return host && port;
}

/** A host in the one spelling that it is compared in, whatever a client wrote: letters small, addresses in full, no dot behind; null for none. */
export function hostIn(text: string): string | null {
  const url = `http://${text}`;
  if (!/^[^\s/?#@\\]+$/.test(text) || !URL.canParse(url)) return null;
  return new URL(url).hostname.replace(/\.$/, "") || null;
}

/** Whether a host is an address and no name. */
export function isAddress(host: string): boolean {
  return ADDRESS.test(host);
}
