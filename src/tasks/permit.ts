import type { Effective, Profile, Violation } from "./contract.ts";
import type { TaskRequest } from "./request.ts";

/** Where a value of what is in force comes from. */
export interface Explanation {
  readonly field: string;
  readonly value: string | number;
  readonly from: "profile" | "request" | "mode";
}

/** What a request may have under a profile, why, and what it asks for beyond that. */
export interface Permit {
  readonly effective: Effective;
  readonly explain: readonly Explanation[];
  readonly violations: readonly Violation[];
}

/** The one resolver: profile and request, met. What a request does not name is the profile's; more than the profile's is a violation. */
export function permit(profile: Profile, request: TaskRequest): Permit {
  const explain: Explanation[] = [];
  const violations: Violation[] = [];
  const limit = (field: "timeout_s" | "cpu_cores" | "memory_mb" | "disk_mb" | "max_cost_usd", most: number): number => {
    const asked = request[field];
    const value = asked ?? most;
    // Money is compared in nano-USD, and told of elsewhere in USD.
    if (field !== "max_cost_usd") explain.push({ field, value, from: asked === undefined ? "profile" : "request" });
    if (value > most) {
      const reason = field === "max_cost_usd" ? "more than the profile allows" : `the profile ${profile.name} allows ${most}`;
      violations.push({ kind: "limit", name: field, field, reason });
    }
    return value;
  };
  if (!profile.engines.includes(request.engine)) {
    violations.push({ kind: "engine", name: request.engine, field: "engine", reason: `not in the profile ${profile.name}` });
  }
  const command = (request.argv ?? []).join(" ");
  for (const pattern of profile.deniedCommands.filter((each) => matches(each, command))) {
    violations.push({ kind: "command", name: pattern, field: "argv", reason: `the profile ${profile.name} denies ${pattern}` });
  }
  const readonly = request.mode === "analysis_only" && profile.filesystem === "readwrite";
  const filesystem = readonly ? "readonly" : profile.filesystem;
  explain.push({ field: "filesystem", value: filesystem, from: readonly ? "mode" : "profile" });
  const effective: Effective = {
    engine: request.engine,
    mode: request.mode,
    filesystem,
    timeoutS: limit("timeout_s", profile.timeoutS),
    cpuCores: limit("cpu_cores", profile.cpuCores),
    memoryMb: limit("memory_mb", profile.memoryMb),
    diskMb: limit("disk_mb", profile.diskMb),
    maxCostNano: limit("max_cost_usd", profile.maxCostNano),
  };
  return { effective, explain, violations };
}

/** Whether a text is of a pattern in which `*` stands for any text; in time that grows with the text alone for each part. */
export function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === text;
  const [first = "", ...rest] = parts;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
