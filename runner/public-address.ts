import { BlockList, isIP } from "node:net";
import os from "node:os";

/** Of the older kind all is public that stands in none of these: this host, private, shared, loopback, link-local, tests, multicast and what is reserved. */
const PRIVATE = blocks("ipv4", [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // What Azure tells its machines of themselves, at an address that looks like anybody's.
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]);
/** Of the newer kind only global unicast is: loopback, local, link-local, multicast, and what maps or translates the older kind lie outside of it. */
const GLOBAL = blocks("ipv6", [["2000::", 3]]);
/** Within it: protocol use and Teredo, documentation twice, and 6to4, which holds an address of the older kind. */
const SPECIAL = blocks("ipv6", [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]);
const LOOPBACK = blocks("ipv4", [["127.0.0.0", 8]]);

function blocks(kind: "ipv4" | "ipv6", subnets: readonly (readonly [first: string, prefix: number])[]): BlockList {
  const list = new BlockList();
  for (const [first, prefix] of subnets) list.addSubnet(first, prefix, kind);
  return list;
}

/** Whether an address is one of the public internet, which no job's own network, host or cloud has. */
export function isPublic(address: string): boolean {
  return isGlobal(address) && !isOwn(address);
}

/** Whether this machine has an address: what it listens on for itself no firewall before it keeps from whoever calls from within. */
function isOwn(address: string): boolean {
  return Object.values(os.networkInterfaces()).some((each) => each?.some((own) => own.address === address));
}

function isGlobal(address: string): boolean {
  if (isIP(address) === 4) return !PRIVATE.check(address, "ipv4");
  return isIP(address) === 6 && !address.includes("%") && GLOBAL.check(address, "ipv6") && !SPECIAL.check(address, "ipv6");
}

/** Whether an address is this machine's own loopback, in its own spelling. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (isIP(address) === 4 && LOOPBACK.check(address, "ipv4"));
}
