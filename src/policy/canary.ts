/**
 * Whether a key is of the share that a canary tries a policy on. The same key is always of the same share of the same policy, a larger
 * share holds every smaller one, and two policies draw different keys.
 */
export function inShare(policy: string, key: string, percent: number): boolean {
  return mixed(`${policy}\u0000${key}`) / 2 ** 32 < percent / 100;
}

/** FNV-1a over UTF-16 units, with MurmurHash3's finish, since keys that differ in their last letter must lie far apart. */
function mixed(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
