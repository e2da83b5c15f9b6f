import { checkBaseUrl } from "#core";
import { hostRuleOf, reaches } from "#runner-protocol";
import type { Profile } from "./contract.ts";
import type { TaskRequest } from "./request.ts";

/** Whether a text is a host as it is written: `example.com`, `*.example.com`, `example.com:8443`, or an address. */
export function isHost(text: string): boolean {
  return hostRuleOf(text) !== null;
}

/**
 * Refuses hosts that are private by their looks; what a name leads to is for the runner to see.
 * @throws TollgateError `invalid_request` with the host's place in `network.hosts`.
 */
export function checkHosts(hosts: readonly string[], allowPrivate: boolean): void {
  for (const [at, host] of hosts.entries()) checkBaseUrl(`https://${host.replace("*.", "")}`, allowPrivate, `network.hosts.${at}`);
}

/** What a task reaches, what its mode takes from that, and what it asks for beyond its profile. */
interface Hosts {
  readonly hosts: readonly string[];
  readonly without: readonly string[];
  readonly beyond: readonly { readonly name: string; readonly field: string }[];
}

/**
 * The hosts that a request names and its profile allows. Where only may be looked there are none: what cannot change its workspace could
 * still change things elsewhere.
 */
export function hostsOf(profile: Profile, { mode, network }: TaskRequest): Hosts {
  const asked = network?.hosts ?? [];
  const outer = profile.hosts.map(hostRuleOf).filter((rule) => rule !== null);
  const isWithin = (text: string) => {
    const inner = hostRuleOf(text);
    return inner !== null && outer.some((rule) => reaches(rule, inner));
  };
  const beyond = asked.flatMap((name, at) => (isWithin(name) ? [] : [{ name, field: `network.hosts.${at}` }]));
  return mode === "normal" ? { hosts: asked, without: [], beyond } : { hosts: [], without: asked, beyond };
}
