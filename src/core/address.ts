import { TollgateError } from "./errors.ts";

const PRIVATE_NAME = /(^|\.)(localhost|internal|local|localdomain|home\.arpa|lan|intranet)$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/** First address and prefix length of every IPv4 block that is not the public internet. */
const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

function refuse(why: string, param: string): never {
  throw new TollgateError("invalid_request", `${param} ${why}`, { param });
}

function numberOf(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function isPrivateV4(address: string): boolean {
  const value = numberOf(address);
  return PRIVATE_V4.some(([first, prefix]) => Math.floor(value / 2 ** (32 - prefix)) === Math.floor(numberOf(first) / 2 ** (32 - prefix)));
}

/**
 * Only global unicast (2000::/3) is public; loopback, fc00::/7, fe80::/10, mapped IPv4 and NAT64 all lie outside. Inside it,
 * 2001::/23 (Teredo and protocol use), 2001:db8::/32 and 2002::/16 (6to4, which embeds IPv4) are refused as well.
 */
function isPrivateV6(address: string): boolean {
  const [first = "", second = ""] = address.split(":");
  const head = Number.parseInt(first || "0", 16);
  if (head < 0x2000 || head > 0x3fff || head === 0x2002) return true;
  const next = Number.parseInt(second || "0", 16);
  return head === 0x2001 && (next < 0x200 || next === 0xdb8);
}

function isPrivateHost(host: string): boolean {
  if (host.startsWith("[")) return isPrivateV6(host.slice(1, -1));
  if (IPV4.test(host)) return isPrivateV4(host);
  return !host.includes(".") || PRIVATE_NAME.test(host);
}

/**
 * Parses the address of something that the deployment calls, against requests forged into the operator's network. The URL parser has already turned
 * decimal, octal and hex hosts into dotted form. Names that resolve to private addresses are not seen here: Workers cannot
 * resolve before they connect, and Cloudflare's network does not route to private space.
 * @throws TollgateError `invalid_request` with `param`, the name of what the URL was given as.
 */
export function checkBaseUrl(url: string, allowPrivate: boolean, param = "base_url"): URL {
  if (!URL.canParse(url)) refuse("must be an absolute URL", param);
  const parsed = new URL(url);
  if (parsed.username || parsed.password || url.includes("@")) refuse("must not carry credentials", param);
  if (/[?#]/.test(url)) refuse("must not have a query or fragment", param);
  if (parsed.protocol !== "https:" && !(allowPrivate && parsed.protocol === "http:"))
    refuse(allowPrivate ? "must be http or https" : "must be https", param);
  if (!allowPrivate) checkHost(parsed.hostname, param);
  return parsed;
}

function checkHost(host: string, param: string): void {
  if (host.endsWith(".")) refuse("must not name a host with a trailing dot", param);
  if (isPrivateHost(host)) refuse("must not point to a private, loopback or link-local address", param);
}
